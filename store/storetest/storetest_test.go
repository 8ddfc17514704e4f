package storetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

func names(t testing.TB, base, like string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), base)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, err := conn.Query(t.Context(), "select datname from pg_database where starts_with(datname, $1)", like)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestURLGivesEveryTestAMigratedDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	first, second := Pool(t, URL(t)), Pool(t, URL(t))
	const revoke = "insert into custody.revocation values ('k', gen_random_uuid(), 'main', 1, 'me', 'why')"
	if _, err := first.Exec(t.Context(), revoke); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := second.QueryRow(t.Context(), "select count(*) from custody.revocation").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows of another test, %v", n, err)
	}
	if err := second.QueryRow(t.Context(), "select count(*) from river.river_job").Scan(&n); err != nil {
		t.Errorf("River's schema is missing: %v", err)
	}
	if err := second.QueryRow(t.Context(), "select setting::int from pg_settings where name = 'max_connections'").Scan(&n); err != nil || os.Getenv(EnvURL) == "" && n != connections {
		t.Errorf("max_connections is %d, %v", n, err)
	}
}

func TestADatabaseIsDroppedWithItsTestWhoeverIsConnected(t *testing.T) {
	t.Parallel()
	mine := URL(t) // keeps the server up to look at it
	var address string
	t.Run("a test", func(t *testing.T) {
		address = URL(t)
		conn, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn // left open on purpose; the server ends it
	})
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	if left := names(t, mine, cfg.Database); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func TestEmptyGivesAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	pool := Pool(t, Empty(t))
	var n int
	if err := pool.QueryRow(t.Context(), "select count(*) from pg_class where relnamespace = 'public'::regnamespace").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	if err := pool.QueryRow(t.Context(), "select count(*) from pg_namespace where nspname in ('custody', 'river')").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestATemplateIsMadeOnceHoweverManyAsk(t *testing.T) {
	t.Parallel()
	base := URL(t)
	template := fmt.Sprintf("custody_template_of_test_%d", os.Getpid())
	t.Cleanup(func() {
		if err := drop(base, template); err != nil {
			t.Error(err)
		}
	})
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			err := on(t.Context(), base, func(conn *pgx.Conn) error { return build(t.Context(), conn, base, template) })
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := names(t, base, template); len(got) != 1 {
		t.Errorf("got %v, want the finished one alone", got)
	}
}

// BenchmarkURL is what each test pays once the server and the template are there.
func BenchmarkURL(b *testing.B) {
	URL(b)
	for b.Loop() {
		URL(b) // dropped at the end, outside the measured time
	}
}

func TestSweepKnowsTheDead(t *testing.T) {
	t.Parallel()
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		prefix + strconv.Itoa(os.Getpid()) + "_x": true,
		prefix + "1_x": true,
		prefix + strconv.Itoa(ended.Process.Pid) + "_x": false,
		prefix + "notanumber_x":                         true,
		prefix + "-5_x":                                 true,
		prefix:                                          true,
		prefix + "99999999999999999999999999999999999_x_": true,
	} {
		if got := alive(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// The tests below start this program again, in a temporary folder of their own
// and so with a server of their own.
const childVariable = "CUSTODY_STORETEST_CHILD"

func TestChild(t *testing.T) {
	switch os.Getenv(childVariable) {
	case "":
		t.Skip("a part of other tests")
	case "once":
		URL(t)
	case "die":
		URL(t)
		os.Exit(3)
	case "list":
		if found := names(t, URL(t), prefix); len(found) != 1 {
			t.Errorf("databases of killed tests are left: %v", found)
		}
	}
}

func child(t *testing.T, dir, what string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childVariable+"="+what, "TMPDIR="+dir, EnvURL+"=")
	return cmd
}

// publicFolder can be entered by the account that runs the server for root.
func publicFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "storetest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustBeStopped(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "custody-test-pg-*", "data", "postmaster.pid"))
	if err != nil || len(left) > 0 {
		t.Errorf("the server still runs: %v %v", left, err)
	}
}

func TestProgramsAtOnceShareAServerAndTheLastStopsIt(t *testing.T) {
	t.Parallel()
	dir := publicFolder(t)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if out, err := child(t, dir, "once").CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	group.Wait()
	mustBeStopped(t, dir)
}

func TestWhatAKilledProgramLeavesIsTidiedByTheNext(t *testing.T) {
	t.Parallel()
	dir := publicFolder(t)
	if out, err := child(t, dir, "die").CombinedOutput(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, what := range []string{"once", "list"} { // the first stops the orphan, the second starts afresh
		if out, err := child(t, dir, what).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
	}
	mustBeStopped(t, dir)
}

func TestAGivenServerIsUsedAndNoOtherStarted(t *testing.T) {
	t.Parallel()
	dir, given := publicFolder(t), Empty(t)
	cmd := child(t, dir, "once")
	cmd.Env = append(cmd.Env, EnvURL+"="+given)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a server was started: %v %v", left, err)
	}
}
