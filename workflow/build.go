package workflow

import (
	"encoding/json"
	"time"

	"github.com/custodyhq/custody/security"
)

// A Builder writes a definition in Go. It makes the document that a YAML author
// would write, so both ways have the same rules and the same digest. Mistakes
// are reported by Build, all together, with JSON Pointers for places. A Builder
// is for one goroutine.
type Builder struct {
	doc   map[string]any
	steps []any
}

// An Expr is the source of an expression, without its ${{ }}: it stands
// wherever a value may stand.
type Expr string

// MarshalText writes the expression as a YAML author would.
func (e Expr) MarshalText() ([]byte, error) {
	return []byte(opening + " " + string(e) + " " + closing), nil
}

// New begins a definition.
func New(name string) *Builder { return &Builder{doc: map[string]any{"name": name}} }

// Describe says in a sentence what the workflow is for.
func (b *Builder) Describe(text string) *Builder { return b.set("description", text) }

// Input sets the JSON Schema of the input.
func (b *Builder) Input(schema string) *Builder { return b.set("input", json.RawMessage(schema)) }

// Sensitive declares how sensitive the input ("input") or a step's output is.
func (b *Builder) Sensitive(what string, s security.Sensitivity) *Builder {
	object(b.doc, "sensitivity")[what] = s.String()
	return b
}

// Requires names the roles that the caller needs, all of them.
func (b *Builder) Requires(roles ...string) *Builder {
	object(b.doc, "requires")["roles"] = roles
	return b
}

// RequiresMFA asks for a second factor.
func (b *Builder) RequiresMFA() *Builder {
	object(b.doc, "requires")["mfa"] = true
	return b
}

// Step adds a step below the others. Without After or AtOnce it follows the one
// above it.
func (b *Builder) Step(s *StepBuilder) *Builder {
	b.steps = append(b.steps, s.doc)
	return b
}

// Output sets the expression of the run's output.
func (b *Builder) Output(e Expr) *Builder { return b.set("output", e) }

// Build checks the definition as Parse does. The error is Problems.
func (b *Builder) Build(kinds Kinds) (*Definition, error) {
	doc := map[string]any{"steps": b.steps}
	for k, v := range b.doc {
		doc[k] = v
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, Problems{{Code: "build", Message: "the definition has no JSON form", Remedy: "pass schemas as valid JSON, and values that encoding/json writes"}}
	}
	if len(raw) > maxSource {
		return nil, Problems{{Code: "too_large", Message: "the definition is larger than 256 KiB", Remedy: "pass long texts as input"}}
	}
	root, fail := parseJSON(string(raw), jsonLimits{maxDepth, maxNodes})
	if fail != nil {
		return nil, Problems{{Code: fail.code, Message: "the definition cannot be read: " + fail.message, Remedy: fail.remedy}}
	}
	return load(root, &text{}, kinds)
}

func (b *Builder) set(field string, v any) *Builder {
	b.doc[field] = v
	return b
}

// object returns a field that is an object, and makes it first if need be.
func object(doc map[string]any, field string) map[string]any {
	m, ok := doc[field].(map[string]any)
	if !ok {
		m = map[string]any{}
		doc[field] = m
	}
	return m
}

// A StepBuilder writes one step.
type StepBuilder struct{ doc map[string]any }

// Use begins a step of any kind.
func Use(id, kind string) *StepBuilder {
	return &StepBuilder{map[string]any{"id": id, "uses": kind}}
}

// LLM begins a model call. Expressions stand in the prompt as ${{ … }}.
func LLM(id, model, prompt string) *StepBuilder {
	return Use(id, "llm").With("model", model).With("prompt", prompt)
}

// HTTP begins a request over a named connection. Expressions stand in the path
// as ${{ … }}, each one escaped segment.
func HTTP(id, connection, method, path string) *StepBuilder {
	return Use(id, "http").With("connection", connection).With("method", method).With("path", path)
}

// Set begins a step that computes values.
func Set(id string) *StepBuilder { return Use(id, setName) }

// Approval begins a wait for people who have every role given, who see what show
// yields.
func Approval(id string, show any, roles ...string) *StepBuilder {
	s := Use(id, approvalName).With("show", show)
	object(object(s.doc, "with"), "approvers")["roles"] = roles
	return s
}

// With sets one argument: anything that encoding/json writes, with an Expr
// where a value is to be computed.
func (s *StepBuilder) With(field string, value any) *StepBuilder {
	object(s.doc, "with")[field] = value
	return s
}

