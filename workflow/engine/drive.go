package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// slowBatch is how long a commit may take before its intents are admitted
// again: the caller may have been revoked meanwhile.
const slowBatch = time.Second

// readPause is the time between two tries to read.
const readPause = 100 * time.Millisecond

// A driver moves one run in one epoch. Its fields belong to the goroutine of
// drive; calls under way only send to results.
type driver struct {
	e       *Engine
	id      security.ID
	epoch   int32
	run     store.Run // as last committed
	def     *workflow.Definition
	mandate security.Mandate
	digest  string   // of the signed mandate
	rights  []string // revocation keys: whoever takes part, the run, the keys that signed its mandate and votes
	named   []string // rights, as a change names them
	key     vault.RunKey
	values  workflow.Values
	refused map[int][]guard.Offending // by step: put aside by plan until forgive has asked
	mercies map[int]mercy             // by step: what people have said about its input
	doubts  map[int][]security.Reason // by step: against all that build on it; everywhere: against every step
	ended   *finish                   // what the run leaves behind, once all steps have passed
	revoked bool
	judged  int  // questions to the judge that this driver knows of
	more    bool // the row, as last committed, has steps that may begin

	under   context.Context // of the drive: calls begin under it
	calls   map[int]*call   // under way in this process, by step
	results chan result
	nudged  chan struct{}
	term    int           // of the lease, when the last commit was begun
	took    time.Duration // of the last batch, since revocations were read in it
	skew    time.Duration // the database's clock minus ours
}

// everywhere is the place of doubts that concern every step.
const everywhere = -1

// drive takes a run as far as it goes now. It returns nil when the run was
// parked, closed or handed on, or when there was nothing to do for this epoch.
func (e *Engine) drive(ctx context.Context, id security.ID, epoch int32) (err error) {
	d := &driver{
		e: e, id: id, epoch: epoch, doubts: map[int][]security.Reason{}, calls: map[int]*call{},
		nudged: make(chan struct{}, 1), term: -1, refused: map[int][]guard.Offending{}, mercies: map[int]mercy{},
	}
	e.mu.Lock()
	e.drivers[id] = d
	e.mu.Unlock()
	defer func() {
		// A driver that panics leaves its run held. Self-recovery finds that this
		// process has no driver for it, so it must be gone from the list whatever
		// happens.
		if r := recover(); r != nil {
			err = fmt.Errorf("driver panicked%s\n%s", spoken(r), debug.Stack())
		}
		d.abandon()
		e.mu.Lock()
		if e.drivers[id] == d {
			delete(e.drivers, id)
		}
		e.mu.Unlock()
	}()
	if err := d.load(ctx); err != nil {
		return err
	}
	w := d.work(WorkDrive)
	d.under = e.cfg.Tracer.Begin(ctx, w)
	defer func() { e.cfg.Tracer.End(d.under, w, d.driven(err)) }()
	return d.loop(d.under)
}

// spoken is what a panic says if it is the runtime's own: any other may repeat
// content.
func spoken(panicked any) string {
	if e, ok := panicked.(runtime.Error); ok {
		return ": " + e.Error()
	}
	return ""
}

// nudge tells the driver to look at the row.
func (d *driver) nudge() {
	select {
	case d.nudged <- struct{}{}:
	default:
	}
}

// abandon ends the calls under way: their outcomes have nobody to commit them.
func (d *driver) abandon() {
	for _, c := range d.calls {
		if c.cancel != nil { // else it never left
			c.cancel()
		}
	}
}

// loop commits what is ready, waits for what is under way, and ends when the
// row says that somebody or something else must act first.
func (d *driver) loop(ctx context.Context) error {
	var moves []*move
	for {
		var err error
		if moves, err = d.orphans(ctx, moves); err != nil {
			return err
		}
		moves = d.plan(moves)
		if err := d.commit(ctx, moves); err != nil {
			return err
		}
		if d.run.Holder != d.e.db.Process() { // parked, closed or handed on, in that commit
			return nil
		}
		if err := d.insist(ctx, d.learn); err != nil {
			return err
		}
		if err := d.launch(ctx, moves); err != nil {
			return err
		}
		if d.run.CancelUS != 0 {
			d.abandon() // each call still ends with an outcome of its own
		}
		if moves, err = d.next(ctx); err != nil {
			return err
		}
	}
}

