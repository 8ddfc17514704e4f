package migrations_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/migrations"
	"github.com/custodyhq/custody/store/storetest"
)

// sql is a goose file with one statement.
func sql(statement string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("-- +goose Up\n" + statement + ";\n")}
}

func one() fs.FS { return fstest.MapFS{"00001_one.sql": sql("create table custody.one (n int)")} }

func two() fs.FS {
	return fstest.MapFS{
		"00001_one.sql": sql("create table custody.one (n int)"),
		"00002_two.sql": sql("insert into custody.one values (2)"),
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func value[T any](t *testing.T, conn *pgx.Conn, query string) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func TestUpBringsAnEmptyDatabaseToWhatThisProgramKnows(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	before, err := migrations.Status(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if before.Current != 0 || before.RiverCurrent != 0 || before.Target < 1 || before.RiverTarget < 8 || !before.Pending || before.Ready() {
		t.Errorf("before: %+v", before)
	}
	conn := connect(t, url)
	if value[bool](t, conn, "select to_regnamespace('custody') is not null") {
		t.Error("Status changed the database")
	}
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	after, err := migrations.Status(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	want := migrations.State{Current: before.Target, Target: before.Target, RiverCurrent: before.RiverTarget, RiverTarget: before.RiverTarget}
	if diff := cmp.Diff(want, after); diff != "" || !after.Ready() {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	if !value[bool](t, conn, "select to_regclass('custody.run') is not null and to_regclass('river.river_job') is not null") {
		t.Error("the tables are not where they belong")
	}
	if got := value[int](t, conn, "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"); got != 0 {
		t.Errorf("%d locks are left", got)
	}
}

func TestASecondUpDoesNothing(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	conn := connect(t, url)
	all := `select string_agg(c.oid::text || c.relname, ',' order by c.oid) || (select string_agg(v::text, ',' order by id)
		from ` + migrations.VersionTable + ` v) from pg_class c where c.relnamespace in (to_regnamespace('custody'), to_regnamespace('river'))`
	before := value[string](t, conn, all)
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, value[string](t, conn, all)); diff != "" {
		t.Errorf("something was made or noted again (-before +after):\n%s", diff)
	}
}

func TestThreeProcessesAtOnceMigrateOnce(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := migrations.UpFS(t.Context(), url, two()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	conn := connect(t, url)
	if got := value[int](t, conn, "select count(*) from custody.one"); got != 1 {
		t.Errorf("the second migration ran %d times", got)
	}
	if got := value[int](t, conn, "select count(*) from river.river_migration"); got < 8 {
		t.Errorf("River has %d versions", got)
	}
}

func TestUpWaitsForTheProcessThatMigratesAndGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	other := connect(t, url)
	if _, err := other.Exec(t.Context(), "select pg_advisory_lock($1)", int64(0x63757374_6f647901)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := migrations.UpFS(ctx, url, one()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if value[bool](t, other, "select to_regnamespace('custody') is not null") {
		t.Error("it migrated without the lock")
	}
	done := make(chan error, 1)
	go func() { done <- migrations.UpFS(t.Context(), url, one()) }()
	if _, err := other.Exec(t.Context(), "select pg_advisory_unlock_all()"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestADatabaseOfANewerReleaseIsLeftAloneAndSaysSo(t *testing.T) {
	t.Parallel()
	t.Run("schema custody", func(t *testing.T) {
		t.Parallel()
		url := storetest.Empty(t)
		if err := migrations.UpFS(t.Context(), url, two()); err != nil {
			t.Fatal(err)
		}
		err := migrations.UpFS(t.Context(), url, one())
		if !errors.Is(err, migrations.ErrNewer) || !strings.Contains(err.Error(), "schema is 2") || !strings.Contains(err.Error(), "knows 1") {
			t.Errorf("got %v", err)
		}
		state, err := migrations.StatusOf(t.Context(), connect(t, url), one())
		if err != nil || !state.Newer || state.Ready() {
			t.Errorf("%+v, %v", state, err)
		}
	})
	t.Run("schema river", func(t *testing.T) {
		t.Parallel()
		url := storetest.URL(t)
		if _, err := connect(t, url).Exec(t.Context(), "insert into river.river_migration (line, version) values ('main', 900)"); err != nil {
			t.Fatal(err)
		}
		if err := migrations.Up(t.Context(), url); !errors.Is(err, migrations.ErrNewer) || !strings.Contains(err.Error(), "River 900") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAMigrationThatFailsLeavesNoTraceAndTheNextUpGoesOn(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	broken := fstest.MapFS{
		"00001_one.sql": sql("create table custody.one (n int)"),
		"00002_two.sql": sql("create table custody.half (n int); select 1/0"),
	}
	if err := migrations.UpFS(t.Context(), url, broken); err == nil || !strings.Contains(err.Error(), "division by zero") {
		t.Errorf("got %v", err)
	}
	conn := connect(t, url)
	if value[bool](t, conn, "select to_regclass('custody.half') is not null") {
		t.Error("half a migration is left")
	}
	if err := migrations.UpFS(t.Context(), url, two()); err != nil {
		t.Error(err)
	}
	if got := value[int](t, conn, "select n from custody.one"); got != 2 {
		t.Errorf("got %d", got)
	}
}

func TestLimitsThatTheDatabaseSetsForQueriesDoNotEndAMigration(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	conn := connect(t, url)
	_, err := conn.Exec(t.Context(), `do $$ begin
		execute format('alter database %I set statement_timeout = 50', current_database());
		execute format('alter database %I set idle_session_timeout = 50', current_database()); end $$`)
	if err != nil {
		t.Fatal(err)
	}
	slow := fstest.MapFS{"00001_slow.sql": sql("select pg_sleep(0.2)")}
	if err := migrations.UpFS(t.Context(), url, slow); err != nil {
		t.Error(err)
	}
}

func TestTheProcessRoleMayUseRiversTablesAndNotChangeThem(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	conn := connect(t, url)
	if !value[bool](t, conn, "select exists (select from pg_roles where rolname = 'custody_app')") {
		t.Skip("the migrating account may not make roles here")
	}
	if _, err := conn.Exec(t.Context(), "set role custody_app"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "insert into river.river_queue (name, updated_at) values ('q', now()); delete from river.river_queue"); err != nil {
		t.Error(err)
	}
	if _, err := conn.Exec(t.Context(), "drop table river.river_queue"); err == nil {
		t.Error("it may drop a table")
	}
}

func TestARoleWithoutRightsOnTheDatabaseMayFindThatNothingIsMissing(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	conn := connect(t, url)
	if _, err := conn.Exec(t.Context(), "grant usage on schema custody, river to public; grant select on all tables in schema custody, river to public"); err != nil {
		t.Fatal(err)
	}
	role := "weak_" + value[string](t, conn, "select current_database()")
	if _, err := conn.Exec(t.Context(), "create role "+pgx.Identifier{role}.Sanitize()+" login password 'weak'"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := conn.Exec(context.Background(), "drop role "+pgx.Identifier{role}.Sanitize())
		if err != nil {
			t.Error(err)
		}
	})
	cfg := conn.Config()
	weak := "host=" + cfg.Host + " user=" + role + " password=weak dbname=" + cfg.Database
	if err := migrations.Up(t.Context(), weak); err != nil {
		t.Error(err)
	}
}

func TestDigestChangesWithNamesAndContents(t *testing.T) {
	t.Parallel()
	files := []fs.FS{
		fstest.MapFS{},
		one(), two(),
		fstest.MapFS{"00001_other.sql": sql("create table custody.one (n int)")},
		fstest.MapFS{"00001_one.sql": sql("create table custody.one (n bigint)")},
	}
	seen := map[string]bool{}
	for _, fsys := range files {
		d, err := migrations.DigestOf(fsys)
		if err != nil || seen[d] || len(d) != 64 {
			t.Errorf("%q, %v; seen before: %v", d, err, seen[d])
		}
		seen[d] = true
	}
	first, _ := migrations.DigestOf(one())
	again, _ := migrations.DigestOf(one())
	if first != again {
		t.Error("the same files give two digests")
	}
}

func TestErrorsNeverRepeatThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://me:hunter2@127.0.0.1:1/db",
		"postgres://me:hunter2@[host/db",
		"postgres://me:hunter2@127.0.0.1/db?sslmode=nonsense",
		"host=127.0.0.1 port=1 password=hunter2",
	} {
		_, err := migrations.Status(t.Context(), url)
		if up := migrations.Up(t.Context(), url); up == nil || err == nil || strings.Contains(up.Error()+err.Error(), "hunter2") {
			t.Errorf("got %v and %v", up, err)
		}
	}
}
