package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/custodyhq/custody/security"
)

// The connections that a process takes.
const (
	readConns = 10
	beatConns = 3
	// ownConns are those outside of pools: of the committer, for a commit whose
	// fate is looked up, of the control stream, the loader, the notifier, the
	// watcher, and of a verification.
	ownConns = 7
	// MostConns is what a process with the default Config takes at most.
	MostConns = readConns + beatConns + rateConns + ownConns
)

// Config says how to reach the database.
type Config struct {
	URL     string                                                  // PostgreSQL URL
	Origin  string                                                  // the ledger's name; default localhost/dev
	Version string                                                  // of this program, for the list of processes
	Conns   int32                                                   // of the pool for reading; default 10
	Queue   int                                                     // changes that may wait; default 20,000
	Dial    func(context.Context, string, string) (net.Conn, error) // default: the usual one
	Fault   func() Fault                                            // tests only: asked before every COMMIT
	Log     *slog.Logger
	Meter   Meter // told of what was committed; nil: nobody

	patience time.Duration // with locks, in tests; default lockPatience
	idle     string        // how long the server lets a session sit in a batch, in tests; default 5s
}

func (c *Config) validate() error {
	if c.URL == "" {
		return errors.New("store: URL: it is empty")
	}
	if c.Origin == "" {
		c.Origin = "localhost/dev"
	}
	if c.Conns == 0 {
		c.Conns = readConns
	}
	if c.Queue == 0 {
		c.Queue = 20000
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.patience == 0 {
		c.patience = lockPatience
	}
	if c.idle == "" {
		c.idle = "5s"
	}
	if c.Conns < 0 {
		return errors.New("store: Conns: it is negative")
	}
	if c.Queue < 0 {
		return errors.New("store: Queue: it is negative")
	}
	return nil
}

// appRole is what a process works as: it may add to the record, never change it.
const appRole = "custody_app"

// batchSettings are those of connections that write runs. Plans of the
// multi-row statements must not depend on statistics, which a young table does
// not have: with them PostgreSQL would plan hash joins and scans and keep them.
// A session that is stopped inside a batch would hold its runs' locks for ever:
// the server ends it.
func (db *DB) batchSettings() map[string]string {
	return map[string]string{
		"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off",
		"lock_timeout": "2s", "idle_in_transaction_session_timeout": db.cfg.idle, "default_transaction_isolation": "read committed",
	}
}

// resolveSettings are those of a connection that finds out about a lost
// COMMIT: it waits for its locks.
func resolveSettings() map[string]string {
	return map[string]string{
		"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off",
		"lock_timeout": "0", "idle_in_transaction_session_timeout": "5s", "default_transaction_isolation": "read committed",
	}
}

func controlSettings() map[string]string {
	return map[string]string{"idle_in_transaction_session_timeout": "5s", "lock_timeout": "2s"}
}

func notifySettings() map[string]string { return map[string]string{"synchronous_commit": "off"} }

func readSettings() map[string]string {
	return map[string]string{"idle_in_transaction_session_timeout": "5min"}
}

// A DB is a handle to Custody's tables. It is safe for concurrent use.
type DB struct {
	cfg     Config
	process security.ID
	version string
	base    *pgx.ConnConfig
	pool    *pgxpool.Pool // reading
	beats   *pgxpool.Pool // heartbeats and recovery: never behind readers
	rates   *pgxpool.Pool // limits: a crowd at one row keeps nobody else from reading
	jobs    func(context.Context, pgx.Tx, []Job) error
	changes chan *Change
	facts   chan *fact
	loads   chan *load
	kick    chan struct{}
	commits *committer
	watch   *tailer

	mu       sync.RWMutex
	logs     map[int16]string
	tenants  map[string]int16
	subjects sync.Map // tenant, issuer, subject -> id
	known    atomic.Int64

	stop   context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	ill    atomic.Bool  // the database was away when last tried
	swept  atomic.Int64 // when old rates were last deleted, nanoseconds since 1970
}

// Open connects and checks that the ledger's origin is the one in force. jobs
// is called inside a batch's transaction to put jobs into the queue; a nil jobs
// makes a store that can read and record, but not write runs.
func Open(ctx context.Context, cfg Config, jobs func(context.Context, pgx.Tx, []Job) error) (*DB, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	base, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	base.RuntimeParams["search_path"] = "custody"
	base.RuntimeParams["application_name"] = "custody"
	base.RuntimeParams["timezone"] = "UTC"
	if cfg.Dial != nil {
		base.DialFunc = cfg.Dial
	}
	db := &DB{
		cfg: cfg, process: security.NewID(), version: cfg.Version, base: base, jobs: jobs,
		changes: make(chan *Change, cfg.Queue), facts: make(chan *fact, 2000), loads: make(chan *load, 20000), kick: make(chan struct{}, 1),
		logs: map[int16]string{}, tenants: map[string]int16{},
	}
	db.stop, db.cancel = context.WithCancel(context.Background())
	if err := db.start(ctx); err != nil {
		db.cancel()
		return nil, err
	}
	return db, nil
}

func (db *DB) start(ctx context.Context) error {
	if err := db.assumeRole(ctx); err != nil {
		return err
	}
	var err error
	if db.pool, err = db.newPool(ctx, db.cfg.Conns, readSettings()); err != nil {
		return err
	}
	if db.beats, err = db.newPool(ctx, beatConns, readSettings()); err != nil {
		db.closePools()
		return err
	}
	if db.rates, err = db.newPool(ctx, rateConns, rateSettings()); err != nil {
		db.closePools()
		return err
	}
	if err = db.openLog(ctx, "main", db.cfg.Origin); err != nil {
		db.closePools()
		return err
	}
	db.commits = newCommitter(db)
	db.watch = newTailer(db)
	for _, run := range []func(context.Context){db.commits.run, (&lane{db: db}).run, db.loader, db.notifier, db.watch.run, db.watch.listen} {
		db.wg.Go(func() { run(db.stop) })
	}
	return nil
}

// assumeRole makes every later connection work as custody_app, if the
// migrations could make that role and this account may take it.
func (db *DB) assumeRole(ctx context.Context) error {
	conn, err := db.dial(ctx, nil)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var may bool
	err = conn.QueryRow(ctx, `select exists (select from pg_roles where rolname = $1 and pg_has_role(current_user, oid, 'member'))`, appRole).Scan(&may)
	if err != nil {
		return err
	}
	if may {
		db.base.RuntimeParams["role"] = appRole
	}
	return nil
}

// Restricted reports whether the process works as the role that may only add
// to the record.
func (db *DB) Restricted() bool { return db.base.RuntimeParams["role"] == appRole }

func (db *DB) newPool(ctx context.Context, conns int32, settings map[string]string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(db.cfg.URL)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig = db.with(settings)
	cfg.MaxConns = conns
	return pgxpool.NewWithConfig(ctx, cfg)
}

func (db *DB) with(settings map[string]string) *pgx.ConnConfig {
	cfg := db.base.Copy()
	maps.Copy(cfg.RuntimeParams, settings)
	return cfg
}

func (db *DB) dial(ctx context.Context, settings map[string]string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return pgx.ConnectConfig(ctx, db.with(settings))
}

// Close stops writing and reading. What was queued and not yet committed is
// answered with ErrClosed.
func (db *DB) Close() {
	db.cancel()
	db.wg.Wait()
	db.closePools()
}

func (db *DB) closePools() {
	for _, p := range []*pgxpool.Pool{db.pool, db.beats, db.rates} {
		if p != nil {
			p.Close()
		}
	}
}

// Process is the id under which this process holds runs. It is made anew at
// every start and never used twice.
func (db *DB) Process() security.ID { return db.process }

// Pool is the pool for reading, for River's client, which brings its own SQL.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.beats.Ping(ctx) }

// Figures are counts since the start, for metrics.
type Figures struct{ Batches, Changes, Lost, Halved int64 }

// Figures returns the committer's counts.
func (db *DB) Figures() Figures {
	c := db.commits
	return Figures{c.batch.Load(), c.items.Load(), c.lost.Load(), c.halve.Load()}
}

// weather notes that the database could not be written to. It is logged when
// it begins, not at every try.
func (db *DB) weather(ctx context.Context, err error) {
	if db.ill.CompareAndSwap(false, true) {
		db.cfg.Log.WarnContext(ctx, "the database cannot be written to; trying again", slog.Any("error", err))
	}
}

// fair notes that the database answers again.
func (db *DB) fair() {
	if db.ill.CompareAndSwap(true, false) {
		db.cfg.Log.Info("the database can be written to again")
	}
}

// committed runs after every batch that was committed.
func (db *DB) committed(w *writes) {
	db.meter(w.entries)
	db.watch.committed(w)
	select {
	case db.kick <- struct{}{}:
	default:
	}
}

// notifier tells other processes that something was committed: one NOTIFY for
// all batches since the last one, in a transaction that need not be durable.
// NOTIFY inside the batch would serialise the commits of all processes. It is
// only the accelerator of a poll, so a failure is ignored.
func (db *DB) notifier(ctx context.Context) {
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx))
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-db.kick:
		}
		conn = db.notify(ctx, conn)
	}
}

func (db *DB) notify(ctx context.Context, conn *pgx.Conn) *pgx.Conn {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // a connection that hangs is closed, and the next one dialled
	defer cancel()
	if conn == nil || conn.IsClosed() {
		var err error
		if conn, err = db.dial(ctx, notifySettings()); err != nil {
			return nil
		}
	}
	_, _ = conn.Exec(ctx, `select pg_notify('river.river_insert', '{"queue": "default"}'), pg_notify('custody_commit', $1)`, db.process.String())
	return conn
}
