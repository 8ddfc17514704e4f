package kinds

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/workflow"
)

// Config is what the kinds of a server are made of.
type Config struct {
	Models      *model.Models
	Judge       string // alias of the second model; "" means rules only
	JudgeTokens int    // of one answer of the judge; 0 means 400
	Connections map[string]Connection
	Funcs       []Func
	Resolver    *net.Resolver    // for connections; nil means the system's
	Now         func() time.Time // nil means time.Now
}

func (c Config) validate() error {
	if c.JudgeTokens < 0 {
		return fmt.Errorf("judge.max_tokens is %d, and must not be negative", c.JudgeTokens)
	}
	if c.Judge != "" && !c.Models.Has(c.Judge) {
		return fmt.Errorf("judge.model: there is no model %q under models; one of: %s", c.Judge, list(c.Models.Aliases()))
	}
	if c.Judge != "" {
		for _, r := range c.Models.Refuses(c.Judge, judgePrompt(c.Models, c.Judge, cmp.Or(c.JudgeTokens, judgeTokens))) {
			return fmt.Errorf("judge.model: %q cannot judge: %s", c.Judge, r.Detail)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
		if err := c.Connections[name].validate(); err != nil {
			return fmt.Errorf("connections.%s.%w", name, err)
		}
	}
	seen := map[string]bool{}
	for i, f := range c.Funcs {
		if err := f.validate(); err != nil {
			return fmt.Errorf("Funcs[%d].%w", i, err)
		}
		if seen[f.Name] {
			return fmt.Errorf("Funcs[%d].Name: %q stands there twice", i, f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// A Set is the kinds of one server. It never changes and is safe for concurrent
// use.
type Set struct {
	kinds   workflow.Kinds
	runners map[string]steps.Runner
	judge   steps.Judge
	close   []func()
}

// New checks the config, reads the secrets it refers to, and makes the kinds. It
// opens no connection.
func New(c Config) (*Set, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Models == nil {
		none, err := model.New(model.Config{})
		if err != nil {
			return nil, err
		}
		c.Models = none
	}
	targets := make(map[string]target, len(c.Connections))
	s := &Set{runners: map[string]steps.Runner{}}
	for name, conn := range c.Connections {
		t, err := conn.target(c.Resolver)
		if err != nil {
			return nil, fmt.Errorf("connections.%s.%w", name, err)
		}
		targets[name] = t
		s.close = append(s.close, t.pool.CloseIdleConnections)
	}
	names := slices.Sorted(maps.Keys(targets))
	s.kinds = workflow.Kinds{Judge: c.Judge != "", ByName: map[string]*workflow.Kind{
		llmName:  llmKind(servable(c.Models)),
		httpName: httpKind(oneOf("connection", names)),
	}}
	s.runners[llmName] = llmRunner{c.Models}
	s.runners[httpName] = httpRunner{targets, c.Now}
	for _, f := range c.Funcs {
		r := newFuncRunner(f, c.Resolver)
		s.kinds.ByName[f.Name] = f.kind()
		s.runners[f.Name] = r
		s.close = append(s.close, r.pool.CloseIdleConnections)
	}
	if c.Judge != "" {
		s.judge = judge{c.Models, c.Judge, cmp.Or(c.JudgeTokens, judgeTokens)}
	}
	return s, nil
}

// Kinds are what definitions may use.
func (s *Set) Kinds() workflow.Kinds {
	return workflow.Kinds{ByName: maps.Clone(s.kinds.ByName), Judge: s.kinds.Judge}
}

// Runners do the work, by what steps write as `uses`.
func (s *Set) Runners() map[string]steps.Runner { return maps.Clone(s.runners) }

// Judge is the second model; nil if none is configured.
func (s *Set) Judge() steps.Judge { return s.judge }

// Close drops idle connections.
func (s *Set) Close() {
	for _, f := range s.close {
		f()
	}
}

// Offline are the kinds for checking a definition without a server: any alias
// and any connection may be named, and a judge is taken to be there. The
// functions are those that the server will have.
func Offline(funcs ...Func) workflow.Kinds {
	k := workflow.Kinds{Judge: true, ByName: map[string]*workflow.Kind{
		llmName: llmKind(nil), httpName: httpKind(nil),
	}}
	for _, f := range funcs {
		k.ByName[f.Name] = f.kind()
	}
	return k
}

// oneOf finds a member of `with` that names something which the server's config
// does not have.
func oneOf(field string, names []string) func(map[string]any) []workflow.Problem {
	return func(with map[string]any) []workflow.Problem {
		name, ok := with[field].(string)
		if !ok || slices.Contains(names, name) {
			return nil
		}
		return []workflow.Problem{{
			Pointer: "/" + field, Code: "unknown_" + field,
			Message: fmt.Sprintf("the server's config has no %s %q", field, name),
			Remedy:  fmt.Sprintf("write one of: %s; or add it under %ss", list(names), field),
		}}
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return "(there is none)"
	}
	return strings.Join(names, ", ")
}

// failure makes what package model says a step's error.
func failure(err error) *steps.Error {
	var e *model.Error
	if !errors.As(err, &e) {
		return &steps.Error{Code: steps.CodeError, Detail: "the call failed", Unknown: true, Err: err}
	}
	return &steps.Error{
		Code: e.Code, Detail: e.Detail, Unknown: e.Unknown, Retry: e.Retry, After: e.After, Status: e.Status,
		Use: steps.Use{Model: e.Model, Status: e.Status, Bytes: e.Bytes}, Err: e,
	}
}

func invalid(detail string) *steps.Error {
	return &steps.Error{Code: steps.CodeInvalid, Detail: detail}
}
