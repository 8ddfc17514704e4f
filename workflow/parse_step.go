package workflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/custodyhq/custody/security"
)

// The bounds of what a step may ask for.
const (
	maxAttempts = 20
	maxTimeout  = time.Hour
	maxExpiry   = 90 * 24 * time.Hour
)

// stepFields are the fields of a step, and hints for those of GitHub.
func stepFields() ([]string, map[string]string) {
	return []string{"id", "uses", "needs", "with", "if", "requires", "retry", "timeout", "guard", "accepts"},
		map[string]string{
			"name":              "write `id:`",
			"run":               "there is no shell; write `uses: http`, or a Go function",
			"shell":             "there is no shell; write `uses: http`, or a Go function",
			"env":               "write the values under `with:`",
			"inputs":            "write the values under `with:`",
			"args":              "write the values under `with:`",
			"timeout-minutes":   "write `timeout: 5m`",
			"timeout_minutes":   "write `timeout: 5m`",
			"continue-on-error": "a failed step ends the run; an approval can say `with: {on_reject: continue}`",
			"working-directory": "steps have no files; remove this field",
			"strategy":          "there is no matrix; write one step for each",
			"permissions":       "write `requires: {roles: […]}`",
			"outputs":           "a step's output is steps.<id>.output; write its schema under `with: {output: …}`",
			"depends_on":        "write `needs: […]`",
			"on_reject":         "write it under `with:`",
			"approvers":         "write it under `with:`",
			"output":            "write it under `with:`",
			"prompt":            "write it under `with:`",
			"model":             "write it under `with:`",
			"connection":        "write it under `with:`",
			"sensitivity":       "write it at the top: `sensitivity: {<step>: internal}`",
			"retries":           "write `retry: {attempts: 3}`",
		}
}

// steps reads all steps in the order of the text, which is also an order in
// which they can run: a step needs only steps above it.
func (l *loader) steps(root *node) {
	list := l.needed(root, "a definition", "steps", "add `steps:` with at least one step")
	if list == nil || l.lang == nil {
		l.sensitivity(root.get("sensitivity"))
		return
	}
	switch {
	case list.form != listForm:
		l.fault(list, "type", "steps is a list, and this is "+list.what(), "begin each step with `- id:`")
		return
	case len(list.items) == 0:
		l.fault(list, "required", "a definition needs at least one step", "add one, such as `- id: draft`")
	case len(list.items) > maxSteps:
		l.fault(list.items[maxSteps], "too_many", fmt.Sprintf("more than %d steps", maxSteps), "split the workflow")
		return
	}
	l.nodes = list.items
	for i, n := range list.items {
		l.name(i, n)
	}
	l.sensitivity(root.get("sensitivity"))
	l.def.Steps = make([]Step, len(list.items))
	for i, n := range list.items {
		l.step(i, n)
	}
}

// name takes a step's id down before any step is read, so that a reference to
// a step below can be told from one to none.
func (l *loader) name(i int, n *node) {
	id, _ := n.child("id").text()
	if _, twice := l.ids[id]; twice {
		l.fault(n.get("id"), "duplicate_id", fmt.Sprintf("another step is called %s", quote(id)), "give each step its own id")
	} else if id != "" {
		l.ids[id] = i
	}
}

// step reads one step.
func (l *loader) step(i int, n *node) {
	s := &l.def.Steps[i]
	names, hints := stepFields()
	l.known(n, "a step", names, hints)
	if n.form != mapForm {
		l.above = append(l.above, make([]bool, maxSteps))
		return
	}
	l.identity(s, n)
	l.needs(i, n.get("needs"))
	l.settings(s, n)
	if s.Kind != nil {
		l.arguments(i, n)
	}
	if c := n.get("if"); c != nil {
		s.condition = l.condition(c, "if", i)
		if s.condition != nil {
			s.If = s.condition.source
			l.boolean(c, s.condition)
		}
	}
	if s.ID != "" {
		s.shape = l.result(i, n)
		l.lang.addStep(s.ID, s.shape)
	}
}

// identity reads what the step is called and what it uses.
func (l *loader) identity(s *Step, n *node) {
	if id := l.needed(n, "a step", "id", "add `id: draft`"); id != nil {
		s.ID = l.word(id, "id")
		switch {
		case !stepName.MatchString(s.ID):
			l.fault(id, "id", "an id has lower-case letters, digits and underscores, begins with a letter, and is at most 63 long", hyphens(s.ID))
		case reserved(s.ID) || s.ID == inputRoot:
			l.fault(id, "id", fmt.Sprintf("%s is a word of the expressions", quote(s.ID)), "choose another id")
		}
	}
	uses := l.needed(n, "a step", "uses", "add `uses:` with "+strings.Join(sorted(l.kinds.names()), ", "))
	if uses == nil {
		return
	}
	s.Uses = l.word(uses, "uses")
	kind, ok := l.kinds.find(s.Uses)
	if !ok {
		l.fault(uses, "unknown_kind", fmt.Sprintf("there is no kind of step called %s", quote(s.Uses)), didYouMean(s.Uses, l.kinds.names()))
		return
	}
	s.Kind = kind
}

