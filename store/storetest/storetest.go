// Package storetest gives every test a PostgreSQL database of its own, with all
// migrations applied, in milliseconds: a clone of a template that is made once.
//
// The server is the one that CUSTODY_TEST_DATABASE_URL names (its account must
// be allowed to make databases), else one that all test programs of this account
// share: the first test starts it, the last one stops it. Only a test program that
// is killed leaves it running, until the next one ends.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/custodyhq/custody/store/localpg"
)

// EnvURL names a server to use instead of the shared one.
const EnvURL = "CUSTODY_TEST_DATABASE_URL"

// patience is for a first run on a busy machine: a download, an initdb, a recovery.
const patience = 3 * time.Minute

// connections is the shared server's max_connections: many test programs at once.
const connections = 400

// URL returns the URL of a new database with all migrations applied, as its
// superuser. It is dropped, with whoever is still connected, when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	return database(t, clone)
}

// Empty is URL without the migrations: an empty database.
func Empty(t testing.TB) string {
	t.Helper()
	return database(t, func(ctx context.Context, conn *pgx.Conn, _, name string) error {
		return create(ctx, conn, name, "template0")
	})
}

// Pool returns a pool on the URL, closed when the test ends. Tests that use
// URL's database must take the pool after it, which is the only order possible.
func Pool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatalf("storetest: open a pool: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// A maker makes the database name on the server that conn and base lead to.
type maker func(ctx context.Context, conn *pgx.Conn, base, name string) error

func database(t testing.TB, produce maker) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	base, err := shared.enter(ctx)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	t.Cleanup(func() {
		if err := shared.leave(); err != nil {
			t.Errorf("storetest: %v", err)
		}
	})
	name := fmt.Sprintf("%s%d_%s", prefix, os.Getpid(), strings.ToLower(rand.Text()[:10]))
	if err := on(ctx, base, func(conn *pgx.Conn) error { return produce(ctx, conn, base, name) }); err != nil {
		t.Fatalf("storetest: make database %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := drop(base, name); err != nil {
			t.Errorf("storetest: drop database %s: %v", name, err)
		}
	})
	address, err := within(base, name)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	return address
}

// prefix of every test's database; the process id follows.
const prefix = "custody_test_"

// within is the URL of another database on the same server.
func within(base, name string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", errors.New(EnvURL + " is not a URL") // err would repeat its password
	}
	u.Path = "/" + name
	return u.String(), nil
}

// on runs work on a connection of its own.
func on(ctx context.Context, address string, work func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return work(conn)
}

// create leaves PostgreSQL its default way of copying, through the log. Copying
// files is as quick but takes two checkpoints, which every other test would feel.
func create(ctx context.Context, conn *pgx.Conn, name, template string) error {
	_, err := conn.Exec(ctx, "create database "+quote(name)+" template "+quote(template))
	return err
}

func drop(base, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return on(ctx, base, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "drop database if exists "+quote(name)+" with (force)")
		return err
	})
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// refusedWith reports whether PostgreSQL gave this SQLSTATE.
func refusedWith(err error, code string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == code
}

// shared is this test program's part in the server: it must be one for all
// tests, because testing.TB has no place to keep it.
var shared cluster

// A cluster counts the tests that use the server, and holds one share in it for
// all of them: when the last test of the last test program ends, it stops.
type cluster struct {
	mu     sync.Mutex
	tests  int
	server *localpg.Server
}

func (c *cluster) enter(ctx context.Context) (base string, err error) {
	if given := os.Getenv(EnvURL); given != "" {
		return given, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		if c.server, err = openShared(ctx); err != nil {
			return "", err
		}
	}
	c.tests++
	return c.server.URL, nil
}

func (c *cluster) leave() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return nil
	}
	if c.tests--; c.tests > 0 {
		return nil
	}
	server := c.server
	c.server = nil
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return server.Close(ctx)
}

func openShared(ctx context.Context) (*localpg.Server, error) {
	// fsync is off: the data survives kill -9 of everything, which is all a test does to it.
	cfg := localpg.Config{NoSync: true, Connections: connections}
	major, err := localpg.Major(ctx, cfg)
	if err != nil {
		return nil, err
	}
	cfg.Dir = filepath.Join(os.TempDir(), fmt.Sprintf("custody-test-pg-%d-%d", os.Getuid(), major))
	server, err := localpg.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if !server.Attached {
		if err := sweep(ctx, server.URL); err != nil {
			return nil, errors.Join(err, server.Close(context.WithoutCancel(ctx)))
		}
	}
	return server, nil
}

// sweep drops the databases of test programs that were killed. Their process ids
// tell: all programs that share the server run on this machine.
func sweep(ctx context.Context, base string) error {
	return on(ctx, base, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "select datname from pg_database where starts_with(datname, $1)", prefix)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, name := range names {
			if alive(name) {
				continue
			}
			if _, err := conn.Exec(ctx, "drop database if exists "+quote(name)+" with (force)"); err != nil {
				return fmt.Errorf("drop what a killed test left: %w", err)
			}
		}
		return nil
	})
}

// alive takes a name in another form for somebody else's, and so for alive.
func alive(name string) bool {
	text, _, _ := strings.Cut(strings.TrimPrefix(name, prefix), "_")
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 0 {
		return true
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = process.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}
