package engine

import (
	"strconv"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/workflow"
)

// revising is what is known while the model is asked again, with what the rules
// had against its last answer. That answer is not kept: if we crash before the
// next one is committed, the attempt ends as unknown, and another follows within
// the bound for such calls.
type revising struct {
	id  security.ID // of this call
	n   int         // from 1
	err error       // the refusal of the answer before
	use steps.Use   // of the call before, as far as no entry has said it
}

// part stands behind the key of a step in that of this call.
func (r *revising) part() string { return revisePart(r.n) }

func revisePart(n int) string { return "#revise-" + strconv.Itoa(n) }

// mayRevise reports whether the model is asked again: the rules say that it may
// mend what they refused, and the step's bound is not reached.
func (d *driver) mayRevise(c *call, r *guard.Refusal) bool {
	done := 0
	if c.revising != nil {
		done = c.revising.n
	}
	return r.Revise() && done < d.e.cfg.Pipeline.Revisions(c.checked) && d.run.CancelUS == 0
}

// revises asks the model again. The intent is committed before the request
// leaves, with what the call before it has cost.
func (d *driver) revises(m *move, c *call, r result, refusal *guard.Refusal) *move {
	next := &revising{id: security.NewID(), n: 1, err: r.err, use: r.use}
	if c.revising != nil {
		next.n = c.revising.n + 1
	}
	f := d.innerFact(m, next.part(), next.id, audit.CallIntent, "ok")
	f.Findings, f.Model, f.Status = refusal.Findings, r.use.Model, r.use.Status
	m.facts, m.cost = append(m.facts, f), r.use.Model
	m.next.Status, m.next.Judge, m.next.Tries, m.next.Payload = workflow.Running, next.id, next.n, security.ID{}
	again := *c // the call as it was stays what its result says
	again.revising, again.checked = next, c.checked.Revise(refusal.Findings)
	m.fresh, m.intent, m.call = true, true, &again
	return m
}

// endRevision writes how a call for another draft ended, and takes its cost out
// of the result: the entry that follows must not say it a second time.
func (d *driver) endRevision(m *move, c *call, r *result) (paid *audit.Model) {
	if c.revising == nil {
		return nil
	}
	f := d.innerFact(m, c.revising.part(), c.revising.id, audit.CallResult, "ok")
	f.Model, f.Status = r.use.Model, r.use.Status
	if _, refused := errorAs[*guard.Refusal](r.err); r.err != nil && !refused {
		f.Outcome, f.Code = "error", steps.CodeError
		if e, ok := errorAs[*steps.Error](r.err); ok {
			f.Code, f.Status, f.Model = e.Code, e.Status, e.Use.Model
			if e.Unknown {
				f.Outcome = "unknown"
			}
			said := *e
			said.Use = steps.Use{}
			r.err = &said
		}
	}
	r.use = steps.Use{}
	m.facts = append(m.facts, f)
	m.next.Judge, m.next.Tries = security.ID{}, 0
	return f.Model
}
