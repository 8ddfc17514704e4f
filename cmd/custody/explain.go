package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
)

// report explains an error on stderr and returns the exit code.
func (s *session) report(ctx context.Context, err error) int {
	code := codeOf(ctx, err)
	var own *exit
	switch {
	case err == nil, errors.As(err, &own) && own.silent:
		return code
	case s.JSON:
		raw, _ := json.Marshal(s.problemOf(err, code)) // strings and numbers only: cannot fail
		s.say("%s", visible(raw))
	case code == exitInterrupted && own == nil:
		s.say("custody: interrupted")
	default:
		s.say("custody: %s", printable(s.explain(err)))
	}
	return code
}

// problemOf is any error as a problem object; a server's own is passed on.
func (s *session) problemOf(err error, code int) *client.Problem {
	var p *client.Problem
	if errors.As(err, &p) {
		return p
	}
	names := map[int]string{
		exitUsage: "usage", exitRefused: "denied", exitNotFound: "not-found", exitInvalid: "malformed",
		exitRunFailed: "run-failed", exitBroken: "broken", exitNotNow: "unavailable", exitInterrupted: "interrupted",
	}
	name := cmp.Or(names[code], "internal")
	if own := (*exit)(nil); errors.As(err, &own) && own.kind != "" {
		name = own.kind
	}
	return &client.Problem{Type: client.ProblemPrefix + name, Title: name, Detail: s.explain(err)}
}

// explain adds to an error what to do next.
func (s *session) explain(err error) string {
	var p *client.Problem
	if errors.As(err, &p) {
		_, beside, _ := strings.Cut(err.Error(), p.Error())
		return s.refusal(p) + beside
	}
	text := err.Error()
	if own := (*exit)(nil); errors.As(err, &own) {
		text = own.Error() // without what stands around it
	}
	switch next := s.remedy(err); {
	case errors.Is(err, custody.ErrAway):
		text += "\nIs PostgreSQL running, and is this its address: " + custody.EnvDatabase + "?"
	case next != "":
		url, origin := s.address()
		text += fmt.Sprintf("\nThe server is %s (from %s). %s", url, origin, next)
	}
	return text
}

// remedy is what to do when no server answered.
func (s *session) remedy(err error) string {
	var name *net.DNSError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &name):
		return "Nobody knows a machine of that name: say where the server is with --url or CUSTODY_URL."
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "This machine does not know who signed its certificate. If that is your own authority: SSL_CERT_FILE=ca.pem custody …"
	case errors.As(err, new(x509.HostnameError)):
		return "Its certificate is for another name: use that name in --url or CUSTODY_URL."
	case errors.As(err, new(x509.CertificateInvalidError)):
		return "Its certificate is not valid now: the operator must renew it, or a clock is wrong."
	case errors.As(err, &record), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return "It speaks plain HTTP there: use http:// on this machine, or the address where it speaks TLS."
	case strings.Contains(err.Error(), "tls: protocol version not supported"):
		return "It does not speak TLS 1.3, which Custody needs: is something else in front of it?"
	case unreachable(err):
		return "Is the server running? Start one with `custody dev`, or say where it is: --url or CUSTODY_URL."
	}
	return ""
}

// refusal is a problem in words: what is wrong, where, and what to do.
func (s *session) refusal(p *client.Problem) string {
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(fmt.Sprintf("%d %s", p.Status, p.Kind()), " about:blank"))
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for _, f := range p.Errors {
		b.WriteString("\n  " + s.fault(f))
	}
	for _, reason := range p.Reasons {
		b.WriteString("\n  " + ineligible(reason))
	}
	if next := s.next(p); next != "" {
		b.WriteString("\n" + next)
	}
	if p.Receipt != nil {
		fmt.Fprintf(&b, "\nRecorded as entry %d of %s: %s", p.Receipt.Seq, p.Receipt.Stream, p.Receipt.Hash)
	}
	if p.RequestID != "" && p.Status >= http.StatusInternalServerError {
		b.WriteString("\nThe server's log has more under request " + p.RequestID)
	}
	return b.String()
}

// fault is one thing that is wrong, with its place in the file that was given.
func (s *session) fault(f client.Fault) string {
	text := strings.TrimSpace(f.Pointer + "  " + sentence(f.Detail, f.Remedy))
	if f.Line > 0 && s.file != "" {
		return fmt.Sprintf("%s:%d:%d: %s", s.file, f.Line, f.Column, text)
	}
	return text
}

