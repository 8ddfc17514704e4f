package steps

import (
	"context"
	"strings"
	"time"
)

// leeway is how far this machine's clock and the database's may differ.
const leeway = time.Minute

// Execute does the step, once, within its time. The intent entry that names
// id.Call must be committed before. An error is an *Error, whatever the runner
// did: returned, panicked or never came back.
func (p *Pipeline) Execute(ctx context.Context, c Checked, id CallID) (Draft, error) {
	if e := p.mayLeave(c, id, c.part(id)); e != nil {
		return Draft{}, e
	}
	step := c.step()
	runner, ok := p.runners[step.Uses]
	if !ok {
		return Draft{}, &Error{Code: CodeInvalid, Detail: "this process has no step kind " + step.Uses}
	}
	call := Call{Step: step, Workflow: c.admitted.def.Name, Input: c.input(), ID: id, Feedback: c.feedback, Canary: p.canary(c, id)}
	if step.Uses == setName {
		return runner.Run(ctx, call)
	}
	limit := step.Timeout
	if limit == 0 {
		limit = p.config.Timeout
	}
	draft, err := within(ctx, limit, p.config.Grace, step.Kind.Effect, func(ctx context.Context) (Draft, error) {
		return runner.Run(ctx, call)
	})
	if err != nil {
		return Draft{}, err
	}
	if !draft.ok {
		return Draft{}, &Error{Code: CodeError, Detail: "the step kind returned neither a draft nor an error", Unknown: step.Kind.Effect}
	}
	draft.canary = call.Canary
	return draft, nil
}

// mayLeave refuses a call that was not checked, or that carries the names of
// another one: what the ledger says and what leaves must be the same.
func (p *Pipeline) mayLeave(c Checked, id CallID, part string) *Error {
	switch {
	case !c.Ready():
		return &Error{Code: CodeInvalid, Detail: "the step was not checked"}
	case id.Run == "" || id.Run != c.admitted.run:
		return &Error{Code: CodeInvalid, Detail: "the call is of another run than the one admitted"}
	case !ofStep(id.Key, id.Run, c.step().ID, part), id.Call == "":
		return &Error{Code: CodeInvalid, Detail: "the call does not carry the names of its step"}
	case p.config.Now().Add(-leeway).Unix() >= c.admitted.expires:
		return &Error{Code: CodeInvalid, Detail: "the mandate expired after the step was admitted"}
	}
	return nil
}

// ofStep reports whether the key is <run>/<step>, with an item of a foreach and
// the part of an inner call behind it.
func ofStep(key, run, step, part string) bool {
	rest, ok := strings.CutPrefix(key, run+"/"+step)
	if !ok {
		return false
	}
	rest, ok = strings.CutSuffix(rest, part)
	return ok && (rest == "" || rest[0] == '/') && !strings.Contains(rest, "#")
}

// within runs work for at most limit, and waits for it a little longer. A work
// that does not come back by then is left behind with its goroutine: a caller
// that hangs with it would hold the run, and its request has left anyway.
func within[T any](ctx context.Context, limit, grace time.Duration, effect bool, work func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		finished := false
		defer func() {
			// Also reached by runtime.Goexit, where recover returns nil.
			if p := recover(); p != nil || !finished {
				r = result{err: panicked(effect)}
			}
			done <- r
		}()
		r.value, r.err = work(ctx)
		finished = true
	}()
	select {
	case r := <-done:
		return settle(ctx, r.value, r.err, effect)
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case r := <-done:
		return settle(ctx, r.value, r.err, effect)
	case <-late.C:
		var none T
		return none, over(ctx)
	}
}

func settle[T any](ctx context.Context, value T, err error, effect bool) (T, error) {
	if err != nil {
		var none T
		return none, failed(ctx, err, effect)
	}
	return value, nil
}
