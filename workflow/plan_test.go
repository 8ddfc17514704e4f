package workflow_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/workflow"
)

// diamond is a, then b and c, then d, with e beside them from the start.
const diamond = head + `steps:
  - {id: a, uses: set}
  - {id: b, uses: set, needs: [a]}
  - {id: c, uses: set, needs: [a]}
  - {id: d, uses: set, needs: [b, c]}
  - {id: e, uses: set, needs: []}
`

// state reads one letter for each step.
func state(letters string, cancel bool) workflow.State {
	status := map[rune]workflow.Status{
		'.': workflow.Pending, 'r': workflow.Running, 'w': workflow.Waiting, 'b': workflow.Backoff,
		's': workflow.Succeeded, '-': workflow.Skipped, 'f': workflow.Failed, 'd': workflow.Denied,
		'x': workflow.Blocked, 'h': workflow.Withheld, '?': workflow.Unknown, 'c': workflow.Cancelled, '!': workflow.Status(200),
	}
	s := workflow.State{Cancel: cancel}
	for _, l := range letters {
		s.Steps = append(s.Steps, workflow.StepState{Status: status[l]})
	}
	return s
}

func TestNext(t *testing.T) {
	t.Parallel()
	d := parse(t, diamond)
	for _, c := range []struct {
		name, state string
		cancel      bool
		want        workflow.Plan
	}{
		{"what needs nothing starts", ".....", false, workflow.Plan{Ready: []int{0, 4}}},
		{"branches start together", "s...s", false, workflow.Plan{Ready: []int{1, 2}}},
		{"a running step holds only those that need it", "s.r.r", false, workflow.Plan{Ready: []int{1}}},
		{"a step waits for all it needs", "ssr.s", false, workflow.Plan{}},
		{"a skipped step passes", "s-s.s", false, workflow.Plan{Ready: []int{3}}},
		{"a person is waited for", "sws.s", false, workflow.Plan{Waiting: true}},
		{"a timer is waited for", "sbs.s", false, workflow.Plan{Waiting: true}},
		{"waiting holds nobody else up", "sw..s", false, workflow.Plan{Ready: []int{2}}},
		{"waiting while another runs is not parking", "swr.s", false, workflow.Plan{}},
		{"all done", "ss-ss", false, workflow.Plan{Close: workflow.OutcomeSucceeded}},
		{"all skipped", "-----", false, workflow.Plan{Close: workflow.OutcomeSucceeded}},
		{"after a failure nothing new starts", "f...r", false, workflow.Plan{}},
		{"after a failure running branches finish first", "sfr.s", false, workflow.Plan{}},
		{"then the run fails", "sfs.s", false, workflow.Plan{Close: workflow.OutcomeFailed}},
		{"a failure does not wait for a person", "sfw.s", false, workflow.Plan{Close: workflow.OutcomeFailed}},
		{"a failure does not wait for a retry", "sfb.s", false, workflow.Plan{Close: workflow.OutcomeFailed}},
		{"a denial stops", "d...s", false, workflow.Plan{Close: workflow.OutcomeFailed}},
		{"a block stops", "x...s", false, workflow.Plan{Close: workflow.OutcomeFailed}},
		{"a withheld output stops", "h...s", false, workflow.Plan{Close: workflow.OutcomeFailed}},
		{"an unknown outcome stops", "?...s", false, workflow.Plan{Close: workflow.OutcomeFailed}},
		{"a status that nobody knows stops", "!...s", false, workflow.Plan{Close: workflow.OutcomeFailed}},
		{"a cancelled step stops", "c...s", false, workflow.Plan{Close: workflow.OutcomeFailed}},
		{"cancelling starts nothing", "s....", true, workflow.Plan{Close: workflow.OutcomeCancelled}},
		{"cancelling lets running steps end", "s.r..", true, workflow.Plan{}},
		{"cancelling ends a wait", "sws.s", true, workflow.Plan{Close: workflow.OutcomeCancelled}},
		{"a cancelled run that failed as well is cancelled", "sfc.s", true, workflow.Plan{Close: workflow.OutcomeCancelled}},
		{"a state of another definition fails", "ss", false, workflow.Plan{Close: workflow.OutcomeFailed}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, workflow.Next(d, state(c.state, c.cancel))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.state, diff)
			}
		})
	}
}

// Whatever happens to the steps, a run ends: no state is without a step to
// start, one that runs, one that waits, or an end.
func TestNoStateIsStuck(t *testing.T) {
	t.Parallel()
	d := parse(t, diamond)
	letters := []rune(".rwbs-fc")
	for n := range 8 * 8 * 8 * 8 * 8 {
		var b strings.Builder
		for i := n; b.Len() < 5; i /= 8 {
			b.WriteRune(letters[i%8])
		}
		for _, cancel := range []bool{false, true} {
			s := state(b.String(), cancel)
			p := workflow.Next(d, s)
			running := strings.ContainsRune(b.String(), 'r')
			if p.Close == "" && len(p.Ready) == 0 && !p.Waiting && !running {
				// A pending step below a pending step that can start does not
				// count, and no reachable state has one below nothing.
				t.Fatalf("%s cancel=%v: %+v", b.String(), cancel, p)
			}
			if p.Close != "" && (running || len(p.Ready) > 0 || p.Waiting) {
				t.Fatalf("%s cancel=%v closes too early: %+v", b.String(), cancel, p)
			}
		}
	}
}

func TestStatusesReadAsInTheAPI(t *testing.T) {
	t.Parallel()
	for s, want := range map[workflow.Status]string{
		workflow.Pending: "pending", workflow.Backoff: "waiting", workflow.Waiting: "waiting",
		workflow.Cancelled: "cancelled", workflow.Status(77): "unknown",
	} {
		if s.String() != want {
			t.Errorf("%d is %q, want %q", s, s, want)
		}
	}
}

func TestRetryWaits(t *testing.T) {
	t.Parallel()
	r := workflow.Retry{Attempts: 20, Backoff: 2e9}
	for attempt, want := range map[int]string{0: "2s", 1: "2s", 2: "4s", 3: "8s", 8: "4m16s", 9: "5m0s", 1000: "5m0s"} {
		if got := r.Wait(attempt).String(); got != want {
			t.Errorf("after attempt %d: %s, want %s", attempt, got, want)
		}
	}
	if got := (workflow.Retry{}).Wait(1).String(); got != "1s" {
		t.Errorf("undeclared: %s", got)
	}
}

func BenchmarkNext(b *testing.B) {
	d := parse(b, diamond)
	s := state("s...s", false)
	b.ReportAllocs()
	for b.Loop() {
		workflow.Next(d, s)
	}
}
