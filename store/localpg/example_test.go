package localpg_test

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/store/localpg"
)

// A server for one program that leaves nothing behind. Without Private, and with
// a Dir, the data stays, and all programs that open the Dir share the server.
func ExampleOpen() {
	ctx := context.Background()
	server, err := localpg.Open(ctx, localpg.Config{Private: true, Log: io.Discard})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close(ctx)
	url, err := server.Database(ctx, "ledger")
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx)
	var name string
	err = conn.QueryRow(ctx, "select current_database()").Scan(&name)
	fmt.Println(name, err)
	// Output: ledger <nil>
}
