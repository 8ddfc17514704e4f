package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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

// A Condition is the state of Custody's own tables. Like an Inspection it holds
// facts and no judgement.
type Condition struct {
	Origin      string            // the ledger's name; "" as long as it has none
	Guards      map[string]string // table -> the append_only trigger: on, off, replica or missing
	Excess      []string          // rights to change the record that custody_app has
	Lacking     []string          // rights that a process needs and custody_app has not
	Unvacuumed  []string          // tables with autovacuum switched off
	Processes   []ProcessState
	Stuck       int64 // open runs that should have moved Behind ago and that no live process holds
	OldestStuck time.Duration
	Keys        []KeyUse
	// Whole says that the rows could be read. Otherwise Lacking says why not, and
	// what is in them is zero.
	Whole bool
}

// A ProcessState is one process as the database knows it.
type ProcessState struct {
	Version string
	Silent  time.Duration // since its last heartbeat
}

// Behind is how long a run may be due before it counts as stuck, and Gone how
// long a process is silent before it counts as dead.
const (
	Behind = 5 * time.Minute
	Gone   = 10 * time.Second
)

// Examine looks at Custody's tables, which must be complete, and changes
// nothing.
func Examine(ctx context.Context, url string) (Condition, error) {
	conn, err := inspector(ctx, url)
	if err != nil {
		return Condition{}, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	c := Condition{Guards: map[string]string{}}
	for _, look := range []func(context.Context, *pgx.Conn) error{c.guards, c.rights, c.vacuum, c.origin, c.processes, c.runs, c.keys} {
		err := look(ctx, conn)
		if refused(err) && len(c.Lacking) > 0 {
			return c, nil // what it lacks is the answer
		}
		if err != nil {
			return Condition{}, fmt.Errorf("examine the tables: %w", err)
		}
	}
	c.Whole = true
	return c, nil
}

func (c *Condition) origin(ctx context.Context, conn *pgx.Conn) error {
	err := conn.QueryRow(ctx, `select origin from log where tenant = 'main'`).Scan(&c.Origin)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

func (c *Condition) guards(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `select t, coalesce((select case tgenabled when 'O' then 'on' when 'A' then 'on' when 'R' then 'replica' else 'off' end
  from pg_trigger where tgrelid = to_regclass('custody.' || t) and tgname = 'append_only'), 'missing')
from unnest(array['entry', 'vote', 'payload']) t`)
	if err != nil {
		return err
	}
	var table, state string
	_, err = pgx.ForEachRow(rows, []any{&table, &state}, func() error {
		c.Guards[table] = state
		return nil
	})
	return err
}

// rights compares custody_app's with what a process needs. A dump that was
// restored without the role, or without its privileges, lacks them.
func (c *Condition) rights(ctx context.Context, conn *pgx.Conn) error {
	const excess = `select p || ' on custody.' || t from unnest(array['entry', 'vote', 'payload']) t,
  unnest(array['update', 'delete', 'truncate', 'trigger']) p, pg_roles r
where r.rolname = $1 and not r.rolsuper and case when p = 'update' then has_any_column_privilege(r.oid, 'custody.' || t, p)
  else has_table_privilege(r.oid, 'custody.' || t, p) end order by 1`
	const lacking = `select p || ' on ' || format('%I.%I', c.relnamespace::regnamespace, c.relname) from pg_roles r, pg_class c,
  unnest(array['select', 'insert', 'update', 'delete']) p
where r.rolname = $1 and c.relkind = 'r' and (c.relnamespace = to_regnamespace('river') and not has_table_privilege(r.oid, c.oid, p)
  or c.relnamespace = to_regnamespace('custody') and p = 'select' and not has_table_privilege(r.oid, c.oid, p)
  or c.oid in (to_regclass('custody.entry'), to_regclass('custody.run'), to_regclass('custody.payload')) and p = 'insert'
    and not has_table_privilege(r.oid, c.oid, p)
  or c.oid = to_regclass('custody.run') and p = 'update' and not has_any_column_privilege(r.oid, c.oid, p)) order by 1`
	var err error
	if c.Excess, err = texts(ctx, conn, excess, appRole); err != nil {
		return err
	}
	c.Lacking, err = texts(ctx, conn, lacking, appRole)
	return err
}

func (c *Condition) vacuum(ctx context.Context, conn *pgx.Conn) (err error) {
	c.Unvacuumed, err = texts(ctx, conn, `select format('%I.%I', relnamespace::regnamespace, relname) from pg_class where relkind = 'r'
  and relnamespace in (to_regnamespace('custody'), to_regnamespace('river'))
  and exists (select from pg_options_to_table(reloptions) where option_name = 'autovacuum_enabled' and not option_value::boolean) order by 1`)
	return err
}

func (c *Condition) processes(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `select version, extract(epoch from clock_timestamp() - at)::float8 from process order by at desc limit 1000`)
	if err != nil {
		return err
	}
	var version string
	var silent float64
	_, err = pgx.ForEachRow(rows, []any{&version, &silent}, func() error {
		c.Processes = append(c.Processes, ProcessState{Version: version, Silent: time.Duration(silent * float64(time.Second))})
		return nil
	})
	return err
}

func (c *Condition) runs(ctx context.Context, conn *pgx.Conn) error {
	var oldest float64
	err := conn.QueryRow(ctx, `select count(*), coalesce(max(extract(epoch from clock_timestamp()) - since / 1e6), 0)::float8
from (select case when due_us is null then at_us else due_us end as since from run
  where closed_us is null and (due_us is not null or nudged or state in ('queued', 'running'))
  and not exists (select from process p where p.id = run.holder and p.at > clock_timestamp() - make_interval(secs => $2))) late
where since < (extract(epoch from clock_timestamp()) - $1) * 1e6`, Behind.Seconds(), Gone.Seconds()).Scan(&c.Stuck, &oldest)
	c.OldestStuck = time.Duration(oldest * float64(time.Second))
	return err
}

func (c *Condition) keys(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `select kind, id from key order by kind, id`)
	if err != nil {
		return err
	}
	c.Keys, err = pgx.CollectRows(rows, pgx.RowToStructByPos[KeyUse])
	return err
}

// refused reports whether the account lacks a right.
func refused(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == "42501"
}

func texts(ctx context.Context, conn *pgx.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
