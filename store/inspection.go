package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// An Inspection is what a PostgreSQL server says about itself and about the
// account that asks. It holds facts and no judgement.
type Inspection struct {
	Version      int           // server_version_num, such as 150018
	Clock        time.Duration // the database's clock less ours, as good as half of Trip
	Trip         time.Duration // of one question and its answer
	Pooled       bool          // two transactions met two sessions: a pooler in transaction mode
	Standby      bool          // in recovery: takes no writes
	Encoding     string        // of the database
	Size         int64         // of the database, in bytes
	Age          int64         // of the oldest transaction id that is not frozen, in transactions
	Account      string
	Superuser    bool
	Owner        bool // of Custody's tables, itself or by membership
	RoleExists   bool // custody_app
	Member       bool // of custody_app
	Connections  int  // that the whole server gives to ordinary accounts
	Taken        int  // of them, now, ours included
	AccountLimit int  // connections of this account; negative: no limit
	DataLimit    int  // connections to this database; negative: no limit
	// Settings are those that the record's safety hangs on, in PostgreSQL's own
	// units, as a process of this account meets them.
	Settings map[string]string
}

// inspected are the settings in an Inspection.
const inspected = `fsync,synchronous_commit,full_page_writes,autovacuum,statement_timeout,transaction_timeout,idle_session_timeout,default_transaction_read_only,session_replication_role`

// Inspect asks a server about itself and changes nothing.
func Inspect(ctx context.Context, url string) (Inspection, error) {
	conn, err := inspector(ctx, url)
	if err != nil {
		return Inspection{}, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	i := Inspection{Settings: map[string]string{}}
	for _, look := range []func(context.Context, *pgx.Conn) error{i.clock, i.server, i.account, i.settings} {
		if err := look(ctx, conn); err != nil {
			return Inspection{}, fmt.Errorf("inspect the database: %w", err)
		}
	}
	return i, nil
}

func inspector(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL cannot be read") // pgx's error may repeat it
	}
	cfg.RuntimeParams["application_name"] = "custody doctor"
	cfg.RuntimeParams["timezone"] = "UTC"
	// A pooler that would refuse what a process asks for refuses it here.
	cfg.RuntimeParams["search_path"] = "custody"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return conn, nil
}

// clock asks twice: the first question pays for the statement's preparation.
func (i *Inspection) clock(ctx context.Context, conn *pgx.Conn) error {
	var first, second int
	var there time.Time
	const query = `select pg_backend_pid(), clock_timestamp()`
	if err := conn.QueryRow(ctx, query).Scan(&first, &there); err != nil {
		return err
	}
	asked := time.Now()
	if err := conn.QueryRow(ctx, query).Scan(&second, &there); err != nil {
		return err
	}
	i.Trip = time.Since(asked)
	i.Clock = there.Sub(asked.Add(i.Trip / 2))
	i.Pooled = first != second
	return nil
}

func (i *Inspection) server(ctx context.Context, conn *pgx.Conn) error {
	return conn.QueryRow(ctx, `select current_setting('server_version_num')::int, pg_is_in_recovery(),
  pg_encoding_to_char(encoding), pg_database_size(oid), age(datfrozenxid), datconnlimit,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
  (select count(*) from pg_stat_activity where backend_type = 'client backend')
from pg_database where datname = current_database()`).
		Scan(&i.Version, &i.Standby, &i.Encoding, &i.Size, &i.Age, &i.DataLimit, &i.Connections, &i.Taken)
}

func (i *Inspection) account(ctx context.Context, conn *pgx.Conn) error {
	return conn.QueryRow(ctx, `select rolname, rolsuper, rolconnlimit,
  exists (select from pg_class where relnamespace in (to_regnamespace('custody'), to_regnamespace('river'))
    and relkind = 'r' and pg_has_role(current_user, relowner, 'member')),
  exists (select from pg_roles where rolname = $1),
  exists (select from pg_roles where rolname = $1 and pg_has_role(current_user, oid, 'member'))
from pg_roles where rolname = current_user`, appRole).
		Scan(&i.Account, &i.Superuser, &i.AccountLimit, &i.Owner, &i.RoleExists, &i.Member)
}

func (i *Inspection) settings(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `select name, setting from pg_settings where name = any(string_to_array($1, ','))`, inspected)
	if err != nil {
		return err
	}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		i.Settings[name] = value
		return nil
	})
	return err
}
