package audit_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/gowebpki/jcs"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// full is a fact with every field set.
func full() audit.Fact {
	return audit.Fact{
		Action: audit.StepResult, Outcome: "ok", Tenant: "main", Run: runA, Step: "draft", Item: "3", Attempt: 2,
		Call: "call_1", Key: runA + "/draft/3", Actor: "subj_1", ActorKind: "human", Act: []string{"agent-1", "agent-2"},
		Client: "cli", Workflow: "sha256:77", Name: "contract-review", Request: "req-1",
		Decision: &audit.Decision{Effect: "allow", Policies: []string{"workflow.requires"}, Missing: []string{"mfa"}},
		Authn:    &audit.Authn{ACR: "mfa", AMR: []string{"otp", "pwd"}, AuthTime: 1, Mandate: "aa", TokenExp: 2},
		Findings: []security.Finding{{Rule: "r", Kind: "secret", Action: "redact", Path: "/output", Start: 1, End: 9, Read: "plain", Score: 12, Evidence: []security.Evidence{{Name: "set aside", Weight: -7}}, Text: "k1:ab", Pardon: "rel_1"}},
		Model: &audit.Model{
			Provider: "p", Model: "m", ResponseModel: "m-1", ID: "x", Finish: "stop", In: 3, Out: 4, UsageKnown: true, Micros: 5,
		},
		Payloads: []audit.Payload{{ID: "pay_1", Kind: "output:draft", Bytes: 6, Commit: audit.Hash{1}, Sum: audit.Hash{2}}},
		Approval: &audit.Approval{ID: "apr_1", Digest: "sha256:1", Decision: "approve", Quorum: 2, Vote: "vote_1", Voters: []string{"subj_2"}},
		Code:     "status", Status: 503, State: "failed", Reason: "error", Count: 7, RetryOf: runB, Adopted: runC, Due: 8,
		Target: "t", Build: "b", Rubric: "output/1", Texts: []string{"k1:ab"}, Unmet: []string{"keeps_secrets"},
	}
}

func TestEveryFieldComesBack(t *testing.T) {
	t.Parallel()
	f := full()
	body := string(f.AppendBody(nil, 42))
	got, err := audit.ParseBody(body)
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if diff := cmp.Diff(audit.Body{V: 1, AtUS: 42, Fact: f}, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	isCanonical(t, body)
}

func TestABodyAlwaysHasItsFields(t *testing.T) {
	t.Parallel()
	var f audit.Fact
	got := string(f.AppendBody(nil, 0))
	want := `{"action":"","at_us":0,"attempt":0,"call":"","key":"","outcome":"","run":"","step":"","v":1}`
	if got != want {
		t.Errorf("the empty fact is %s", got)
	}
	isCanonical(t, got)
}

func TestStringsAreBoundedAndValid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"escapes":         {"\"\\\b\t\n\f\r\x01\x1f\x7f", "\"\\\b\t\n\f\r\x01\x1f\x7f"},
		"unicode":         {"é€😀\u2028", "é€😀\u2028"},
		"bad UTF-8":       {"a\xffb\xc3", "a\ufffdb\ufffd"},
		"lone surrogate":  {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		"NUL":             {"a\x00b", "a\ufffdb"},
		"just fits":       {strings.Repeat("x", 256), strings.Repeat("x", 256)},
		"too long":        {strings.Repeat("x", 257), strings.Repeat("x", 253) + "…"},
		"cut between":     {strings.Repeat("€", 100), strings.Repeat("€", 84) + "…"},
		"long and bad":    {strings.Repeat("\xff", 256), strings.Repeat("\ufffd", 84) + "…"},
		"long with NUL":   {strings.Repeat("\x00", 86), strings.Repeat("\ufffd", 84) + "…"},
		"formula":         {"=1+1", "=1+1"},
		"looks like JSON": {`","action":"run.closed`, `","action":"run.closed`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := audit.Fact{Target: c.in}
			body := string(f.AppendBody(nil, 1))
			isCanonical(t, body)
			b, err := audit.ParseBody(body)
			if err != nil || b.Target != c.want {
				t.Errorf("%q came back as %q, %v", c.in, b.Target, err)
			}
		})
	}
}

