package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
)

// A line is what these tests read of an entry.
type line struct {
	Seq                                             int64
	Action, Outcome, Step, Call, Key, State, Reason string
	Attempt                                         int
	Count                                           int64
	Code                                            string
	Due                                             int64 `json:"due_us"`
	Approval                                        struct{ ID, Decision string }
	Model                                           *struct{}
	Decision                                        struct{ Missing []string }
}

// stream reads a run's entries.
func stream(pool *pgxpool.Pool, id security.ID) ([]line, error) {
	rows, err := pool.Query(context.Background(), `select seq, body from custody.entry where stream = $1 order by seq`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l line, err error) {
		var seq int64
		var body string
		if err = row.Scan(&seq, &body); err == nil {
			err = json.Unmarshal([]byte(body), &l)
		}
		l.Seq = seq
		return l, err
	})
}

// trail is a run's entries in short: action/step/outcome.
func trail(pool *pgxpool.Pool, id security.ID) string {
	all, err := stream(pool, id)
	if err != nil {
		return err.Error()
	}
	out := make([]string, len(all))
	for i, l := range all {
		out[i] = strings.Trim(l.Action+"/"+l.Step, "/")
		if l.Outcome != "ok" {
			out[i] += "=" + l.Outcome
		}
	}
	return strings.Join(out, " ")
}

// verify holds the whole record against the ledger's rules, and every run's
// stream against those of API.md section 6.2.
func verify(t testing.TB, url string, pool *pgxpool.Pool) {
	t.Helper()
	report, err := store.Verify(context.Background(), url)
	if err != nil || report.Verdict != audit.Intact {
		t.Errorf("the record is %s, %v: %+v", report.Verdict, err, report.Findings)
	}
	rows, err := pool.Query(context.Background(), `select id, closed_us is not null, state from custody.run`)
	must(t, err)
	type run struct {
		ID     security.ID
		Closed bool
		State  string
	}
	runs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[run])
	must(t, err)
	for _, r := range runs {
		all, err := stream(pool, r.ID)
		must(t, err)
		if err := lawful(all, r.Closed, r.State); err != nil {
			t.Errorf("run %s: %v: %s", r.ID.Name("run"), err, trail(pool, r.ID))
		}
	}
}

// A reading is what a stream has said so far.
type reading struct {
	open      map[string]string // step -> its call
	attempt   map[string]int
	ok        map[string]bool
	inner     map[string]string // call of the judge -> step
	asked     map[string]bool   // approval -> still open
	cancelled bool
	failed    bool
}

// lawful says what is wrong with a stream.
func lawful(all []line, closed bool, state string) error {
	r := reading{open: map[string]string{}, attempt: map[string]int{}, ok: map[string]bool{}, inner: map[string]string{}, asked: map[string]bool{}}
	for i, l := range all {
		if (i == 0) != (l.Action == "run.submitted") {
			return fmt.Errorf("entry %d is %s", i, l.Action)
		}
		if (l.Action == "run.closed") != (closed && i == len(all)-1) {
			return fmt.Errorf("entry %d of %d is %s in a run that is %s", i, len(all), l.Action, state)
		}
		if err := r.read(l); err != nil {
			return fmt.Errorf("entry %d, %s of %s: %w", i, l.Action, l.Step, err)
		}
	}
	if !closed {
		return nil
	}
	last := all[len(all)-1]
	for id, open := range r.asked {
		if open {
			return fmt.Errorf("approval %s has no end", id)
		}
	}
	if len(r.open) > 0 || len(r.inner) > 0 || last.State != state || last.Count != int64(len(all)) {
		return fmt.Errorf("at the close: open %v, inner %v, state %s, count %d", r.open, r.inner, last.State, last.Count)
	}
	return nil
}

func (r *reading) read(l line) error {
	switch l.Action {
	case "step.intent":
		return r.intent(l)
	case "step.result", "step.denied", "step.blocked", "step.withheld", "step.unknown":
		return r.end(l)
	case "step.skipped":
		if l.Outcome == "adopted" {
			r.ok[l.Step] = true
		}
	case "call.intent":
		if r.open[l.Step] == "" || r.cancelled {
			return fmt.Errorf("a call inside a step that is not open, or after a cancellation (%v)", r.cancelled)
		}
		r.inner[l.Call] = l.Step
	case "call.result":
		if r.inner[l.Call] != l.Step {
			return fmt.Errorf("it ends a call that is not open")
		}
		delete(r.inner, l.Call)
	case "approval.requested":
		r.asked[l.Approval.ID] = true
	case "approval.voted", "approval.closed":
		if !r.asked[l.Approval.ID] {
			return fmt.Errorf("it is of no open approval")
		}
		r.asked[l.Approval.ID] = l.Action == "approval.voted"
	case "run.cancel_requested":
		r.cancelled = true
	}
	return nil
}

func (r *reading) intent(l line) error {
	switch {
	case r.open[l.Step] != "":
		return fmt.Errorf("there is an open intent")
	case r.ok[l.Step]:
		return fmt.Errorf("after it was ok")
	case r.cancelled || r.failed:
		return fmt.Errorf("after cancellation or failure")
	case l.Attempt != r.attempt[l.Step]+1:
		return fmt.Errorf("attempt %d after %d", l.Attempt, r.attempt[l.Step])
	case l.Call == "" || l.Key == "":
		return fmt.Errorf("without the names of its call")
	}
	r.open[l.Step], r.attempt[l.Step] = l.Call, l.Attempt
	return nil
}

func (r *reading) end(l line) error {
	if l.Call != r.open[l.Step] {
		return fmt.Errorf("it ends call %q, open is %q", l.Call, r.open[l.Step])
	}
	for call, step := range r.inner {
		if step == l.Step {
			return fmt.Errorf("its inner call %s is still open", call)
		}
	}
	delete(r.open, l.Step)
	if l.Action != "step.result" || l.Outcome != "ok" {
		r.failed = r.failed || l.Due == 0
		return nil
	}
	if r.ok[l.Step] {
		return fmt.Errorf("a second ok")
	}
	r.ok[l.Step] = true
	return nil
}