// next is what to commit next: what somebody else made possible (a vote, the
// clock) beside the calls under way, else what follows from the first of them
// to end. Without either it is nothing, and the commit decides.
func (d *driver) next(ctx context.Context) ([]*move, error) {
	if d.more {
		if err := d.insist(ctx, d.forgive); err != nil {
			return nil, err
		}
		if moves := d.plan(nil); len(moves) > 0 {
			return moves, nil
		}
	}
	if len(d.calls) == 0 || len(d.refused) > 0 || d.resumed() {
		return nil, nil
	}
	return d.wait(ctx)
}

// resumed reports whether the row, as last committed, has an open step that
// nobody here has under way: one whose draft people have looked at meanwhile.
func (d *driver) resumed() bool {
	for i := range d.run.Progress.Steps {
		if d.run.Progress.Steps[i].Open() && d.calls[i] == nil {
			return true
		}
	}
	return false
}

// insist repeats a read until the database answers. Calls may be under way
// whose answers are paid: a driver that gave up would lose them.
func (d *driver) insist(ctx context.Context, read func(context.Context) error) error {
	for {
		err := read(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.e.cfg.Log.WarnContext(ctx, "what a run needs cannot be read; trying again", slog.String("run", d.id.Name("run")), slog.Any("error", err))
		d.e.pause(readPause)
	}
}

// wait returns the moves that follow from the calls that have ended. A nudge
// is answered with a commit of no moves, which reads the row and clears it.
func (d *driver) wait(ctx context.Context) ([]*move, error) {
	var moves []*move
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-d.nudged:
	case r := <-d.results:
		moves = append(moves, d.end(r)...)
	}
	for {
		select {
		case r := <-d.results:
			moves = append(moves, d.end(r)...)
		default:
			return moves, nil
		}
	}
}

// now is the database's clock, as far as we know it.
func (d *driver) now() time.Time { return time.Now().Add(d.skew) }

// commit writes the moves and decides, on the locked row, whether the run is
// parked, closed or still ours.
func (d *driver) commit(ctx context.Context, moves []*move) error {
	term := d.e.lease.current()
	ch := store.Change{Run: d.id}
	for _, m := range moves {
		ch.Bytes += weight(m.sealed)
		if m.fresh && ch.Revoked == nil {
			ch.Revoked = d.named
		}
	}
	var after store.Run
	var nowUS int64
	var more bool
	var seen time.Time // just after the batch has read revocations and the clock; waiting for it does not count
	ch.Apply = func(l *store.Locked) (err error) {
		seen = time.Now()
		if more, err = d.apply(l, moves); err != nil {
			return err
		}
		after, nowUS = l.Clone(), l.NowUS
		return nil
	}
	if err := d.write(ctx, ch); err != nil {
		return err
	}
	d.run, d.more, d.term, d.took = after, more, term, time.Since(seen)
	d.skew = time.UnixMicro(nowUS).Sub(seen)
	for _, m := range moves {
		d.settled(m)
	}
	return nil
}

// write waits until the change is written. A process that was stopped inside a
// batch may hold the run's lock; what this one wants to write waits, it is not
// given up.
func (d *driver) write(ctx context.Context, ch store.Change) error {
	w := d.work(WorkCommit)
	ctx = d.e.cfg.Tracer.Begin(ctx, w)
	err := d.e.db.Write(ctx, ch)
	for errors.Is(err, store.ErrBusy) {
		err = d.e.db.Write(ctx, ch)
	}
	o := Outcome{Outcome: "ok"}
	if err != nil {
		o = Outcome{Outcome: "error", Code: codeOf(err)}
	}
	d.e.cfg.Tracer.End(ctx, w, o)
	return err
}

