package api

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store/storetest"
)

func TestTheServerVerifiesItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "x"}`)
	audrey := b.as("audrey")
	report, err := audrey.VerifyServer(t.Context())
	must(t, err)
	if !report.Intact() || report.Tier != "T0" || report.Entries == 0 || report.Streams == 0 || report.Payloads.Matching == 0 || report.Findings == nil || report.Receipt == nil {
		t.Errorf("%+v", report)
	}
	if got := b.control(audit.AuditVerified); len(got) != 1 || got[0].Outcome != audit.Intact || got[0].Target != "record" {
		t.Errorf("%+v", got)
	}
	_, err = storetest.Pool(t, b.database).Exec(t.Context(), `set session_replication_role = replica;
update custody.entry set body = replace(body, 'run.submitted', 'run.submittee') where action = 'run.submitted'`)
	must(t, err)
	report, err = audrey.VerifyServer(t.Context())
	must(t, err)
	if report.Intact() || len(report.Findings) == 0 || report.Findings[0].Stream == nil || *report.Findings[0].Stream != run.ID {
		t.Errorf("%+v", report)
	}
}

func TestTheServerVerifiesABundle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "x"}`)
	bundle := b.bundle("audrey", client.BundleScope{Run: run.ID, Payloads: true})
	verify := func(person string, body []byte, media string) reply {
		t.Helper()
		return b.send(person, "POST", verifyPath, string(body), "Content-Type", media)
	}
	var report Report
	verify("audrey", bundle, "application/zip").decode(t, &report)
	if report.Verdict != audit.Intact || report.Entries == 0 {
		t.Errorf("%+v", report)
	}
	broken := bytes.Clone(bundle)
	broken[len(broken)/2] ^= 1
	for name, body := range map[string][]byte{"altered": broken, "no zip": []byte("hello"), "a bomb": bomb(t)} {
		got := verify("audrey", body, "application/zip")
		report = Report{}
		if got.decode(t, &report); got.StatusCode != 200 || report.Verdict != audit.Broken || len(report.Findings) == 0 {
			t.Errorf("%s: %d %.300s", name, got.StatusCode, got.body)
		}
		if name == "a bomb" && !strings.Contains(string(got.body), "too large") {
			t.Errorf("%s: %.300s", name, got.body)
		}
	}
	for name, c := range map[string]struct {
		got  reply
		want int
	}{
		"a zip that says JSON":     {verify("audrey", bundle, "application/json"), 415},
		"a zip that says nothing":  {verify("audrey", bundle, ""), 415},
		"by nobody in particular":  {verify("alice", bundle, "application/zip"), 403},
		"large, by an auditor":     {verify("audrey", make([]byte, 2<<20), "application/zip"), 200},
		"large, by anybody else":   {verify("alice", make([]byte, 2<<20), "application/zip"), 413},
		"larger than any":          {verify("audrey", make([]byte, maxBundle+1), "application/zip"), 413},
		"too large when unpacked":  {verify("audrey", vast(t), "application/zip"), 413},
		"a rehearsal":              {b.send("audrey", "POST", verifyPath+"?dry_run=true", ""), 400},
		"large, somewhere else":    {b.send("audrey", "POST", "/v1/runs", big(2<<20)), 413},
		"the live record, by bob":  {b.send("bob", "POST", verifyPath, ""), 403},
		"the live record, as well": {b.send("audrey", "POST", verifyPath, ""), 200},
	} {
		if c.got.StatusCode != c.want {
			t.Errorf("%s: %d, want %d: %.300s", name, c.got.StatusCode, c.want, c.got.body)
		}
	}
}

// bomb is a zip whose entries would be 17 MiB of zeros: from 16 MiB on it counts
// how much larger they become.
func bomb(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.Create("entries.jsonl")
	must(t, err)
	for range 17 {
		_, err = w.Write(make([]byte, 1<<20))
		must(t, err)
	}
	must(t, z.Close())
	return out.Bytes()
}

func TestOneVerificationRunsAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.api.verifying <- struct{}{}
	got := b.send("audrey", "POST", verifyPath, "")
	if got.kind(t) != "unavailable" || got.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	<-b.api.verifying
	if got := b.send("audrey", "POST", verifyPath, ""); got.StatusCode != 200 || !json.Valid(got.body) {
		t.Errorf("the harmless twin: %d %s", got.StatusCode, got.body)
	}
}

// vast is a small zip that says that it holds a terabyte.
func vast(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "entries.jsonl", Method: zip.Deflate, CompressedSize64: 5, UncompressedSize64: 1 << 40})
	must(t, err)
	_, err = w.Write([]byte("hello"))
	must(t, err)
	must(t, z.Close())
	return out.Bytes()
}

// A large body is in memory until it is answered: there is room for a few.
func TestFewLargeBodiesAreHeldAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	large := string(make([]byte, 2<<20))
	for range maxBundles {
		b.api.bundles <- struct{}{}
	}
	if got := b.send("audrey", "POST", verifyPath, large, "Content-Type", "application/zip"); got.kind(t) != "unavailable" || got.Header.Get("Retry-After") == "" {
		t.Errorf("without room: %d %s", got.StatusCode, got.body)
	}
	for name, got := range map[string]reply{
		"a small one":    b.send("audrey", "POST", verifyPath, "hello", "Content-Type", "application/zip"),
		"the record":     b.send("audrey", "POST", verifyPath, ""),
		"somewhere else": b.send("alice", "POST", "/v1/runs", `{"workflow": "plain", "input": {"text": "x"}}`, "Idempotency-Key", "k"),
	} {
		if got.StatusCode/100 != 2 {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
		}
	}
	<-b.api.bundles
	for range 2 {
		if got := b.send("audrey", "POST", verifyPath, large, "Content-Type", "application/zip"); got.StatusCode != 200 {
			t.Errorf("with room: %d %s", got.StatusCode, got.body)
		}
	}
}

// Nothing of a stranger's text gets into the record by way of a refusal.
func TestARefusedExportRecordsNoTextOfItsCaller(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const mark = "%3Bcmd%7Cmark"
	if got := b.send("mallory", "GET", "/v1/audit/bundle?subject="+mark, ""); got.StatusCode != 400 || bytes.Contains(got.body, []byte("mark")) {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if got := b.send("mallory", "GET", "/v1/audit/bundle?subject="+security.NewID().Name("subj"), ""); got.kind(t) != "denied" {
		t.Errorf("the harmless twin: %d %s", got.StatusCode, got.body)
	}
	denied := b.control(audit.AccessDenied)
	if len(denied) != 1 || !strings.HasPrefix(denied[0].Target, "subj_") {
		t.Errorf("%+v", denied)
	}
}
