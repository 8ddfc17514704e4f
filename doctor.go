package custody

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/custodyhq/custody/security/oidc"
)

// A Level says how bad a Symptom is.
type Level string

// The levels. Only a Problem makes an installation unwell.
const (
	Well    Level = "ok"
	Hint    Level = "hint" // works, and could be better or be meant otherwise
	Problem Level = "problem"
)

// A Symptom is one thing that Diagnose looked at. Detail says what is so, and
// for hints and problems Remedy says what to do. Neither repeats a secret.
type Symptom struct {
	Group  string `json:"group"` // settings, tls, database, ledger, keys, processes, issuers, models, connections
	Name   string `json:"name"`
	Level  Level  `json:"level"`
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// An Installation is what Diagnose looks at.
type Installation struct {
	Config Config
	// Unread is why the configuration file could not be read; Config then holds
	// the environment's part, and what only the file can say is not looked at.
	Unread error
	// File is the configuration file's path; empty if there is none.
	File string
	// Environ are the variables as os.Environ gives them; of a name that stands
	// there twice the first counts. Of those that are not Custody's nothing is
	// read.
	Environ []string

	now func() time.Time // in tests; default time.Now
}

// checkLimit bounds one look at something. A look that does not end is given up.
const checkLimit = 5 * time.Second

// Diagnose looks at everything that a process of this installation needs, and
// at what makes a record worth less than it seems, and changes nothing. It sends
// no prompt: of a model's server it asks only for the list of models. It goes on
// after whatever it finds, and is done within half a minute.
func Diagnose(ctx context.Context, in Installation) []Symptom {
	if in.now == nil {
		in.now = time.Now
	}
	e := &examination{in: in, cfg: in.Config}
	return inspect(ctx, e.looks())
}

// An examination knows what is looked at.
type examination struct {
	in  Installation
	cfg Config
}

// A look is one part of an examination. Looks run at the same time and end up
// in their order.
type look struct {
	group string
	limit time.Duration
	see   func(context.Context, *sheet)
}

func (e *examination) looks() []look {
	out := []look{
		{"settings", checkLimit, e.settings},
		{"tls", checkLimit, e.certificate},
		{"database", 4 * checkLimit, e.database}, // one after the other, each bounded by itself
		{"keys", 2 * checkLimit, e.keys},
	}
	if e.in.Unread != nil {
		return out // nothing is known of issuers, models and connections
	}
	out = append(out, e.issuers()...)
	out = append(out, e.models()...)
	return append(out, e.connections()...)
}

// inspect runs looks. A look that hangs, as files on a dead mount do, is left
// behind with its sheet.
func inspect(ctx context.Context, looks []look) []Symptom {
	sheets := make([]*sheet, len(looks))
	var all sync.WaitGroup
	for n, l := range looks {
		all.Go(func() { sheets[n] = l.within(ctx) })
	}
	all.Wait()
	var out []Symptom
	for _, s := range sheets {
		out = append(out, s.found...)
	}
	return out
}

func (l look) within(ctx context.Context) *sheet {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	done := make(chan *sheet, 1)
	go func() {
		s := &sheet{group: l.group}
		defer func() {
			if r := recover(); r != nil {
				s.problem("doctor", fmt.Sprintf("this check broke off: %v", r), "report it: it is a defect of this program")
			}
			done <- s
		}()
		l.see(ctx, s)
	}()
	grace := time.NewTimer(l.limit + time.Second)
	defer grace.Stop()
	select {
	case s := <-done:
		return s
	case <-grace.C:
		s := &sheet{group: l.group}
		s.problem("doctor", "this check did not end in time", "look for a file system or a network that does not answer")
		return s
	}
}

// A sheet collects what one look finds.
type sheet struct {
	group  string
	found  []Symptom
	parent *sheet
}

func (s *sheet) note(level Level, name, detail, remedy string) {
	s.found = append(s.found, Symptom{Group: s.group, Name: name, Level: level, Detail: detail, Remedy: remedy})
}

func (s *sheet) well(name, detail string)            { s.note(Well, name, detail, "") }
func (s *sheet) hint(name, detail, remedy string)    { s.note(Hint, name, detail, remedy) }
func (s *sheet) problem(name, detail, remedy string) { s.note(Problem, name, detail, remedy) }

// of is a sheet of another group, whose findings come back with back.
func (s *sheet) of(group string) *sheet { return &sheet{group: group, parent: s} }

func (s *sheet) back() { s.parent.found = append(s.parent.found, s.found...) }

// tell notes a problem, or that there is none.
func (s *sheet) tell(name string, err error, remedy string) bool {
	if err != nil {
		s.problem(name, err.Error(), remedy)
		return false
	}
	s.well(name, "")
	return true
}

// grave is a problem in production and a hint elsewhere: what a developer may
// do and an installation that others rely on may not.
func (e *examination) grave() Level {
	if e.cfg.Production {
		return Problem
	}
	return Hint
}

// ExplainToken says how a process with these issuers reads a token, check by
// check. The report shows claims: it is for the token's holder.
func ExplainToken(ctx context.Context, issuers []oidc.Issuer, token string) (oidc.Report, error) {
	v, err := oidc.New(ctx, oidc.Config{Issuers: issuers})
	if err != nil {
		return oidc.Report{}, err
	}
	return v.Explain(ctx, token), nil
}