// next says what to do about a refusal.
func (s *session) next(p *client.Problem) string {
	switch p.Kind() {
	case "unauthenticated":
		return "Sign in with `custody token login`; against `custody dev` use --as NAME. A token from elsewhere: --token-file, CUSTODY_TOKEN_FILE or CUSTODY_TOKEN. `custody doctor token` explains a token."
	case "step-up-required":
		if s.As != "" {
			return "This needs a sign-in with a second factor that is at most 5 minutes old: repeat the command, --as signs in anew."
		}
		return "This needs a sign-in with a second factor that is at most 5 minutes old: custody token login --acr mfa"
	case "denied":
		return s.whoMay(p.Detail)
	case "not-eligible":
		return "Somebody else must decide. Whom it waits for: custody approvals --all"
	case "not-found":
		return s.whereListed(p)
	case "precondition-failed":
		return "Somebody changed it meanwhile. Look at it again, and repeat the command if it still is what you want."
	case "rate-limited", "unavailable", "unpublished":
		return "Nothing is lost. " + comeBack(p.RetryAfter)
	case "about:blank":
		url, origin := s.address()
		return fmt.Sprintf("The server is %s (from %s).", url, origin)
	case "internal":
		return "That is the server's fault, not yours. Try again; with the same --key nothing happens twice."
	}
	run, approval := s.named(p, "run"), s.named(p, "approval")
	return map[string]string{
		"run-closed":           "It has ended already. How: " + s.helper(s.As, "run get "+run),
		"run-not-failed":       "Only a failed run is retried. How this one stands: " + s.helper(s.As, "run get "+run),
		"approval-closed":      "There is nothing left to decide. What still waits: " + s.helper(s.As, "approvals"),
		"digest-stale":         "What is shown has changed since you looked. Look again: " + s.helper(s.As, "approve "+approval),
		"already-voted":        "While it is pending you may take your vote back: " + s.helper(s.As, "withdraw "+approval),
		"idempotency-mismatch": "This key belongs to another call. Choose another --key, or leave it out and one is made.",
		"erased":               "The content was erased for good; the entry says by whom and why.",
		"too-large":            "A request holds 1 MiB at most. Send a reference to the document instead of the document.",
	}[p.Kind()]
}

// named is the run or the approval that a refused request was about.
func (s *session) named(p *client.Problem, kind string) string {
	if rest, ok := strings.CutPrefix(p.Instance, "/v1/"+kind+"s/"); ok {
		id, _, _ := strings.Cut(rest, "/")
		return id
	}
	return "ID"
}

// comeBack says when to try again.
func comeBack(after time.Duration) string {
	if after <= 0 {
		return "Try again, with the same --key if you gave one."
	}
	return fmt.Sprintf("Try again in %s (at %s), with the same --key if you gave one.", elapsed(after), time.Now().Add(after).Format(time.TimeOnly))
}

var missingRole = regexp.MustCompile(`needs the role ([a-z0-9_-]+)`)

// whoMay says who could do what was denied.
func (s *session) whoMay(detail string) string {
	const yours = "Your roles: custody token show. Your sign-in provider gives them."
	m := missingRole.FindStringSubmatch(detail)
	if s.As == "" || m == nil {
		return yours
	}
	for _, p := range devidp.People() {
		if slices.Contains(p.Roles, m[1]) {
			return "On `custody dev` that is " + p.Name + ": --as " + p.Name
		}
	}
	return yours
}

// whereListed says where to look for an unknown thing. What belongs to a run or
// an approval may be missing although the run is there.
func (s *session) whereListed(p *client.Problem) string {
	at := p.Instance
	switch {
	case at == "/v1/runs":
		return "There is no such workflow, or not that version of it. What there is: " + s.helper(s.As, "workflow list")
	case strings.HasPrefix(at, "/v1/runs/") && (strings.HasSuffix(at, "/input") || strings.HasSuffix(at, "/output")):
		return "There is none yet, or none that you may see. How far the run is, and its steps: " + s.helper(s.As, "run get "+s.named(p, "run"))
	case strings.HasSuffix(at, "/votes/mine"):
		return "You have no vote there. What you may see: " + s.helper(s.As, "approvals --all")
	}
	for part, command := range map[string]string{
		"/v1/runs": "run list", "/v1/workflows": "workflow list", "/v1/approvals": "approvals --all",
		"/v1/audit/entries": "audit list", "/v1/audit/bundle": "run list", "/v1/revocations": "revocations",
	} {
		if strings.HasPrefix(at, part) {
			return "There is none that you may see. What there is: " + s.helper(s.As, command)
		}
	}
	return ""
}

// ineligible says in words why somebody may not vote.
func ineligible(reason string) string {
	text, ok := map[string]string{
		"requester":            "you asked for this run",
		"acting_for_requester": "you act for whoever asked for this run",
		"author":               "you wrote this workflow",
		"not_in_group":         "you have none of the roles that may decide",
		"already_voted":        "you have voted",
		"agent":                "only people decide",
		"delegated":            "you handed it over",
		"closed":               "it is decided",
	}[reason]
	if !ok {
		return reason
	}
	return text + " (" + reason + ")"
}
