package main

import (
	"cmp"
	"context"
	"embed"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
)

//go:embed shell
var shells embed.FS

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help shows an example.
func (completionCommand) Help() string {
	return "Example:\n\n    custody completion bash > ~/.local/share/bash-completion/completions/custody\n\nNames of workflows, runs, approvals, releases and revocations come from the server, if it answers within a second."
}

// Run prints the script.
func (c completionCommand) Run(s *session) error {
	text, err := shells.ReadFile("shell/completion." + c.Shell)
	if err != nil {
		return err
	}
	_, err = s.out.Write(text)
	return err
}

const (
	// completeWord is what the scripts call; people do not see it.
	completeWord = "__complete"
	// namesWithin is how long a person who pressed the key waits for names.
	namesWithin = time.Second
	someNames   = 50
)

// A candidate is one completion of a word. The value :file means files.
type candidate struct{ value, help string }

// complete prints the completions of the last word, one a line, each with a
// tab and what it means. It never fails: a shell has no place for that.
func (s *session) complete(ctx context.Context, words []string) int {
	s.terminal.err = io.Discard
	parser, err := newParser(&program{}, s.terminal)
	if err != nil {
		return exitFailure
	}
	ctx, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	l := &line{s: s, ctx: ctx, at: parser.Model.Node}
	for _, c := range l.candidates(joined(words)) {
		s.print("%s\t%s", oneLine(c.value), oneLine(c.help))
	}
	return exitDone
}

// joined puts together what bash takes apart at =.
func joined(words []string) []string {
	out := []string{}
	for i := 0; i < len(words); i++ {
		last := len(out) - 1
		switch {
		case words[i] == "=" && last >= 0 && strings.HasPrefix(out[last], "--"):
			out[last] += "="
		case last >= 0 && i > 0 && words[i-1] == "=" && strings.HasSuffix(out[last], "="):
			out[last] += words[i]
		default:
			out = append(out, words[i])
		}
	}
	return out
}

// A line is a command line that is being typed.
type line struct {
	s    *session
	ctx  context.Context // of this one completion
	at   *kong.Node
	args []string // positional, so far
}

func (l *line) candidates(words []string) []candidate {
	if len(words) == 0 {
		words = []string{""}
	}
	before, current := words[:len(words)-1], words[len(words)-1]
	var open *kong.Flag // waits for its value
	for _, word := range before {
		open = l.take(word, open)
	}
	switch name, value, given := strings.Cut(current, "="); {
	case open != nil:
		return begin(l.values(open.Value), "", current)
	case given && strings.HasPrefix(name, "--"):
		if f := l.flag(name); f != nil {
			return begin(l.values(f.Value), name+"=", value)
		}
		return nil
	case strings.HasPrefix(current, "-"):
		return begin(l.flags(), "", current)
	case len(l.at.Children) > 0:
		return begin(l.commands(), "", current)
	}
	return begin(l.positional(), "", current)
}

// take goes over one whole word. It returns a flag whose value comes next.
func (l *line) take(word string, open *kong.Flag) *kong.Flag {
	if open != nil {
		l.know(open.Name, word)
		return nil
	}
	if name, value, given := strings.Cut(word, "="); strings.HasPrefix(word, "--") {
		f := l.flag(name)
		switch {
		case f == nil:
		case given:
			l.know(f.Name, value)
		case !f.IsBool():
			return f
		}
		return nil
	}
	for _, child := range l.at.Children {
		if child.Name == word && !child.Hidden {
			l.at = child
			return nil
		}
	}
	l.args = append(l.args, word)
	return nil
}

// know keeps what is needed to ask the server as the command would.
func (l *line) know(flag, value string) {
	switch flag {
	case "url":
		l.s.URL = value
	case "as":
		l.s.As = value
	case "token-file":
		l.s.TokenFile = value
	}
}

func (l *line) flag(name string) *kong.Flag {
	for _, group := range l.at.AllFlags(true) {
		for _, f := range group {
			if "--"+f.Name == name {
				return f
			}
		}
	}
	return nil
}

