package approval_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/gowebpki/jcs"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func keys(t testing.TB, seed byte) *security.Keys {
	t.Helper()
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), 32)))
	k, err := security.NewKeys("m1", private, map[string]ed25519.PublicKey{"m1": private.Public().(ed25519.PublicKey)})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func document(quorum int) approval.Document {
	return approval.Document{
		ID: "apr_1", Nonce: "n1", Tenant: "main", Run: "run_1", Step: "legal", Attempt: 1, Workflow: "sha256:1",
		Requester: "subj_alice", Act: []string{"summariser"}, Author: "subj_erin", Effect: "file the contract",
		Shown:  []approval.Shown{{Name: "summary", Commit: strings.Repeat("ab", 32), Payload: "pay_1"}},
		Rule:   approval.Rule{Quorum: quorum, Roles: []string{"legal"}},
		MadeAt: now.UnixMicro(), ExpiresAt: now.Add(time.Hour).UnixMicro(),
	}
}

func request(t testing.TB, quorum int) approval.Request {
	t.Helper()
	r, err := approval.NewRequest(document(quorum))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func voter(name string) security.Principal {
	return security.Principal{
		Tenant: "main", ID: "subj_" + name, Kind: security.Human, Roles: []string{"legal"}, Client: "console",
		ACR: "mfa", AuthTime: now,
	}
}

// vote signs a vote that is cast a minute after the request.
func vote(t testing.TB, req approval.Request, who security.Principal, decision string) approval.Vote {
	t.Helper()
	v, err := approval.NewVote(keys(t, 1), req, who, decision, req.Digest, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func use(t testing.TB, req approval.Request, votes []approval.Vote) (approval.State, error) {
	t.Helper()
	d := document(1)
	rule := req.Document.Rule
	return approval.Use(req, votes, keys(t, 1), rule, d.Workflow, d.Run, d.Step, d.Attempt)
}

func TestEveryReasonNotToVoteIsGiven(t *testing.T) {
	t.Parallel()
	change := func(f func(*security.Principal)) security.Principal {
		p := voter("bob")
		f(&p)
		return p
	}
	for name, c := range map[string]struct {
		who  security.Principal
		want []string
	}{
		"bob of legal":           {voter("bob"), nil},
		"the requester":          {voter("alice"), []string{"requester"}},
		"the author":             {voter("erin"), []string{"author"}},
		"who has voted":          {voter("dora"), []string{"already_voted"}},
		"without the role":       {change(func(p *security.Principal) { p.Roles = []string{"admin"} }), []string{"not_in_group"}},
		"of another tenant":      {change(func(p *security.Principal) { p.Tenant = "other" }), []string{"not_in_group"}},
		"an agent":               {change(func(p *security.Principal) { p.Kind = security.Agent }), []string{"agent"}},
		"through some agent":     {change(func(p *security.Principal) { p.Act = []string{"bot"} }), []string{"agent"}},
		"through the agent":      {change(func(p *security.Principal) { p.Client = "summariser" }), []string{"acting_for_requester"}},
		"the agent acts for bob": {change(func(p *security.Principal) { p.Act = []string{"summariser"} }), []string{"acting_for_requester", "agent"}},
		"alice acts for bob":     {change(func(p *security.Principal) { p.Act = []string{"subj_alice"} }), []string{"acting_for_requester", "agent"}},
		"nobody":                 {security.Principal{}, []string{"not_in_group", "agent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := request(t, 2)
			votes := []approval.Vote{vote(t, req, voter("dora"), approval.Approve)}
			got := approval.Eligible(req, votes, c.who, now)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			if got := approval.Eligible(req, votes, c.who, now.Add(time.Hour)); !slices.Contains(got, "closed") {
				t.Errorf("after it expired: %v", got)
			}
		})
	}
}

func TestAVoterNeedsEveryRole(t *testing.T) {
	t.Parallel()
	d := document(1)
	d.Rule.Roles = []string{"legal", "security"}
	req, err := approval.NewRequest(d)
	if err != nil {
		t.Fatal(err)
	}
	bob := voter("bob")
	if got := approval.Eligible(req, nil, bob, now); !slices.Equal(got, []string{"not_in_group"}) {
		t.Errorf("with one role: %v", got)
	}
	bob.Roles = []string{"security", "legal"}
	if got := approval.Eligible(req, nil, bob, now); len(got) > 0 {
		t.Errorf("with both: %v", got)
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		quorum int
		before []string // "bob+" approves, "bob-" rejects
		next   string
		at     time.Duration
		want   approval.State
		err    error
	}{
		"nothing yet":           {1, nil, "", 0, approval.Pending, nil},
		"one of one":            {1, nil, "bob+", 0, approval.Approved, nil},
		"one of two":            {2, nil, "bob+", 0, approval.Pending, nil},
		"two of two":            {2, []string{"bob+"}, "dora+", 0, approval.Approved, nil},
		"one rejects":           {2, []string{"bob+"}, "dora-", 0, approval.Rejected, nil},
		"the same again":        {2, []string{"bob+"}, "bob+", 0, approval.Pending, approval.ErrAlreadyVoted},
		"a change of mind":      {2, []string{"bob+"}, "bob-", 0, approval.Pending, approval.ErrAlreadyVoted},
		"after the approval":    {1, []string{"bob+"}, "dora-", 0, approval.Approved, approval.ErrClosed},
		"after the rejection":   {1, []string{"bob-"}, "dora+", 0, approval.Rejected, approval.ErrClosed},
		"the requester":         {1, nil, "alice+", 0, approval.Pending, approval.ErrNotEligible},
		"the author":            {1, nil, "erin+", 0, approval.Pending, approval.ErrNotEligible},
		"the agent":             {1, nil, "#summariser+", 0, approval.Pending, approval.ErrNotEligible},
		"time is up":            {1, nil, "", time.Hour, approval.Expired, nil},
		"too late":              {1, nil, "bob+", time.Hour, approval.Expired, approval.ErrClosed},
		"approved in time":      {1, []string{"bob+"}, "", time.Hour, approval.Approved, nil},
		"half approved in time": {2, []string{"bob+"}, "", time.Hour, approval.Expired, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := request(t, c.quorum)
			votes := []approval.Vote{}
			for _, b := range c.before {
				votes = append(votes, shorthand(t, req, b))
			}
			var next *approval.Vote
			if c.next != "" {
				v := shorthand(t, req, c.next)
				next = &v
			}
			got, err := approval.Decide(req, votes, next, now.Add(c.at).UnixMicro())
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}

func shorthand(t testing.TB, req approval.Request, s string) approval.Vote {
	t.Helper()
	who, decision := voter(s[:len(s)-1]), approval.Approve
	if agent, ok := strings.CutPrefix(s[:len(s)-1], "#"); ok {
		who.ID = agent
	}
	if strings.HasSuffix(s, "-") {
		decision = approval.Reject
	}
	return vote(t, req, who, decision)
}

func TestDecideRefusesAVoteThatIsNotOfThisDocument(t *testing.T) {
	t.Parallel()
	req := request(t, 1)
	other := document(1)
	other.Nonce = "n2"
	otherReq, err := approval.NewRequest(other)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*approval.Request, *approval.Vote)
		want   error
	}{
		"an old digest":      {func(_ *approval.Request, v *approval.Vote) { *v = vote(t, otherReq, voter("bob"), approval.Approve) }, approval.ErrStale},
		"another name":       {func(_ *approval.Request, v *approval.Vote) { v.By = "subj_dora" }, approval.ErrEvidence},
		"another word":       {func(_ *approval.Request, v *approval.Vote) { v.Decision = approval.Reject }, approval.ErrEvidence},
		"another vote":       {func(_ *approval.Request, v *approval.Vote) { v.ID = "vote_2" }, approval.ErrEvidence},
		"no statement":       {func(_ *approval.Request, v *approval.Vote) { v.Statement.Body = nil }, approval.ErrEvidence},
		"a changed document": {func(r *approval.Request, _ *approval.Vote) { r.Document.Rule.Quorum = 5 }, approval.ErrEvidence},
		"a withdrawn one":    {func(r *approval.Request, _ *approval.Vote) { r.State = approval.Withdrawn }, approval.ErrClosed},
		"a stateless one":    {func(r *approval.Request, _ *approval.Vote) { r.State = "" }, approval.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, v := req, vote(t, req, voter("bob"), approval.Approve)
			c.change(&r, &v)
			if state, err := approval.Decide(r, nil, &v, now.UnixMicro()); !errors.Is(err, c.want) || state == approval.Approved {
				t.Errorf("%s, %v", state, err)
			}
		})
	}
}

func TestUse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		votes  []string
		quorum int
		stored approval.State
		want   approval.State
	}{
		"approved":               {[]string{"bob+"}, 1, approval.Approved, approval.Approved},
		"approved by two":        {[]string{"bob+", "dora+"}, 2, approval.Approved, approval.Approved},
		"approved, not yet said": {[]string{"bob+"}, 1, approval.Pending, approval.Approved},
		"rejected":               {[]string{"bob-"}, 1, approval.Rejected, approval.Rejected},
		"rejected after one":     {[]string{"bob+", "dora-"}, 2, approval.Rejected, approval.Rejected},
		"waiting":                {nil, 1, approval.Pending, approval.Pending},
		"expired":                {[]string{"bob+"}, 2, approval.Expired, approval.Expired},
		"withdrawn":              {nil, 1, approval.Withdrawn, approval.Withdrawn},
		"approved by nobody":     {nil, 1, approval.Approved, ""},
		"approved by too few":    {[]string{"bob+"}, 2, approval.Approved, ""},
		"approved, but rejected": {[]string{"bob-"}, 1, approval.Approved, ""},
		"rejected by nobody":     {nil, 1, approval.Rejected, ""},
		"expired, but approved":  {[]string{"bob+"}, 1, approval.Expired, ""},
		"by the requester":       {[]string{"alice+"}, 1, approval.Approved, ""},
		"by the author":          {[]string{"erin+"}, 1, approval.Approved, ""},
		"by one person twice":    {[]string{"bob+", "bob+"}, 2, approval.Approved, ""},
		"in no state":            {[]string{"bob+"}, 1, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := request(t, c.quorum)
			req.State = c.stored
			votes := []approval.Vote{}
			for _, v := range c.votes {
				votes = append(votes, shorthand(t, req, v))
			}
			got, err := use(t, req, votes)
			if got != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, approval.ErrEvidence) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// Whoever owns the database changes one thing; the approval must be dead.
func TestNoChangeOfTheRecordApproves(t *testing.T) {
	t.Parallel()
	type record struct {
		req           approval.Request
		votes         []approval.Vote
		keys          *security.Keys
		rule          approval.Rule
		wf, run, step string
		attempt       int
	}
	resign := func(t *testing.T, r *record, change func(*approval.Statement)) {
		s, err := approval.ParseStatement(string(r.votes[0].Statement.Body))
		if err != nil {
			t.Fatal(err)
		}
		change(&s)
		r.votes[0].Statement = r.keys.Sign(security.ForVote, []byte(s.Text()))
	}
	for name, attack := range map[string]func(t *testing.T, r *record){
		"the text": func(_ *testing.T, r *record) { r.req.Text = strings.Replace(r.req.Text, "file", "sell", 1) },
		"the text and digest": func(_ *testing.T, r *record) {
			r.req.Text = strings.Replace(r.req.Text, "file", "sell", 1)
			r.req.Digest = approval.Digest(r.req.Text)
		},
		"the text's form":      func(_ *testing.T, r *record) { r.req.Text += " " },
		"the digest":           func(_ *testing.T, r *record) { r.req.Digest = approval.Digest("") },
		"the quorum asked":     func(_ *testing.T, r *record) { r.rule.Quorum = 2 },
		"the roles asked":      func(_ *testing.T, r *record) { r.rule.Roles = []string{"security"} },
		"what rejecting means": func(_ *testing.T, r *record) { r.rule.OnReject = approval.OnRejectContinue },
		"the workflow":         func(_ *testing.T, r *record) { r.wf = "sha256:2" },
		"the run":              func(_ *testing.T, r *record) { r.run = "run_2" },
		"the step":             func(_ *testing.T, r *record) { r.step = "file" },
		"the attempt":          func(_ *testing.T, r *record) { r.attempt = 2 },
		"the voter":            func(_ *testing.T, r *record) { r.votes[0].By = "subj_dora" },
		"the vote's id":        func(_ *testing.T, r *record) { r.votes[0].ID = "vote_2" },
		"the vote's word":      func(_ *testing.T, r *record) { r.votes[0].Decision = approval.Reject },
		"the signature":        func(_ *testing.T, r *record) { r.votes[0].Statement.Sig[3] ^= 1 },
		"the key":              func(t *testing.T, r *record) { r.votes[0].Statement.Key = "m2" },
		"all keys":             func(t *testing.T, r *record) { r.keys = keys(t, 2) },
		"no keys":              func(_ *testing.T, r *record) { r.keys = nil },
		"a mandate's signature": func(_ *testing.T, r *record) {
			r.votes[0].Statement = r.keys.Sign(security.ForMandate, r.votes[0].Statement.Body)
		},
		"a signed password":    func(t *testing.T, r *record) { resign(t, r, func(s *approval.Statement) { s.ACR = "pwd" }) },
		"a signed old sign-in": func(t *testing.T, r *record) { resign(t, r, func(s *approval.Statement) { s.AuthTime -= 3600 }) },
		"a signed no sign-in":  func(t *testing.T, r *record) { resign(t, r, func(s *approval.Statement) { s.AuthTime = 0 }) },
		"a signed late vote": func(t *testing.T, r *record) {
			resign(t, r, func(s *approval.Statement) { s.At += 3600e6; s.AuthTime += 3600 })
		},
		"a signed early vote": func(t *testing.T, r *record) {
			resign(t, r, func(s *approval.Statement) { s.At -= 3600e6; s.AuthTime -= 3600 })
		},
		"a signed agent": func(t *testing.T, r *record) { resign(t, r, func(s *approval.Statement) { s.Kind = security.Agent }) },
		"a signed other digest": func(t *testing.T, r *record) {
			resign(t, r, func(s *approval.Statement) { s.Digest = approval.Digest("") })
		},
		"a signed other request": func(t *testing.T, r *record) { resign(t, r, func(s *approval.Statement) { s.Approval = "apr_2" }) },
		"a signed other version": func(t *testing.T, r *record) { resign(t, r, func(s *approval.Statement) { s.V = 2 }) },
		"a signed shrug": func(t *testing.T, r *record) {
			resign(t, r, func(s *approval.Statement) { s.Decision = "abstain" })
			r.votes[0].Decision = "abstain"
		},
		"a vote more": func(t *testing.T, r *record) {
			v := vote(t, r.req, voter("dora"), approval.Approve)
			v.Statement.Sig = nil
			r.votes = append(r.votes, v)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, req := document(1), request(t, 1)
			req.State = approval.Approved
			r := record{req, []approval.Vote{vote(t, req, voter("bob"), approval.Approve)}, keys(t, 1), d.Rule, d.Workflow, d.Run, d.Step, d.Attempt}
			if s, err := approval.Use(r.req, r.votes, r.keys, r.rule, r.wf, r.run, r.step, r.attempt); s != approval.Approved || err != nil {
				t.Fatalf("untouched: %s, %v", s, err)
			}
			attack(t, &r)
			s, err := approval.Use(r.req, r.votes, r.keys, r.rule, r.wf, r.run, r.step, r.attempt)
			if s != "" || !errors.Is(err, approval.ErrEvidence) {
				t.Errorf("%q, %v", s, err)
			}
		})
	}
}

// Any interleaving of votes, clock and nonsense ends in one state, the first
// that is final stays, and using it agrees.
func TestAnyInterleavingHasOneEnd(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		req := request(t, 1+rnd.IntN(3))
		var votes []approval.Vote
		final := approval.Pending
		clock := now
		for range 12 {
			clock = clock.Add(time.Duration(rnd.IntN(9)) * time.Minute)
			next := randomVote(t, rnd, req, clock)
			got, err := approval.Decide(req, votes, next, clock.UnixMicro())
			if final != approval.Pending && got != final {
				t.Fatalf("seed %d: it was %s and became %s", seed, final, got)
			}
			if next != nil && err == nil {
				votes = append(votes, *next)
			}
			if got != approval.Pending {
				final, req.State = got, got
			}
		}
		if slices.ContainsFunc(votes, func(v approval.Vote) bool { return v.By == "subj_alice" }) {
			t.Fatalf("seed %d: the requester voted", seed)
		}
		if got, err := use(t, req, votes); got != final || err != nil {
			t.Fatalf("seed %d: it is %s, using it gives %s, %v", seed, final, got, err)
		}
		if n := len(votes); (final == approval.Approved) != (n >= req.Document.Rule.Quorum && votes[n-1].Decision == approval.Approve) {
			t.Fatalf("seed %d: %s after %d votes", seed, final, n)
		}
	}
}

