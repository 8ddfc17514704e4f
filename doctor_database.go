package custody

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/custodyhq/custody/migrations"
	"github.com/custodyhq/custody/store"
)

// What the doctor asks of a database.
const (
	oldestPostgres = 15
	clockHint      = 2 * time.Second  // tokens have 60 s of leeway, and entries show our time
	clockProblem   = 30 * time.Second // half of that leeway
	shortest       = 5 * time.Minute  // an export or a verification may take
	oldestXID      = 1_500_000_000    // of 2,000,000,000 at which PostgreSQL stops
)

// database looks at the server, the schema and the record, in this order: each
// needs what is before it.
func (e *examination) database(ctx context.Context, s *sheet) {
	if e.cfg.validateDatabase() != nil {
		return // the settings said so
	}
	if !e.server(ctx, s) || !e.schema(ctx, s) {
		return
	}
	c, err := e.condition(ctx)
	if err != nil {
		s.problem("tables", err.Error(), "let the account read Custody's tables: grant custody_app to it")
		return
	}
	record(s, c)
	if !c.Whole {
		return
	}
	e.ledger(s, c)
	processes(s, c)
}

func (e *examination) condition(ctx context.Context) (store.Condition, error) {
	return bounded(ctx, func(ctx context.Context) (store.Condition, error) { return store.Examine(ctx, e.cfg.DatabaseURL) })
}

func bounded[T any](ctx context.Context, look func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	return look(ctx)
}

func (e *examination) server(ctx context.Context, s *sheet) bool {
	i, err := bounded(ctx, func(ctx context.Context) (store.Inspection, error) { return store.Inspect(ctx, e.cfg.DatabaseURL) })
	if err != nil {
		s.problem("server", err.Error(), cureOf(err))
		return false
	}
	if i.Version/10000 < oldestPostgres {
		s.problem("server", fmt.Sprintf("it is PostgreSQL %d", i.Version/10000), fmt.Sprintf("use PostgreSQL %d or newer", oldestPostgres))
	} else {
		s.well("server", fmt.Sprintf("PostgreSQL %d.%d, %d MiB, answers in %s", i.Version/10000, i.Version%10000, i.Size>>20, i.Trip.Round(10*time.Microsecond)))
	}
	if i.Standby {
		s.problem("server", "it is a standby and takes no writes", "let "+EnvDatabase+" lead to the primary, or promote this one")
	}
	if i.Pooled {
		s.problem("pooler", "a pooler gives every transaction another session: locks and notifications get lost", "connect to PostgreSQL itself, or to a pool in session mode")
	}
	if i.Encoding != "UTF8" {
		s.problem("encoding", "the database's encoding is "+i.Encoding, "make the database anew with encoding UTF8 and restore into it")
	}
	e.durability(s, i)
	e.account(s, i)
	connections(s, i)
	timeouts(s, i)
	e.clock(s, i.Clock, "the database's", "let both machines keep their time by NTP")
	s.well("backups", "cannot be seen from here: docs/operations.md has a rehearsal")
	return true
}

// cureOf tells the ways apart in which a database is not there.
func cureOf(err error) string {
	var state interface{ SQLState() string }
	var dns *net.DNSError
	if errors.As(err, &state) {
		switch state.SQLState() {
		case "28P01":
			return "the password in " + EnvDatabase + " is not the account's: correct it, or give the account another"
		case "28000":
			return "the server does not let this account in from here: check the account's name, and pg_hba.conf"
		case "3D000":
			return "create the database, or correct its name in " + EnvDatabase
		case "53300":
			return "all connections are taken: raise max_connections, or the account's limit"
		case "57P03":
			return "it is starting or stopping: wait, and look into its log"
		case "08P01":
			return "a pooler stands in between and refuses what a session needs: connect to PostgreSQL itself"
		case "42501":
			return "the account lacks a right: grant custody_app to it, and connect on the database"
		}
	}
	if errors.As(err, &dns) {
		return "the host's name in " + EnvDatabase + " is unknown here: correct it, or the resolver"
	}
	return "check " + EnvDatabase + ", that PostgreSQL is running, and that this machine reaches its port"
}

func (e *examination) durability(s *sheet, i store.Inspection) {
	good := true
	for _, w := range []struct{ name, bad, why string }{
		{"fsync", "off", "a power cut can lose or damage the record"},
		{"full_page_writes", "off", "a power cut can damage the record"},
		{"synchronous_commit", "off", "entries that were said to be committed can be lost"},
	} {
		if i.Settings[w.name] == w.bad {
			good = false
			s.problem("durability", w.name+" is off: "+w.why, "set "+w.name+" = on in postgresql.conf, or reset it for the account and the database, and reload")
		}
	}
	if good {
		s.well("durability", "")
	}
	if i.Settings["autovacuum"] == "off" {
		s.problem("autovacuum", "it is off: tables grow, and PostgreSQL stops when transaction ids run out", "set autovacuum = on in postgresql.conf and reload")
	}
	if i.Age > oldestXID {
		s.problem("autovacuum", "transaction ids run out soon", "run vacuum on this database, and find what holds it up: old transactions, replication slots, prepared transactions")
	}
	if i.Settings["default_transaction_read_only"] == "on" {
		s.problem("writing", "default_transaction_read_only is on: nothing can be recorded", "reset it for the account and the database")
	}
	if i.Settings["session_replication_role"] == "replica" {
		s.problem("append only", "session_replication_role is replica: the triggers that protect the record do not fire", "run `alter role "+i.Account+" reset session_replication_role`")
	}
}