func (l *line) flags() []candidate {
	var out []candidate
	for _, group := range l.at.AllFlags(true) {
		for _, f := range group {
			out = append(out, candidate{"--" + f.Name, f.Help})
		}
	}
	return out
}

func (l *line) commands() []candidate {
	var out []candidate
	for _, child := range l.at.Children {
		if !child.Hidden {
			out = append(out, candidate{child.Name, child.Help})
		}
	}
	return out
}

func (l *line) positional() []candidate {
	all := l.at.Positional
	if len(all) == 0 {
		return nil
	}
	if i := len(l.args); i < len(all) {
		return l.values(all[i])
	}
	if last := all[len(all)-1]; last.IsCumulative() {
		return l.values(last)
	}
	return nil
}

// values are those that a flag or an argument may have.
func (l *line) values(v *kong.Value) []candidate {
	if v.Enum != "" {
		var out []candidate
		for _, word := range v.EnumSlice() {
			if word != "" {
				out = append(out, candidate{value: word})
			}
		}
		return out
	}
	if v.Name == "as" {
		return somebody()
	}
	switch kind := v.Tag.Get("complete"); kind {
	case "":
		return nil
	case "file":
		return []candidate{{value: ":file"}}
	case "workflow":
		return append(l.names(kind), candidate{value: ":file"})
	default:
		return l.names(kind)
	}
}

// somebody is anybody whom --as can sign in.
func somebody() []candidate {
	var out []candidate
	for _, p := range devidp.People() {
		out = append(out, candidate{p.Name, cmp.Or(strings.Join(p.Roles, ", "), "no role")})
	}
	return append(out, candidate{devidp.Agent, "a program"})
}

// names are those of things that the server has. Without an answer there are
// none.
func (l *line) names(kind string) []candidate {
	cl, err := l.s.client()
	if err != nil {
		return nil
	}
	defer cl.Close()
	switch kind {
	case "workflow":
		return gather(cl.Workflows(l.ctx, ""), func(w client.Workflow) candidate { return candidate{w.Name, w.Description} })
	case "version":
		if len(l.args) == 0 {
			return nil
		}
		return gather(cl.WorkflowVersions(l.ctx, l.args[0]), func(w client.Workflow) candidate {
			// Without sha256: in front, since bash ends words at a colon.
			return candidate{strings.TrimPrefix(w.Digest, "sha256:"), w.CreatedAt.UTC().Format(clock)}
		})
	case "run":
		return gather(cl.Runs(l.ctx, client.RunFilter{Limit: someNames}), func(r client.Run) candidate {
			return candidate{r.ID, r.Workflow.Name + ", " + r.State}
		})
	case "approval":
		return gather(cl.Approvals(l.ctx, client.ApprovalFilter{Limit: someNames}), func(a client.Approval) candidate { return candidate{a.ID, a.Step} })
	case "release":
		return gather(cl.Releases(l.ctx), func(r client.Release) candidate { return candidate{r.ID, r.Reason} })
	case "revocation":
		return gather(cl.Revocations(l.ctx, ""), func(r client.Revocation) candidate { return candidate{r.ID, r.Kind + " " + r.Value} })
	}
	return nil
}

func gather[T any](items iter.Seq2[T, error], as func(T) candidate) []candidate {
	var out []candidate
	for item, err := range items {
		if err != nil || len(out) == someNames {
			break
		}
		if c := as(item); plainName.MatchString(c.value) {
			out = append(out, c)
		}
	}
	return out
}

// plainName is a name that is one word to every shell and no flag. Bash puts a
// completion into the line as it is: one with a ; or a $( in it would be a
// command, and the server has made it.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// begin keeps the candidates that begin as what is typed.
func begin(all []candidate, prefix, typed string) []candidate {
	out := slices.DeleteFunc(all, func(c candidate) bool { return c.value != ":file" && !strings.HasPrefix(c.value, typed) })
	for i := range out {
		if out[i].value != ":file" {
			out[i].value = prefix + out[i].value
		}
	}
	return out
}
