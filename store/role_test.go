package store

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// grants is what the process may do: nothing that rewrites the record. A new
// table or right changes this list first.
const grants = `
approval: insert select update(state, used_us)
control: insert select update(head, seq)
definition: insert select
entry: insert select
guard_mode: insert select
idempotency: delete insert select
key: insert select
log: insert select
mandate: insert select
payload: insert select
process: delete insert select update(at)
rate: delete insert select update
release: insert select update(cipher, kek, lifted_us, payload, text_key)
revocation: insert select update(before_us, lifted_us)
run: insert select update(at_us, cancel_us, closed_us, due_us, epoch, head, holder, nudged, reason, seq, state, steps, version)
subject: insert select
vote: insert select
workflow: insert select update(digest, version)
`

func TestTheProcessMayAddToTheRecordAndNeverChangeIt(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	if !b.Restricted() {
		t.Skip("the account that migrates may not make roles here")
	}
	rows, err := b.raw().Query(t.Context(), `select c.relname || ': ' || concat_ws(' ',
  (select string_agg(p, ' ' order by p) from unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p
   where has_table_privilege('custody_app', c.oid, p)),
  'update(' || (select string_agg(a.attname, ', ' order by a.attname) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0
   and not has_table_privilege('custody_app', c.oid, 'update') and has_column_privilege('custody_app', c.oid, a.attnum, 'update')) || ')')
from pg_class c where c.relnamespace = 'custody'::regnamespace and c.relkind = 'r' and c.relname not like '%version%' order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		got.WriteString("\n" + line)
	}
	if diff := cmp.Diff(grants, got.String()+"\n"); diff != "" || rows.Err() != nil {
		t.Errorf("%v (-want +got):\n%s", rows.Err(), diff)
	}
}

func TestTheRecordIsAppendOnlyForTheProcessAndForTheOwner(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	b.submit()
	attacks := []string{
		`update entry set body = ''`, `delete from entry`, `truncate entry`,
		`update vote set decision = 'approve'`, `delete from vote`, `truncate vote`,
		`update payload set cipher = ''`, `truncate payload`,
	}
	owner := b.raw()
	process, err := b.dial(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer process.Close(context.Background())
	for _, sql := range attacks {
		if _, err := owner.Exec(t.Context(), sql); !refused(err) || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("the owner, %s: %v", sql, err)
		}
		if _, err := process.Exec(t.Context(), sql); b.Restricted() && !refused(err) {
			t.Errorf("the process, %s: %v", sql, err)
		}
	}
	for _, sql := range []string{ // what else only the owner may do
		`delete from run`, `update run set caller = 'subj_eve'`, `update run set digest = 'd'`, `update mandate set body = ''`, `delete from mandate`,
		`delete from payload`, `update definition set source = ''`, `update subject set id = 'x'`, `update log set origin = 'x'`, `delete from control`,
		`alter table entry disable trigger append_only`, `drop table entry`, `set session_replication_role = replica`, `create table custody.mine (n int)`,
	} {
		if _, err := process.Exec(t.Context(), sql); b.Restricted() && !refused(err) {
			t.Errorf("the process, %s: %v", sql, err)
		}
	}
	if _, err := process.Exec(t.Context(), `select count(*) from entry`); err != nil { // its harmless twin
		t.Error(err)
	}
}