// settled brings memory in line with what became of a move.
func (d *driver) settled(m *move) {
	if !m.dropped {
		return
	}
	d.revoked = d.revoked || m.revoked
	switch {
	case m.learnt:
		delete(d.values.Steps, d.def.Steps[m.step].ID)
	case m.revoked:
	case m.call != nil && (m.call.judging != nil || m.call.revising != nil) && d.run.Progress.Steps[m.step].Judge.IsZero():
		// The run was cancelled before the judge, or the model once more, could be
		// asked: the draft is withheld, with what it has cost.
		d.calls[m.step] = m.call
		d.results <- result{call: m.call, again: true, err: context.Canceled}
	}
}

// apply runs on the locked row, without I/O and perhaps more than once. It
// reports whether steps are left that may begin.
func (d *driver) apply(l *store.Locked, moves []*move) (more bool, err error) {
	me := d.e.db.Process()
	if l.Epoch != d.epoch || !l.Holder.IsZero() && l.Holder != me || l.State.Closed() {
		return false, ErrFenced
	}
	state := l.Progress.State(l.CancelUS != 0)
	for _, m := range moves {
		if err := m.apply(d, l, &state); err != nil {
			return false, err
		}
	}
	return d.settle(l, state), nil
}

// settle decides what the row says when this commit is over.
func (d *driver) settle(l *store.Locked, state workflow.State) (more bool) {
	plan := workflow.Next(d.def, state)
	running := slices.ContainsFunc(state.Steps, func(s workflow.StepState) bool { return s.Status == workflow.Running })
	l.Nudged = false // whatever it was about, this commit has seen it
	l.Holder = d.e.db.Process()
	l.State = store.Running
	l.Touch()
	switch {
	case plan.Close == workflow.OutcomeSucceeded && d.ended == nil: // a vote was faster: compute the output first
	case plan.Close != "":
		end := finish{}
		if d.ended != nil {
			end = *d.ended
		}
		closeRun(l, plan.Close, d.def, end, d.fact())
	case running:
	case len(plan.Ready) == 0: // only people or the clock can go on
		l.Holder, l.State = security.ID{}, store.Waiting
	case d.e.draining.Load():
		l.Holder, l.State = security.ID{}, store.Queued
		l.Epoch++
		l.Job()
	}
	setDue(l)
	return len(plan.Ready) > 0
}

// setDue is when a process must look at the run again.
func setDue(l *store.Locked) {
	l.DueUS = 0
	if l.State.Closed() {
		return
	}
	for i := range l.Progress.Steps {
		s := &l.Progress.Steps[i]
		if s.DueUS != 0 && (s.Status == workflow.Waiting || s.Status == workflow.Backoff) && (l.DueUS == 0 || s.DueUS < l.DueUS) {
			l.DueUS = s.DueUS
		}
	}
}

// closeRun ends the run for ever. Approvals and back-offs that still wait are
// withdrawn; steps that never began are shown as cancelled.
func closeRun(l *store.Locked, outcome workflow.Outcome, def *workflow.Definition, end finish, f audit.Fact) {
	state := store.RunState(outcome)
	if state == store.Succeeded && end.reason != nil {
		state, l.Reason = store.Failed, end.reason
	}
	f.Action, f.Outcome, f.State = audit.RunClosed, "ok", string(state)
	withdrawAll(l, def, f)
	switch {
	case state == store.Succeeded:
		l.Seal(end.sealed...)
		for _, p := range end.sealed {
			f.Payloads = append(f.Payloads, refer(p))
		}
		l.Reason = nil
	case l.Reason == nil && state == store.Failed:
		l.Reason = &store.Reason{Code: "error", Seq: l.Seq}
	case l.Reason != nil && l.Reason.Seq == 0: // it is about no step: this entry records it
		r := *l.Reason
		r.Seq = l.Seq
		l.Reason = &r
	}
	if l.Reason != nil {
		f.Reason, f.Outcome = l.Reason.Code, "error"
	}
	l.State, l.Holder, l.Nudged, l.DueUS = state, security.ID{}, false, 0
	l.Append(f)
	l.ClosedUS = l.AtUS
}

