package stepstest

import (
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/workflow"
)

// A Rig is one run of one definition in a real pipeline, without an engine
// around it. Its caller has every role that the definition asks for.
type Rig struct {
	Pipeline   *steps.Pipeline
	Definition *workflow.Definition
	Mandate    security.Mandate
}

// NewRig parses the definition and makes a pipeline with a real guard. What is
// wrong ends the test.
func NewRig(t testing.TB, source string, kinds workflow.Kinds, runners map[string]steps.Runner, judge steps.Judge) *Rig {
	t.Helper()
	d, err := workflow.Parse([]byte(source), kinds)
	if err != nil {
		t.Fatalf("the definition: %v", err)
	}
	g, err := guard.New(guard.Config{})
	if err != nil {
		t.Fatalf("the guard: %v", err)
	}
	p, err := steps.New(steps.Config{Guard: g, Runners: runners, Judge: judge, Grace: 2 * time.Second})
	if err != nil {
		t.Fatalf("the pipeline: %v", err)
	}
	now := time.Now()
	m := security.NewMandate(security.Principal{
		Tenant: "main", ID: "subj_test", Kind: security.Human, ACR: "mfa", Roles: rolesOf(d),
	}, security.NewID(), d.Digest(), "", now, now.Add(time.Hour))
	return &Rig{Pipeline: p, Definition: d, Mandate: m}
}

func rolesOf(d *workflow.Definition) []string {
	all := d.Requires
	for _, s := range d.Steps {
		all = all.And(s.Requires)
	}
	return all.Roles
}

// Input makes the values of a run that has just begun.
func (r *Rig) Input(v any) workflow.Values {
	return workflow.Values{Input: workflow.Value{V: v, Label: r.Definition.InputLabel(), Path: "/input"}}
}

// TryCheck admits, binds and checks a step; the error is the guard's.
func (r *Rig) TryCheck(t testing.TB, step int, v workflow.Values) (steps.Checked, []security.Finding, error) {
	t.Helper()
	a, decision := r.Pipeline.Admit(r.Mandate, r.Definition, step, steps.Facts{Now: time.Now()})
	if !decision.Allowed() {
		t.Fatalf("not admitted: %s", decision)
	}
	bound, err := r.Definition.Bind(step, v)
	if err != nil {
		t.Fatalf("bind: %v", err)
	}
	return r.Pipeline.Check(a, bound, guard.Pardon{})
}

// Check is TryCheck for a step that must pass.
func (r *Rig) Check(t testing.TB, step int, v workflow.Values) steps.Checked {
	t.Helper()
	c, _, err := r.TryCheck(t, step, v)
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	return c
}

// ID names a new call of the step; part is "" or an inner call's, such as
// "#judge".
func (r *Rig) ID(step int, part string) steps.CallID {
	return steps.CallID{
		Run: r.Mandate.Run, Key: r.Mandate.Run + "/" + r.Definition.Steps[step].ID + part,
		Call: security.NewID().Name("call"), Attempt: 1,
	}
}