func (e *examination) account(s *sheet, i store.Inspection) {
	const remedy = "run the process with an account of its own: create role custody_process login in role custody_app"
	switch {
	case !i.RoleExists:
		s.problem("account", "there is no role custody_app, so nothing in the database stops the process from changing the record",
			"let an account that may create roles run `custody migrate up` on the new database, or create the role and restore its rights (docs/operations.md)")
	case !i.Member:
		s.problem("account", "it is not a member of custody_app, so the process keeps all its own rights, or lacks those that it needs", "run `grant custody_app to "+i.Account+"`")
	case i.Superuser:
		s.note(e.grave(), "account", "it is a superuser; the process works as custody_app, but whoever gets its password may do everything", remedy)
	case i.Owner:
		s.note(e.grave(), "account", "it owns the tables; the process works as custody_app, but whoever gets its password may change the record", remedy)
	default:
		s.well("account", i.Account+", a member of custody_app")
	}
}

func connections(s *sheet, i store.Inspection) {
	most, what := i.Connections, "max_connections"
	if i.AccountLimit >= 0 && i.AccountLimit < most {
		most, what = i.AccountLimit, "the account's connection limit"
	}
	if i.DataLimit >= 0 && i.DataLimit < most {
		most, what = i.DataLimit, "the database's connection limit"
	}
	if most < store.MostConns {
		s.problem("connections", fmt.Sprintf("%s leaves %d, and a process takes up to %d", what, most, store.MostConns), "raise "+what+" to "+strconv.Itoa(store.MostConns)+" for each process, and some for people")
		return
	}
	if free := i.Connections - i.Taken; free < store.MostConns {
		s.hint("connections", fmt.Sprintf("%d of %d are free, and a process takes up to %d", max(free, 0), i.Connections, store.MostConns), "raise max_connections before you start another process")
		return
	}
	s.well("connections", fmt.Sprintf("%d of %d are taken; enough for %s", i.Taken, i.Connections, plural(most/store.MostConns, "process", "processes")))
}

// timeouts looks at limits that a role or a database sets for everybody. Those
// that a process sets itself are not here.
func timeouts(s *sheet, i store.Inspection) {
	good := true
	for _, name := range []string{"statement_timeout", "transaction_timeout"} {
		ms, _ := strconv.Atoi(i.Settings[name]) // absent in older servers: none
		if limit := time.Duration(ms) * time.Millisecond; ms > 0 {
			good = false
			level := Hint
			if limit < shortest {
				level = Problem
			}
			s.note(level, "timeouts", fmt.Sprintf("%s is %s: long exports and verifications are cut off", name, limit), "run `alter role "+i.Account+" set "+name+" = 0`")
		}
	}
	if ms, _ := strconv.Atoi(i.Settings["idle_session_timeout"]); ms > 0 {
		good = false
		s.hint("timeouts", "idle_session_timeout cuts off connections that wait for notifications", "run `alter role "+i.Account+" set idle_session_timeout = 0`")
	}
	if good {
		s.well("timeouts", "")
	}
}

func (e *examination) clock(s *sheet, off time.Duration, whose, remedy string) {
	// What is given is measured with the machine's clock; tests move ours.
	off -= time.Until(e.in.now())
	switch gone := off.Abs(); {
	case gone > clockProblem:
		s.problem("clock", fmt.Sprintf("%s clock differs from ours by %s", whose, off.Round(time.Second)), remedy)
	case gone > clockHint:
		s.hint("clock", fmt.Sprintf("%s clock differs from ours by %s", whose, off.Round(100*time.Millisecond)), remedy)
	default:
		s.well("clock", "")
	}
}