// Schema sets the JSON Schema of the step's output.
func (s *StepBuilder) Schema(schema string) *StepBuilder {
	return s.With("output", json.RawMessage(schema))
}

// Quorum sets how many people must approve.
func (s *StepBuilder) Quorum(n int) *StepBuilder {
	object(object(s.doc, "with"), "approvers")["quorum"] = n
	return s
}

// Expires sets after which time an approval ends by itself.
func (s *StepBuilder) Expires(d time.Duration) *StepBuilder { return s.With("expires", d.String()) }

// ContinueOnReject lets the run go on after a rejection; the steps below read
// output.decision.
func (s *StepBuilder) ContinueOnReject() *StepBuilder { return s.With("on_reject", OnRejectContinue) }

// If sets the condition under which the step runs.
func (s *StepBuilder) If(e Expr) *StepBuilder { return s.set("if", e) }

// After names the steps that must have ended before.
func (s *StepBuilder) After(ids ...string) *StepBuilder { return s.set("needs", ids) }

// AtOnce lets the step start with the run.
func (s *StepBuilder) AtOnce() *StepBuilder { return s.set("needs", []string{}) }

// Requires names further roles that the caller needs for this step.
func (s *StepBuilder) Requires(roles ...string) *StepBuilder {
	object(s.doc, "requires")["roles"] = roles
	return s
}

// RequiresMFA asks for a second factor at this step.
func (s *StepBuilder) RequiresMFA() *StepBuilder {
	object(s.doc, "requires")["mfa"] = true
	return s
}

// Retry sets how often the step is tried, the first time included, and how long
// to wait before the second.
func (s *StepBuilder) Retry(attempts int, backoff time.Duration) *StepBuilder {
	return s.set("retry", map[string]any{"attempts": attempts, "backoff": backoff.String()})
}

// Timeout bounds one attempt.
func (s *StepBuilder) Timeout(d time.Duration) *StepBuilder { return s.set("timeout", d.String()) }

// GuardInput sets a guard of what goes in: injection, pii or secrets.
func (s *StepBuilder) GuardInput(rule string, m Mode) *StepBuilder {
	object(object(s.doc, "guard"), "input")[rule] = string(m)
	return s
}

// GuardOutput sets a guard of what comes out: pii, secrets, judge and so on.
func (s *StepBuilder) GuardOutput(rule string, m Mode) *StepBuilder {
	object(object(s.doc, "guard"), "output")[rule] = string(m)
	return s
}

// GuardKinds names further personal data to look for in what comes out.
func (s *StepBuilder) GuardKinds(m Mode, kinds ...string) *StepBuilder {
	return s.guardItems("pii", "kinds", m, kinds)
}

// GuardLinks names the hosts that a link in the output may lead to.
func (s *StepBuilder) GuardLinks(m Mode, hosts ...string) *StepBuilder {
	return s.guardItems("links", "allow", m, hosts)
}

// GuardImages names the hosts that an image in the output may come from.
func (s *StepBuilder) GuardImages(m Mode, hosts ...string) *StepBuilder {
	return s.guardItems("images", "allow", m, hosts)
}

// GuardCode names the unsafe code to look for in the output.
func (s *StepBuilder) GuardCode(m Mode, rules ...string) *StepBuilder {
	return s.guardItems("code", "rules", m, rules)
}

func (s *StepBuilder) guardItems(rule, items string, m Mode, list []string) *StepBuilder {
	if list == nil {
		list = []string{} // nothing is allowed, which is not the same as nothing said
	}
	both := map[string]any{items: list}
	if m != ModeDefault {
		both["mode"] = string(m)
	}
	object(object(s.doc, "guard"), "output")[rule] = both
	return s
}

// Revise sets how often the model is asked again when a rule with ModeRevise
// objects.
func (s *StepBuilder) Revise(times int) *StepBuilder {
	object(object(s.doc, "guard"), "output")["revise"] = times
	return s
}

// OnReview names who decides about what only needs a review: people who have
// every role given, so many of them, in that time.
func (s *StepBuilder) OnReview(quorum int, expires time.Duration, roles ...string) *StepBuilder {
	object(s.doc, "guard")["on_review"] = map[string]any{
		"approvers": map[string]any{"roles": roles, "quorum": quorum}, "expires": expires.String(),
	}
	return s
}

// Accepts names origins that may steer this effect.
func (s *StepBuilder) Accepts(o security.Origins) *StepBuilder { return s.set("accepts", o.Names()) }

func (s *StepBuilder) set(field string, v any) *StepBuilder {
	s.doc[field] = v
	return s
}