// withdrawAll ends what waits, and what never began.
func withdrawAll(l *store.Locked, def *workflow.Definition, f audit.Fact) {
	for i := range l.Progress.Steps {
		s := &l.Progress.Steps[i]
		switch s.Status {
		case workflow.Waiting:
			withdraw(l, def.Steps[i].ID, s, f)
			if !s.Payload.IsZero() {
				withholdDraft(l, def.Steps[i].ID, s, f)
				continue
			}
			fallthrough
		case workflow.Pending, workflow.Backoff:
			s.Status, s.DueUS = workflow.Cancelled, 0
		}
	}
}

// fact is what all entries of this driver have in common.
func (d *driver) fact() audit.Fact {
	return audit.Fact{Actor: d.mandate.ID, ActorKind: string(d.mandate.Kind), Act: d.mandate.Act, Build: d.e.cfg.Build}
}

// stepFact is what all entries about one attempt have in common.
func (d *driver) stepFact(step, attempt int, action audit.Action, outcome string) audit.Fact {
	f := d.fact()
	f.Action, f.Outcome, f.Step, f.Attempt = action, outcome, d.def.Steps[step].ID, attempt
	f.Key = d.keyOf(step)
	return f
}

// keyOf names the piece of work, the same in every attempt.
func (d *driver) keyOf(step int) string { return d.id.Name("run") + "/" + d.def.Steps[step].ID }

// launch starts the calls whose intents were committed. A request leaves only
// while the lease holds under which its commit was begun; otherwise the driver
// first passes the fence again. After a commit that took long the caller is
// asked about once more, and then the lease again.
func (d *driver) launch(ctx context.Context, moves []*move) error {
	var ready []*move
	for _, m := range moves {
		if m.call != nil && !m.dropped {
			d.calls[m.step] = m.call
			ready = append(ready, m)
		}
	}
	if len(ready) == 0 {
		return nil
	}
	slow := d.took > slowBatch
	for stale := !d.e.lease.holds(d.term); slow || stale; stale = !d.e.lease.holds(d.term) {
		if stale {
			slow = true
			if err := d.pass(ctx); err != nil {
				return err
			}
			continue
		}
		slow = false
		if err := d.insist(ctx, d.askAgain); err != nil {
			return err
		}
	}
	for _, m := range ready {
		d.send(m)
	}
	return nil
}

// pass waits for a heartbeat that holds and passes the fence under it.
func (d *driver) pass(ctx context.Context) error {
	if err := d.e.awaitLease(ctx); err != nil {
		return err
	}
	return d.commit(ctx, nil)
}

// askAgain reads whether the caller was revoked meanwhile.
func (d *driver) askAgain(ctx context.Context) error {
	revoked, err := d.e.db.Revoked(ctx, d.run.Tenant, d.rights, d.mandate.Began())
	d.revoked = d.revoked || len(revoked) > 0
	return err
}

// send makes a call, unless the caller or the run may no longer.
func (d *driver) send(m *move) {
	if d.run.CancelUS != 0 {
		d.results <- result{call: m.call, err: &steps.Error{Code: steps.CodeCancelled, Detail: "the run was cancelled before the call was made"}}
		return
	}
	if d.revoked {
		_, decision := d.admit(m.step)
		d.results <- result{call: m.call, refused: true, denied: decision}
		return
	}
	m.call.start(d)
}

// awaitLease waits for a heartbeat that holds.
func (e *Engine) awaitLease(ctx context.Context) error {
	for !e.lease.fresh() {
		e.pause(20 * time.Millisecond)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// errUnreadable is the doubt about a payload or a key.
var errUnreadable = errors.New("stored content is not what was sealed")