func (e *examination) schema(ctx context.Context, s *sheet) bool {
	state, err := bounded(ctx, func(ctx context.Context) (migrations.State, error) { return migrations.Status(ctx, e.cfg.DatabaseURL) })
	const remedy = "run `custody migrate up` with the account that owns the schema"
	switch {
	case err != nil:
		s.problem("schema", err.Error(), "let the account read Custody's tables: grant custody_app to it")
	case state.Newer:
		s.problem("schema", migrations.ErrNewer.Error()+fmt.Sprintf(": its schema is %d (River %d), this program knows %d (River %d)",
			state.Current, state.RiverCurrent, state.Target, state.RiverTarget), "start the newer release; there is no way back but a restore")
	case state.Current == 0:
		s.problem("schema", "this database was never migrated", remedy)
	case state.Current < state.Target:
		s.problem("schema", fmt.Sprintf("it is %d, this program needs %d", state.Current, state.Target), remedy)
	case state.Pending:
		s.problem("schema", fmt.Sprintf("River's is %d, this program needs %d", state.RiverCurrent, state.RiverTarget), remedy)
	default:
		s.well("schema", fmt.Sprintf("%d, River %d", state.Current, state.RiverCurrent))
		return true
	}
	return false
}

// record looks at what keeps the record append-only.
func record(s *sheet, c store.Condition) {
	good := true
	for _, table := range []string{"entry", "vote", "payload"} {
		if state := c.Guards[table]; state != "on" {
			good = false
			s.problem("append only", "the trigger that protects custody."+table+" is "+state,
				"find out who did that, run `custody audit verify --database-url …`, then: "+guardSQL(table, state))
		}
	}
	if len(c.Excess) > 0 {
		good = false
		s.problem("append only", "custody_app may change the record: "+strings.Join(c.Excess, ", "), "revoke it: "+revokeSQL(c.Excess))
	}
	if good {
		s.well("append only", "")
	}
	if len(c.Lacking) > 0 {
		s.problem("rights", fmt.Sprintf("custody_app lacks %s: %s", plural(len(c.Lacking), "right", "rights"), some(c.Lacking)),
			"restore the dump with its privileges after creating the role custody_app; rights on river's tables come with `custody migrate up`")
	} else {
		s.well("rights", "")
	}
	if len(c.Unvacuumed) > 0 {
		s.problem("autovacuum", "it is switched off for "+some(c.Unvacuumed), "run `alter table "+c.Unvacuumed[0]+" reset (autovacuum_enabled)`, and so on")
	}
}

func guardSQL(table, state string) string {
	if state != "missing" {
		return "alter table custody." + table + " enable trigger append_only"
	}
	events := "update or delete or truncate"
	if table == "payload" {
		events = "update or truncate"
	}
	return "create trigger append_only before " + events + " on custody." + table + " for each statement execute function custody.append_only()"
}

func revokeSQL(excess []string) string {
	out := make([]string, len(excess))
	for i, right := range excess {
		out[i] = "revoke " + right + " from custody_app"
	}
	return strings.Join(out, "; ")
}

func some(names []string) string {
	if len(names) > 4 {
		return strings.Join(names[:4], ", ") + " and " + strconv.Itoa(len(names)-4) + " more"
	}
	return strings.Join(names, ", ")
}

func (e *examination) ledger(s *sheet, c store.Condition) {
	s = s.of("ledger")
	defer s.back()
	if e.in.Unread != nil {
		return
	}
	switch want := cmp.Or(e.cfg.Origin, "localhost/dev"); {
	case c.Origin == "":
		s.well("origin", "it has none yet, and will be "+want)
	case c.Origin != want:
		s.problem("origin", fmt.Sprintf("the ledger is %q, and the configuration says %q", c.Origin, want), "write log: {origin: "+c.Origin+"} into the configuration file: the name is inside every hash and cannot change")
	case want == "localhost/dev" && e.cfg.Production:
		s.hint("origin", "the ledger has the default name, which says nothing about whose it is", "for a new installation set log.origin before the first `custody migrate up`; this one keeps its name")
	default:
		s.well("origin", c.Origin)
	}
}

func processes(s *sheet, c store.Condition) {
	s = s.of("processes")
	defer s.back()
	versions := map[string]int{}
	alive, silent := 0, 0
	for _, p := range c.Processes {
		if p.Silent > store.Gone {
			silent++
			continue
		}
		alive++
		versions[p.Version]++
	}
	s.well("alive", fmt.Sprintf("%d; %s silent", alive, plural(silent, "is", "are")))
	if len(versions) > 1 {
		var names []string
		for v, n := range versions {
			names = append(names, fmt.Sprintf("%s (%d)", cmp.Or(v, "unknown"), n))
		}
		slices.Sort(names)
		s.hint("versions", "they differ: "+strings.Join(names, ", "), "finish the upgrade: restart those of the older release")
	}
	if c.Stuck == 0 {
		s.well("runs", "none is stuck")
		return
	}
	detail := fmt.Sprintf("%s due and with nobody, the oldest for %s", plural(int(c.Stuck), "run is", "runs are"), c.OldestStuck.Round(time.Second))
	if alive == 0 {
		s.hint("runs", detail+": no process runs", "start one: `custody serve`")
		return
	}
	s.problem("runs", detail, "they need something that no process has: a model alias, a connection, a Go function or a key. Compare the configuration of all processes; their logs name the run")
}