func sorted(names []string) []string { slices.Sort(names); return slices.Compact(names) }

// hyphens helps with the commonest wrong id.
func hyphens(id string) string {
	if fixed := strings.ToLower(strings.ReplaceAll(id, "-", "_")); fixed != id && stepName.MatchString(fixed) {
		return "write " + fixed
	}
	return ""
}

// needs resolves what the step waits for: what it says, else the step above.
func (l *loader) needs(i int, n *node) {
	s := &l.def.Steps[i]
	s.Needs = []int{}
	switch {
	case n == nil && i > 0:
		s.Needs = append(s.Needs, i-1)
	case n != nil:
		for _, id := range l.words(n, "needs") {
			if at, ok := l.need(i, n, id); ok {
				s.Needs = append(s.Needs, at)
			}
		}
		slices.Sort(s.Needs)
	}
	above := make([]bool, maxSteps)
	for _, need := range s.Needs {
		above[need] = true
		for j, yes := range l.above[need] {
			above[j] = above[j] || yes
		}
	}
	l.above = append(l.above, above)
}

// need finds one step by its id. Only steps above can be needed, so there are
// no circles.
func (l *loader) need(i int, n *node, id string) (int, bool) {
	for _, item := range n.items {
		if item.scalar == id {
			n = item
		}
	}
	at, ok := l.ids[id]
	switch {
	case !ok:
		l.fault(n, "needs", fmt.Sprintf("there is no step %s", quote(id)), didYouMean(id, sortedKeys(l.ids)))
	case at == i:
		l.fault(n, "needs", "a step cannot need itself", "remove it")
	case at > i:
		l.fault(n, "needs", fmt.Sprintf("step %s stands below this one", id), "move it above: steps are read from top to bottom")
	}
	return at, ok && at < i
}

// settings reads the fields that every kind of step has.
func (l *loader) settings(s *Step, n *node) {
	s.Requires = l.def.Requires
	if r := n.get("requires"); r != nil {
		s.own = l.requirement(r)
		s.Requires = l.def.Requires.And(s.own)
	}
	l.retry(s, n.get("retry"))
	if t := n.get("timeout"); t != nil {
		s.Timeout = l.duration(t, "timeout", time.Millisecond, maxTimeout)
		l.onlyIntent(t, s, "timeout")
	}
	l.guard(n.get("guard"), s)
	l.accepts(s, n.get("accepts"))
}

// onlyIntent refuses a setting on a kind that calls nothing.
func (l *loader) onlyIntent(n *node, s *Step, what string) {
	if s.Kind == nil || s.Kind.Intent {
		return
	}
	remedy := "remove it"
	if s.Uses == approvalName && what == "timeout" {
		remedy = "write `with: {expires: 48h}`"
	}
	l.fault(n, what, fmt.Sprintf("uses: %s has no %s", s.Uses, what), remedy)
}

func (l *loader) retry(s *Step, n *node) {
	if n == nil {
		return
	}
	l.known(n, "retry", []string{"attempts", "backoff"}, map[string]string{"max": "write `attempts:`", "delay": "write `backoff:`"})
	l.onlyIntent(n, s, "retry")
	a := l.needed(n, "retry", "attempts", "add `attempts: 3`")
	if a == nil {
		return
	}
	attempts, ok := a.scalar.(int64)
	if !ok || attempts < 1 || attempts > maxAttempts {
		l.fault(a, "retry", fmt.Sprintf("attempts is a whole number from 1 to %d; the first counts", maxAttempts), "")
		return
	}
	s.Retry = Retry{Attempts: int(attempts), Backoff: firstWait}
	if b := n.get("backoff"); b != nil {
		s.Retry.Backoff = l.duration(b, "backoff", time.Millisecond, longestWait)
	}
}

func (l *loader) accepts(s *Step, n *node) {
	if n == nil {
		return
	}
	for _, name := range l.words(n, "accepts") {
		o, err := security.ParseOrigin(name)
		if err != nil {
			l.fault(n, "accepts", fmt.Sprintf("there is no origin %s", quote(name)), "it is one of "+strings.Join(security.Origins(0xff).Names(), ", "))
		}
		s.Accepts |= o
	}
	if s.Kind != nil && !s.Kind.Effect {
		l.fault(n, "accepts", fmt.Sprintf("accepts is for effects, and uses: %s has none", s.Uses), "remove it")
	} else if s.Accepts&^security.Author != 0 {
		l.warn(n, "accepts", fmt.Sprintf("the effect of step %s may be steered by: %s", s.ID, s.Accepts&^security.Author), "show the values in an approval instead, if a person should decide")
	}
}