func TestAKeyMayBeLong(t *testing.T) {
	t.Parallel()
	f := audit.Fact{Key: strings.Repeat("k", 1000)}
	if b, err := audit.ParseBody(string(f.AppendBody(nil, 1))); err != nil || b.Key != f.Key {
		t.Errorf("a key of 1000 bytes: %d, %v", len(b.Key), err)
	}
}

func TestManyFindingsAreCounted(t *testing.T) {
	t.Parallel()
	f := audit.Fact{Findings: make([]security.Finding, 1000)}
	body := string(f.AppendBody(nil, 1))
	isCanonical(t, body)
	b, err := audit.ParseBody(body)
	if err != nil || len(b.Findings) != 64 || !strings.Contains(body, `"findings_left":936`) {
		t.Errorf("%d findings, %v", len(b.Findings), err)
	}
}

func TestAFindingsWhyStaysOut(t *testing.T) {
	t.Parallel()
	f := audit.Fact{Findings: []security.Finding{{Rule: "r", Why: "the secret reason"}}}
	if body := string(f.AppendBody(nil, 1)); strings.Contains(body, "reason") {
		t.Errorf("the body says why: %s", body)
	}
}

func TestLargeIntegersAreDigits(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		1<<53 - 1: `"due_us":9007199254740991`, 1 << 53: `"due_us":"9007199254740992"`,
		-1<<53 + 1: `"due_us":-9007199254740991`, -1 << 63: `"due_us":"-9223372036854775808"`,
	} {
		f := audit.Fact{Due: n}
		body := string(f.AppendBody(nil, 1))
		isCanonical(t, body)
		if b, err := audit.ParseBody(body); err != nil || b.Due != n || !strings.Contains(body, want) {
			t.Errorf("%d came back as %d, %v in %s", n, b.Due, err, body)
		}
	}
}

func TestAppendBodyAllocatesNothing(t *testing.T) {
	f, buf := full(), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = f.AppendBody(buf[:0], 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// isCanonical asks two libraries that we do not ship.
func isCanonical(t testing.TB, body string) {
	t.Helper()
	if !utf8.ValidString(body) {
		t.Fatalf("not UTF-8: %q", body)
	}
	v := jsontext.Value(body)
	if err := v.Canonicalize(); err != nil || string(v) != body {
		t.Fatalf("jsontext makes %s of %s, %v", v, body, err)
	}
	if out, err := jcs.Transform([]byte(body)); err != nil || string(out) != body {
		t.Fatalf("jcs makes %s of %s, %v", out, body, err)
	}
	if !json.Valid([]byte(body)) || strings.Contains(body, `\u0000`) {
		t.Fatalf("not fit for PostgreSQL: %s", body)
	}
}

// Whatever a fact holds, its body is canonical and reads back.
func FuzzAppendBody(f *testing.F) {
	f.Add("step.result", "ok", "draft", "a\xff\x00\"\\", int64(1), int64(1)<<60)
	f.Add("run.closed", "\u2028", "", "😀", int64(-1), int64(-1)<<63)
	f.Fuzz(func(t *testing.T, action, outcome, step, odd string, at, n int64) {
		fact := full()
		fact.Action, fact.Outcome, fact.Step, fact.Due, fact.Count = audit.Action(action), outcome, step, n, at
		fact.Act, fact.Client, fact.Findings[0].Path = []string{odd, step}, odd, odd
		fact.Payloads[0].Kind, fact.Approval.Voters[0], fact.Model.ID, fact.Decision.Effect = odd, odd, odd, odd
		body := string(fact.AppendBody(nil, at))
		isCanonical(t, body)
		b, err := audit.ParseBody(body)
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if again := string(b.Fact.AppendBody(nil, b.AtUS)); again != body {
			t.Fatalf("read and written again:\n%s\n%s", body, again)
		}
	})
}

func BenchmarkAppendBody(b *testing.B) {
	f, buf := full(), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = f.AppendBody(buf[:0], 1_790_000_000_000_000)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkAppendLeaf(b *testing.B) {
	f, buf := full(), make([]byte, 0, 4096)
	body := f.AppendBody(nil, 1_790_000_000_000_000)
	b.ReportAllocs()
	for b.Loop() {
		_, buf = audit.AppendLeaf(buf, origin, runA, 7, audit.Hash{}, body)
	}
}
