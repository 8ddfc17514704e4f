package api

import (
	"context"
	"fmt"
	"sync"

	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// A Run is a run's state, as people see it. It carries no content.
type Run struct {
	ID                string         `json:"id" doc:"run_…, also the name of its stream in the ledger"`
	Workflow          WorkflowRef    `json:"workflow"`
	RetryOf           *string        `json:"retry_of" doc:"the failed run that this one goes on from"`
	State             string         `json:"state" enum:"queued,running,waiting,succeeded,failed,cancelled"`
	Reason            *Reason        `json:"reason,omitempty" doc:"why it ended without success"`
	Caller            Caller         `json:"caller"`
	WaitingFor        []Wait         `json:"waiting_for"`
	Steps             []Step         `json:"steps"`
	Cost              Cost           `json:"cost"`
	Version           int64          `json:"version" doc:"counts changes; the ETag"`
	CreatedAt         string         `json:"created_at" format:"date-time"`
	UpdatedAt         string         `json:"updated_at" format:"date-time"`
	CancelRequestedAt *string        `json:"cancel_requested_at" format:"date-time"`
	ClosedAt          *string        `json:"closed_at" format:"date-time"`
	Receipt           *store.Receipt `json:"receipt,omitempty" doc:"the entry that this request caused, else the stream's last one"`
}

// A WorkflowRef names one version of a workflow.
type WorkflowRef struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// A Reason says why a run ended without success: codes and names.
type Reason struct {
	Code    string         `json:"code" doc:"denied, blocked, withheld, error, timeout, revoked, …"`
	Step    string         `json:"step,omitempty"`
	Detail  string         `json:"detail,omitempty"`
	Receipt *store.Receipt `json:"receipt,omitempty" doc:"the entry that recorded it"`
}

// A Caller is in whose name a run acts.
type Caller struct {
	ID   string   `json:"id" doc:"subj_…"`
	Kind string   `json:"kind" enum:"human,agent,service"`
	Act  []string `json:"act" doc:"clients that act for the caller, nearest first"`
}

// A Wait is one thing that a run waits for.
type Wait struct {
	Kind  string  `json:"kind" enum:"approval,timer,event,reauth"`
	ID    string  `json:"id,omitempty" doc:"apr_…"`
	Step  string  `json:"step,omitempty"`
	Until *string `json:"until" format:"date-time"`
}

// A Step is where one step of a run stands.
type Step struct {
	ID      string  `json:"id"`
	Item    *string `json:"item" doc:"in a foreach"`
	State   string  `json:"state" enum:"pending,running,waiting,succeeded,skipped,failed,denied,blocked,withheld,unknown,cancelled"`
	Attempt int     `json:"attempt"`
}

// A Cost is what a run's model calls have cost so far.
type Cost struct {
	MicroUSD  int64 `json:"microusd" doc:"millionths of a US dollar"`
	TokensIn  int64 `json:"tokens_in"`
	TokensOut int64 `json:"tokens_out"`
}

// show is a run for people.
func (a *API) show(ctx context.Context, run store.Run) (Run, error) {
	all, err := a.showAll(ctx, []store.Run{run})
	if err != nil {
		return Run{}, err
	}
	return all[0], nil
}

// showAll reads what the rows do not hold with one statement for all of them.
func (a *API) showAll(ctx context.Context, runs []store.Run) ([]Run, error) {
	out := make([]Run, len(runs))
	if len(runs) == 0 {
		return out, nil
	}
	details, err := a.cfg.Store.RunDetails(ctx, runs)
	if err != nil {
		return nil, err
	}
	for i, run := range runs {
		d := details[run.ID]
		out[i] = shown(run, a.names.of(ctx, a, run))
		out[i].Caller = Caller{ID: run.Caller, Kind: string(d.Mandate.Kind), Act: list(d.Mandate.Act)}
		if out[i].Reason != nil && !d.Reason.IsZero() {
			out[i].Reason.Receipt = &store.Receipt{Stream: run.Name(), Seq: run.Reason.Seq, Hash: d.Reason}
		}
	}
	return out, nil
}

// rehearsed is a run that was not made.
func (a *API) rehearsed(ctx context.Context, c caller, run store.Run) Run {
	out := shown(run, a.names.of(ctx, a, run))
	out.Caller = Caller{ID: c.ID, Kind: string(c.Kind), Act: list(c.Act)}
	out.UpdatedAt = out.CreatedAt
	return out
}

// shown converts what the row holds.
func shown(run store.Run, names []string) Run {
	out := Run{
		ID: run.Name(), Workflow: WorkflowRef{run.Workflow, run.Digest}, State: string(run.State), Version: run.Version,
		WaitingFor: []Wait{}, Steps: make([]Step, len(run.Progress.Steps)),
		Cost:      Cost{run.Progress.Micros, run.Progress.TokensIn, run.Progress.TokensOut},
		CreatedAt: stamp(run.CreatedUS), UpdatedAt: stamp(run.AtUS), CancelRequestedAt: stampOf(run.CancelUS), ClosedAt: stampOf(run.ClosedUS),
	}
	if !run.RetryOf.IsZero() {
		of := run.RetryOf.Name("run")
		out.RetryOf = &of
	}
	if run.Seq > 0 {
		out.Receipt = &store.Receipt{Stream: run.Name(), Seq: run.Seq - 1, Hash: run.Head}
	}
	if run.Reason != nil {
		out.Reason = &Reason{Code: run.Reason.Code, Step: run.Reason.Step, Detail: run.Reason.Detail}
	}
	for i, s := range run.Progress.Steps {
		name := fmt.Sprintf("step-%d", i+1)
		if i < len(names) {
			name = names[i]
		}
		out.Steps[i] = Step{ID: name, State: s.Status.String(), Attempt: s.Attempt}
		if w, ok := waits(s, name); ok && !run.State.Closed() {
			out.WaitingFor = append(out.WaitingFor, w)
		}
	}
	return out
}

// waits says what a step waits for.
func waits(s store.Step, name string) (Wait, bool) {
	switch s.Status {
	case workflow.Waiting:
		return Wait{Kind: "approval", ID: s.Ask.Name("apr"), Step: name, Until: stampOf(s.DueUS)}, true
	case workflow.Backoff:
		return Wait{Kind: "timer", Step: name, Until: stampOf(s.DueUS)}, true
	}
	return Wait{}, false
}

// list makes an empty list of none: the API has no null lists.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// maxNames bounds the memory of a stepNames; what falls out is read again.
const maxNames = 1000

// stepNames remembers the ids of workflows' steps. A version never changes.
type stepNames struct {
	mu   sync.Mutex
	seen map[[3]string][]string
}

// of returns the ids of a run's steps, or nil if this process lacks a kind
// that the workflow needs.
func (n *stepNames) of(ctx context.Context, a *API, run store.Run) []string {
	key := [3]string{run.Tenant, run.Workflow, run.Digest}
	n.mu.Lock()
	names, ok := n.seen[key]
	n.mu.Unlock()
	if ok {
		return names
	}
	def, _, err := a.cfg.Engine.Definition(ctx, run.Tenant, run.Workflow, run.Digest)
	if err != nil {
		return nil
	}
	for _, s := range def.Steps {
		names = append(names, s.ID)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil || len(n.seen) >= maxNames {
		n.seen = map[[3]string][]string{}
	}
	n.seen[key] = names
	return names
}