// randomVote is a good vote, one that must not count, or none.
func randomVote(t testing.TB, rnd *rand.Rand, req approval.Request, at time.Time) *approval.Vote {
	t.Helper()
	who := voter([]string{"alice", "bob", "dora", "emil", "erin"}[rnd.IntN(5)])
	who.AuthTime = at
	digest := req.Digest
	decision := approval.Approve
	switch rnd.IntN(9) {
	case 0:
		return nil
	case 1:
		digest = approval.Digest("another")
	case 2:
		decision = approval.Reject
	case 3:
		who.ACR = "pwd"
	case 4:
		who.Kind = security.Agent
	}
	v, err := approval.NewVote(keys(t, 1), req, who, decision, digest, at)
	if err != nil {
		t.Fatal(err)
	}
	return &v
}

func TestARequestMustBindEverything(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*approval.Document){
		"id": func(d *approval.Document) { d.ID = "" }, "nonce": func(d *approval.Document) { d.Nonce = "" },
		"tenant": func(d *approval.Document) { d.Tenant = "" }, "run": func(d *approval.Document) { d.Run = "" },
		"step": func(d *approval.Document) { d.Step = "" }, "workflow": func(d *approval.Document) { d.Workflow = "" },
		"requester": func(d *approval.Document) { d.Requester = "" }, "attempt": func(d *approval.Document) { d.Attempt = 0 },
		"end": func(d *approval.Document) { d.ExpiresAt = d.MadeAt }, "quorum": func(d *approval.Document) { d.Rule.Quorum = 0 },
		"roles": func(d *approval.Document) { d.Rule.Roles = nil }, "a role": func(d *approval.Document) { d.Rule.Roles = []string{""} },
		"a role of other bytes": func(d *approval.Document) { d.Rule.Roles = []string{"\xff"} }, "an end in time": func(d *approval.Document) { d.ExpiresAt = 1 << 53 },
		"on_reject": func(d *approval.Document) { d.Rule.OnReject = "ignore" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := document(1)
			change(&d)
			if _, err := approval.NewRequest(d); !errors.Is(err, approval.ErrDocument) && !errors.Is(err, approval.ErrRule) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestADocumentHasOneText(t *testing.T) {
	t.Parallel()
	d := document(2)
	d.Effect, d.Rule.Roles = "a \"quoted\"\n<line>\u2028é\xff", []string{"security", "legal"}
	text := d.Text()
	isCanonical(t, text)
	back, err := approval.ParseDocument(text)
	if err != nil || back.Text() != text || back.Digest() != d.Digest() || !back.Rule.Equal(d.Rule) {
		t.Fatalf("%+v, %v", back, err)
	}
	for name, other := range map[string]string{
		"white space": text + "\n", "another key": strings.Replace(text, `{"approval"`, `{"a":1,"approval"`, 1),
		"a key twice": strings.Replace(text, `"v":1`, `"v":1,"v":1`, 1), "another version": strings.Replace(text, `"v":1`, `"v":2`, 1),
		"a float": strings.Replace(text, `"v":1`, `"v":1.0`, 1), "nothing": "", "no object": "1", "two": text + text,
		"capitals": strings.Replace(text, `"nonce"`, `"Nonce"`, 1), "an escape": strings.Replace(text, `"n1"`, `"\u006e1"`, 1),
	} {
		if _, err := approval.ParseDocument(other); !errors.Is(err, approval.ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isCanonical(t testing.TB, text string) {
	t.Helper()
	v := jsontext.Value(text)
	if err := v.Canonicalize(); err != nil || string(v) != text {
		t.Fatalf("jsontext makes %s of %s, %v", v, text, err)
	}
	if out, err := jcs.Transform([]byte(text)); err != nil || string(out) != text {
		t.Fatalf("jcs makes %s of %s, %v", out, text, err)
	}
}

// Every document's text is canonical and reads back to the same text.
func FuzzDocument(f *testing.F) {
	f.Add("n", "legal", "\xff\u2028\x00", 3, int64(1))
	f.Fuzz(func(t *testing.T, nonce, role, odd string, quorum int, at int64) {
		d := document(quorum % 1000)
		d.Nonce, d.Rule.Roles, d.Effect, d.Act, d.MadeAt = nonce, []string{role, odd}, odd, []string{odd}, at%(1<<53)
		d.Shown = append(d.Shown, approval.Shown{Name: odd, Commit: role, Payload: nonce})
		text := d.Text()
		isCanonical(t, text)
		back, err := approval.ParseDocument(text)
		if err != nil || back.Text() != text {
			t.Fatalf("%v: %s", err, text)
		}
	})
}

// A text that reads as a document or a statement is the only text of it.
func FuzzParse(f *testing.F) {
	d := document(1)
	req := request(f, 1)
	f.Add(d.Text())
	f.Add(string(vote(f, req, voter("bob"), approval.Approve).Statement.Body))
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := approval.ParseDocument(text); err == nil && d.Text() != text {
			t.Fatalf("%q", text)
		}
		if s, err := approval.ParseStatement(text); err == nil && s.Text() != text {
			t.Fatalf("%q", text)
		}
	})
}

func TestNewVoteTakesTwoWords(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"", "yes", "Approve"} {
		if _, err := approval.NewVote(keys(t, 1), request(t, 1), voter("bob"), word, "", now); !errors.Is(err, approval.ErrStatement) {
			t.Errorf("%q: %v", word, err)
		}
	}
}

func ExampleDecide() {
	req, err := approval.NewRequest(document(1))
	if err != nil {
		fmt.Println(err)
	}
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	keys, err := security.NewKeys("m1", private, map[string]ed25519.PublicKey{"m1": private.Public().(ed25519.PublicKey)})
	if err != nil {
		fmt.Println(err)
	}
	for _, name := range []string{"alice", "bob"} { // alice asked for it
		v, _ := approval.NewVote(keys, req, voter(name), approval.Approve, req.Digest, now)
		fmt.Println(approval.Decide(req, nil, &v, now.UnixMicro()))
	}
	// Output:
	// pending this person may not vote here
	// approved <nil>
}
