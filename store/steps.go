package store

import (
	"encoding/binary"
	"fmt"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/workflow"
)

// Progress is where all steps of a run stand, and what it has cost so far. It
// lies in the run's row, so that a change sees and changes it under one lock.
type Progress struct {
	Micros    int64 // cost in millionths of a dollar
	TokensIn  int64
	TokensOut int64
	Judged    int // questions put to the judge
	Steps     []Step
}

// A Step is where one step stands.
type Step struct {
	Status  workflow.Status
	Attempt int
	Tries   int         // calls of the judge in this attempt; as long as Judge is the call for another draft: which one it is
	DueUS   int64       // Backoff: when it is tried again; Waiting: when it expires
	Call    security.ID // the open call, else the last one
	Judge   security.ID // the open inner call: of the judge if Payload is a draft, else for another draft
	Payload security.ID // its output, or the draft while it is judged
	From    security.ID // the run whose key seals Payload, if it is not this one
	Ask     security.ID // the approval or the review it waits for, or waited for
}

// Open reports whether the step has an intent without an outcome.
func (s *Step) Open() bool { return s.Status == workflow.Running }

// A run that has asked no judge is written as version 1, which processes of
// earlier releases read.
const (
	progressVersion = 1
	progressJudged  = 2 // with how often the judge was asked
)

// The flags say which of a step's ids follow, so that a pending step is two bytes.
const (
	hasCall = 1 << iota
	hasPayload
	hasFrom
	hasAsk
	hasJudge
	hasDue
	hasTries
)

var errProgress = fmt.Errorf("%w: the steps", errUnreadable)

// encode writes the progress in our own form: a step is a status, flags, an
// attempt, and the ids and numbers that the flags name.
func (p *Progress) encode(b []byte) []byte {
	if p.Judged == 0 {
		b = append(b, progressVersion)
	} else {
		b = binary.AppendUvarint(append(b, progressJudged), uint64(p.Judged))
	}
	b = binary.AppendUvarint(b, uint64(p.Micros))
	b = binary.AppendUvarint(b, uint64(p.TokensIn))
	b = binary.AppendUvarint(b, uint64(p.TokensOut))
	b = binary.AppendUvarint(b, uint64(len(p.Steps)))
	for i := range p.Steps {
		b = p.Steps[i].encode(b)
	}
	return b
}

func (s *Step) encode(b []byte) []byte {
	flags := flag(!s.Call.IsZero(), hasCall) | flag(!s.Payload.IsZero(), hasPayload) | flag(!s.From.IsZero(), hasFrom) |
		flag(!s.Ask.IsZero(), hasAsk) | flag(!s.Judge.IsZero(), hasJudge) | flag(s.DueUS != 0, hasDue) | flag(s.Tries != 0, hasTries)
	b = append(b, byte(s.Status), flags)
	b = binary.AppendUvarint(b, uint64(s.Attempt))
	b = appendID(appendID(appendID(appendID(appendID(b, &s.Call), &s.Payload), &s.From), &s.Ask), &s.Judge)
	if s.DueUS != 0 {
		b = binary.AppendUvarint(b, uint64(s.DueUS))
	}
	if s.Tries != 0 {
		b = binary.AppendUvarint(b, uint64(s.Tries))
	}
	return b
}

func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}

func appendID(b []byte, id *security.ID) []byte {
	if id.IsZero() {
		return b
	}
	return append(b, id[:]...)
}

// A reader takes bytes from the front and remembers the first failure.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) id(present bool) (id security.ID) {
	if !present {
		return id
	}
	if len(r.b) < len(id) {
		r.bad = true
		return id
	}
	copy(id[:], r.b)
	r.b = r.b[len(id):]
	return id
}

func (p *Progress) decode(b []byte) error {
	r := &reader{b: b}
	switch p.Judged = 0; r.byte() {
	case progressVersion:
	case progressJudged:
		p.Judged = int(r.uint())
	default:
		return errProgress
	}
	p.Micros, p.TokensIn, p.TokensOut = int64(r.uint()), int64(r.uint()), int64(r.uint())
	n := r.uint()
	if r.bad || n > uint64(len(r.b))/3 { // a step is at least three bytes: a wild count allocates nothing
		return errProgress
	}
	p.Steps = make([]Step, n)
	for i := range p.Steps {
		p.Steps[i].decode(r)
	}
	if r.bad || len(r.b) != 0 {
		return errProgress
	}
	return nil
}

func (s *Step) decode(r *reader) {
	s.Status = workflow.Status(r.byte())
	flags := r.byte()
	s.Attempt = int(r.uint())
	s.Call, s.Payload = r.id(flags&hasCall != 0), r.id(flags&hasPayload != 0)
	s.From, s.Ask = r.id(flags&hasFrom != 0), r.id(flags&hasAsk != 0)
	s.Judge = r.id(flags&hasJudge != 0)
	if flags&hasDue != 0 {
		s.DueUS = int64(r.uint())
	}
	if flags&hasTries != 0 {
		s.Tries = int(r.uint())
	}
}

// State is what workflow.Next may see of the progress.
func (p *Progress) State(cancelled bool) workflow.State {
	s := workflow.State{Steps: make([]workflow.StepState, len(p.Steps)), Cancel: cancelled}
	for i := range p.Steps {
		s.Steps[i] = workflow.StepState{Status: p.Steps[i].Status, Attempt: p.Steps[i].Attempt}
	}
	return s
}
