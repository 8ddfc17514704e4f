package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

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
