package audit_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security/audit"
)

const digest = "sha256:" + "00000000000000000000000000000000000000000000000000000000000000aa"

// bundle is the whole sample with its content.
func (l *ledger) bundle() audit.Bundle {
	b := audit.Bundle{
		Origin: origin, Scope: audit.Scope{All: true, Payloads: true}, MadeAt: time.UnixMicro(l.at),
		Workflows: map[string]string{digest: "name: contract-review\n"},
	}
	for _, s := range l.streams {
		b.Entries = append(b.Entries, l.entries[s]...)
		b.Payloads = append(b.Payloads, l.content[s]...)
	}
	return b
}

func write(t testing.TB, b audit.Bundle) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := audit.WriteBundle(&file, b); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func verify(t testing.TB, file []byte) audit.Report {
	t.Helper()
	r, err := audit.VerifyBundle(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A part is one file of a zip.
type part struct{ name, content string }

func unpack(t testing.TB, file []byte) []part {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var parts []part
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{f.Name, string(content)})
	}
	return parts
}

// pack makes a zip as any other tool would.
func pack(t testing.TB, parts []part, method uint16) []byte {
	t.Helper()
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	for _, p := range parts {
		w, err := z.CreateHeader(&zip.FileHeader{Name: p.name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, p.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestABundleIsIntactAndSaysWhatItHolds(t *testing.T) {
	t.Parallel()
	file := write(t, sample().bundle())
	want := audit.Report{
		Verdict: audit.Intact, Tier: "T0", Entries: 15, Streams: 4,
		Payloads: audit.PayloadCounts{Matching: 6}, Findings: []audit.Finding{},
	}
	if diff := cmp.Diff(want, verify(t, file)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	names := []string{}
	for _, p := range unpack(t, file) {
		names = append(names, p.name)
		if p.name == "manifest.json" {
			var m audit.Manifest
			if err := json.Unmarshal([]byte(p.content), &m); err != nil || m.V != 1 || m.Entries != 15 || m.Origin != origin {
				t.Errorf("the manifest is %s, %v", p.content, err)
			}
		}
	}
	for _, want := range []string{"entries.jsonl", "manifest.json", "VERIFY.md", "report.html", "workflows/" + digest[7:] + ".yaml"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not in %v", want, names)
		}
	}
}

func TestABundleWithoutContentIsIntact(t *testing.T) {
	t.Parallel()
	b := sample().bundle()
	b.Scope.Payloads, b.Payloads = false, nil
	if r := verify(t, write(t, b)); r.Verdict != audit.Intact || r.Payloads != (audit.PayloadCounts{}) {
		t.Errorf("%+v", r)
	}
}

func TestABundleOfOneRunIsIntact(t *testing.T) {
	t.Parallel()
	for _, run := range []string{runA, runC} {
		l := sample()
		b := audit.Bundle{Origin: origin, Scope: audit.Scope{Run: run}, Entries: l.entries[run]}
		b.Entries = append(b.Entries, l.entries[ctl][1]) // the one entry beside the run that concerns it
		if r := verify(t, write(t, b)); r.Verdict != audit.Intact {
			t.Errorf("%s: %v", run, r.Findings)
		}
	}
}

func TestABundleOfATimeMayBeginInTheMiddle(t *testing.T) {
	t.Parallel()
	l := sample()
	b := audit.Bundle{Origin: origin, Scope: audit.Scope{From: "2026-01-01T00:00:00Z"}, Entries: l.entries[runA][2:]}
	if r := verify(t, write(t, b)); r.Verdict != audit.Intact {
		t.Errorf("the end of a run: %v", r.Findings)
	}
	b.Entries = slices.Delete(slices.Clone(b.Entries), 1, 2)
	if diff := cmp.Diff([]string{"entry.missing A#3"}, places(verify(t, write(t, b)))); diff != "" {
		t.Errorf("a gap in it (-want +got):\n%s", diff)
	}
}

func TestDraftsMayStayBehind(t *testing.T) {
	t.Parallel()
	l := sample()
	l.add(runC, audit.Fact{Action: audit.CallIntent, Outcome: "ok", Run: runC, Payloads: []audit.Payload{{ID: "pay_01jd3v4m2h8s9d0q7x5z1k6b99", Kind: "draft:x#1"}}})
	if r := verify(t, write(t, l.bundle())); r.Verdict != audit.Intact {
		t.Errorf("a draft that is not disclosed: %v", r.Findings)
	}
}

func TestContentOfAnyBytesComesThrough(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "\xff\x00\xfe", "<script>", "\u2028\ufffd\x00", strings.Repeat("é", 100_000)} {
		l := newLedger()
		p := audit.Payload{ID: "pay_01jd3v4m2h8s9d0q7x5z1k6b99", Kind: "input", Commit: commitment("salt", content)}
		l.add(runA, audit.Fact{Action: audit.RunSubmitted, Outcome: "ok", Run: runA, Payloads: []audit.Payload{p}})
		l.content[runA] = []audit.DisclosedPayload{{ID: p.ID, Commit: p.Commit, Salt: []byte("salt"), Content: []byte(content)}}
		file := write(t, l.bundle())
		if r := verify(t, file); r.Verdict != audit.Intact || r.Payloads.Matching != 1 {
			t.Errorf("%.20q: %v", content, r.Findings)
		}
		python(t, file, true)
	}
}

// rewrite changes the parts of a bundle, which is then packed by another tool.
func TestEveryAttackOnABundleIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file string // whose content is edited; entries.jsonl when empty
		edit func(content string) string
		want []string
	}{
		"nothing":                  {"", func(s string) string { return s }, nil},
		"other white space":        {"", func(s string) string { return strings.ReplaceAll(s, `,"seq"`, ` , "seq" `) }, nil},
		"other escapes":            {"", func(s string) string { return strings.Replace(s, `run_`, `\u0072un_`, 1) }, nil},
		"an edited body":           {"", func(s string) string { return strings.Replace(s, `call_1`, `call_2`, 1) }, []string{"entry.altered A#1"}},
		"an edited hash":           {"", nth(1, func(s string) string { return strings.Replace(s, `"hash":"`, `"hash":"00`, 1) }), []string{"entry.altered ", "entry.missing A#1"}},
		"a deleted line":           {"", nth(2, func(string) string { return "" }), []string{"entry.missing A#2"}},
		"a line twice":             {"", nth(2, func(s string) string { return s + "\n" + s }), []string{"stream.forked A#2"}},
		"the last line deleted":    {"", nth(14, func(string) string { return "" }), []string{"entry.missing "}},
		"a run's end deleted":      {"", nth(4, func(string) string { return "" }), []string{"entry.missing "}},
		"no entries":               {"", func(string) string { return "" }, []string{"entry.missing ", "entry.missing "}},
		"a key twice":              {"", nth(0, func(s string) string { return strings.Replace(s, `{`, `{"seq":0,`, 1) }), []string{"entry.altered ", "entry.missing A#0"}},
		"a key too many":           {"", nth(0, func(s string) string { return strings.Replace(s, `{`, `{"note":0,`, 1) }), []string{"entry.altered ", "entry.missing A#0"}},
		"a blank line":             {"", nth(0, func(s string) string { return s + "\n " }), []string{"entry.altered "}},
		"an endless line":          {"", func(s string) string { return s + strings.Repeat("x", 2<<20) }, []string{"bundle.altered "}},
		"another origin":           {"manifest.json", func(s string) string { return strings.Replace(s, origin, "localhost/other", 1) }, manyAltered()},
		"another number":           {"manifest.json", func(s string) string { return strings.Replace(s, "15", "16", 1) }, []string{"entry.missing "}},
		"a smaller number":         {"manifest.json", func(s string) string { return strings.Replace(s, "15", "14", 1) }, []string{"bundle.altered "}},
		"another manifest version": {"manifest.json", func(s string) string { return strings.Replace(s, `"v": 1`, `"v": 2`, 1) }, nil},
		"a manifest of two values": {"manifest.json", func(s string) string { return s + "{}" }, nil},
		"other content":            {"payloads/", func(s string) string { return strings.Replace(s, "content of", "Content of", 1) }, []string{"payload.altered A#0"}},
		"another salt":             {"payloads/", func(s string) string { return strings.Replace(s, `"salt":"`, `"salt":"00`, 1) }, []string{"payload.altered A#0"}},
		"no salt": {"payloads/", func(s string) string {
			return `{"commitment":"` + strings.Repeat("0", 64) + `","salt":"","content":""}`
		}, []string{"payload.altered A#0"}},
		"another encoding":           {"payloads/", func(s string) string { return strings.Replace(s, `{`, `{"encoding":"rot13",`, 1) }, []string{"payload.altered A#0"}},
		"a payload of a field more":  {"payloads/", func(s string) string { return strings.Replace(s, `{`, `{"note":"",`, 1) }, []string{"payload.altered A#0"}},
		"content that is not hashed": {"payloads/", func(string) string { return "{}" }, []string{"payload.altered A#0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := unpack(t, write(t, sample().bundle()))
			i := slices.IndexFunc(parts, func(p part) bool { return strings.HasPrefix(p.name, cmpOr(c.file, "entries.jsonl")) })
			before := parts[i].content
			parts[i].content = c.edit(before)
			r := verify(t, pack(t, parts, zip.Deflate))
			honest := strings.HasPrefix(name, "nothing") || strings.HasPrefix(name, "other white") || strings.HasPrefix(name, "other esc")
			if honest != (r.Verdict == audit.Intact) || !honest && before == parts[i].content {
				t.Fatalf("%s, %v", r.Verdict, r.Findings)
			}
			if diff := cmp.Diff(c.want, places(r)); c.want != nil && diff != "" {
				t.Errorf("findings (-want +got):\n%s%v", diff, r.Findings)
			}
		})
	}
}

// nth edits one line, and drops it if nothing is left.
func nth(n int, edit func(string) string) func(string) string {
	return func(s string) string {
		lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
		if lines[n] = edit(lines[n]); lines[n] == "" {
			lines = slices.Delete(lines, n, n+1)
		}
		return strings.Join(lines, "\n") + "\n"
	}
}

func manyAltered() []string {
	var list []string
	for _, s := range []struct {
		name string
		n    int
	}{{"ctl-1", 2}, {"A", 5}, {"B", 5}, {"C", 3}} {
		for i := range s.n {
			list = append(list, fmt.Sprintf("entry.altered %s#%d", s.name, i))
		}
	}
	return list
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func TestAMissingTailIsNamedWhereItIsKnown(t *testing.T) {
	t.Parallel()
	l := sample()
	b := audit.Bundle{Origin: origin, Scope: audit.Scope{Run: runA}, Entries: l.entries[runA]}
	parts := unpack(t, write(t, b))
	parts[0].content = nth(4, func(string) string { return "" })(parts[0].content)
	if diff := cmp.Diff([]string{"entry.missing A#4"}, places(verify(t, pack(t, parts, zip.Store)))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestOnlyABundlesFilesBelongInABundle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parts []part
		ok    bool
	}{
		"folders":         {[]part{{"payloads/", ""}, {"workflows/", ""}}, true},
		"a path upwards":  {[]part{{"../x", ""}}, false},
		"from the root":   {[]part{{"/etc/x", ""}}, false},
		"a hidden climb":  {[]part{{"payloads/../../x.json", ""}}, false},
		"a backslash":     {[]part{{`payloads\x.json`, ""}}, false},
		"a payload's kin": {[]part{{"payloads/pay_x.json", "{}"}}, false},
		"a program":       {[]part{{"run.sh", "rm -rf /"}}, false},
		"entries twice":   {[]part{{"entries.jsonl", ""}}, false},
		"a bomb":          {[]part{{"workflows/" + strings.Repeat("bb", 32) + ".yaml", strings.Repeat("a", 40<<20)}}, false},
		"a stray payload": {[]part{{"payloads/pay_01jd3v4m2h8s9d0q7x5z1k6b99.json", "{}"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := append(unpack(t, write(t, sample().bundle())), c.parts...)
			if r := verify(t, pack(t, parts, zip.Deflate)); (r.Verdict == audit.Intact) != c.ok {
				t.Errorf("%s: %v", r.Verdict, r.Findings)
			}
		})
	}
}

func TestAnEntriesBombIsRefused(t *testing.T) {
	t.Parallel()
	parts := unpack(t, write(t, sample().bundle()))
	parts[0].content = strings.Repeat("\n", 17<<20)
	r := verify(t, pack(t, parts, zip.Deflate))
	if r.Verdict != audit.Broken || len(r.Findings) > 5 {
		t.Errorf("%d findings", len(r.Findings))
	}
}

func TestAMissingPartIsFound(t *testing.T) {
	t.Parallel()
	parts := unpack(t, write(t, sample().bundle()))
	for i, p := range parts {
		needed := p.name == "entries.jsonl" || p.name == "manifest.json" || strings.HasPrefix(p.name, "payloads/")
		r := verify(t, pack(t, slices.Delete(slices.Clone(parts), i, i+1), zip.Deflate))
		if needed != (r.Verdict == audit.Broken) {
			t.Errorf("without %s: %s, %v", p.name, r.Verdict, r.Findings)
		}
	}
}

func TestWhatIsNoBundleIsBroken(t *testing.T) {
	t.Parallel()
	whole := write(t, sample().bundle())
	for name, file := range map[string][]byte{
		"nothing": {}, "text": []byte("hello"), "cut short": whole[:len(whole)/2], "the end gone": whole[:len(whole)-1],
		"an empty zip": pack(t, nil, zip.Store), "bytes before": append([]byte("x"), whole...), "bytes after": append(slices.Clone(whole), 'x'),
	} {
		if r := verify(t, file); r.Verdict != audit.Broken || len(r.Findings) == 0 {
			t.Errorf("%s: %s", name, r.Verdict)
		}
	}
}

// A failing disk is nobody's forgery.
func TestAReadingErrorIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := audit.VerifyBundle(badDisk{}, 1000); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the error is %v", err)
	}
}

type badDisk struct{}

func (badDisk) ReadAt([]byte, int64) (int, error) { return 0, os.ErrClosed }

func TestEveryFlippedBitIsFound(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.run(runA, false)
	file := write(t, l.bundle())
	step := 61 // a prime: every place in a byte has its turn
	if os.Getenv("CUSTODY_EVERY_BIT") != "" {
		step = 1
	}
	for bit := 0; bit < 8*len(file); bit += step {
		file[bit/8] ^= 1 << (bit % 8)
		if r := verify(t, file); r.Verdict != audit.Broken || len(r.Findings) == 0 {
			t.Fatalf("bit %d of byte %d of %d is not found", bit%8, bit/8, len(file))
		}
		file[bit/8] ^= 1 << (bit % 8)
	}
}

func TestTheWriterKeepsItsOrder(t *testing.T) {
	t.Parallel()
	l := sample()
	b := audit.NewBundleWriter(io.Discard, origin, audit.Scope{}, time.Time{})
	if err := b.Payload(l.content[runA][0]); err != nil {
		t.Fatal(err)
	}
	if err := b.Entry(l.entries[runA][0]); !errors.Is(err, audit.ErrOrder) {
		t.Errorf("an entry after a payload: %v", err)
	}
	if err := b.Close(); !errors.Is(err, audit.ErrOrder) {
		t.Errorf("closing after that: %v", err)
	}
	for name, write := range map[string]func(*audit.BundleWriter) error{
		"a payload twice": func(b *audit.BundleWriter) error {
			_ = b.Payload(l.content[runA][0])
			return b.Payload(l.content[runA][0])
		},
		"a payload of any name":  func(b *audit.BundleWriter) error { return b.Payload(audit.DisclosedPayload{ID: "../x"}) },
		"a workflow of any name": func(b *audit.BundleWriter) error { return b.Workflow("sha256:../x", "") },
		"a second end":           func(b *audit.BundleWriter) error { _ = b.Close(); return b.Close() },
		"a part after the end":   func(b *audit.BundleWriter) error { _ = b.Close(); return b.Workflow(digest, "") },
	} {
		if err := write(audit.NewBundleWriter(io.Discard, origin, audit.Scope{}, time.Time{})); err == nil {
			t.Errorf("%s is written", name)
		}
	}
	if err := audit.WriteBundle(fullDisk{}, l.bundle()); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("on a full disk: %v", err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestThePageEscapesWhatItShows(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.add(runA, audit.Fact{Action: audit.StepIntent, Outcome: "ok", Run: runA, Step: `<script>alert(1)</script>`})
	for _, p := range unpack(t, write(t, l.bundle())) {
		if p.name == "report.html" && (strings.Contains(p.content, "<script") || !strings.Contains(p.content, "&lt;script&gt;")) {
			t.Errorf("the page is %s", p.content)
		}
	}
}

// python runs the second verifier, where there is a Python.
func python(t testing.TB, file []byte, intact bool) {
	t.Helper()
	exe, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	path := filepath.Join(t.TempDir(), "bundle.zip")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), exe, "testdata/verify.py", path).CombinedOutput()
	if (err == nil) != intact {
		t.Errorf("verify.py: %v\n%s", err, out)
	}
}

func TestTwoVerifiersAgree(t *testing.T) {
	t.Parallel()
	python(t, write(t, sample().bundle()), true)
	for _, n := range []int{0, 2, 4, 14} {
		parts := unpack(t, write(t, sample().bundle()))
		parts[0].content = nth(n, func(s string) string { return strings.Replace(s, `\"main\"`, `\"Main\"`, 1) })(parts[0].content)
		file := pack(t, parts, zip.Deflate)
		python(t, file, false)
		if r := verify(t, file); r.Verdict != audit.Broken {
			t.Errorf("line %d: %s", n, r.Verdict)
		}
	}
}

// Any bytes at all give a report, and only an untouched bundle is intact.
func FuzzVerifyBundle(f *testing.F) {
	whole := write(f, sample().bundle())
	f.Add(0, []byte{})
	f.Add(100, []byte{1, 2, 3})
	f.Add(len(whole)-30, []byte("x"))
	f.Fuzz(func(t *testing.T, at int, over []byte) {
		file := slices.Clone(whole)
		if at < 0 || at >= len(file) {
			return
		}
		copy(file[at:], over)
		r := verify(t, file)
		if same := bytes.Equal(file, whole); same != (r.Verdict == audit.Intact) {
			t.Errorf("same %v, %s: %v", same, r.Verdict, r.Findings)
		}
	})
}

func TestABundleIsNotUnpackedPastALimit(t *testing.T) {
	t.Parallel()
	file := write(t, sample().bundle())
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, f := range z.File {
		size += int64(f.UncompressedSize64)
	}
	if r, err := audit.VerifyBundleWithin(bytes.NewReader(file), int64(len(file)), size); err != nil || r.Verdict != audit.Intact {
		t.Errorf("just within: %+v, %v", r, err)
	}
	if _, err := audit.VerifyBundleWithin(bytes.NewReader(file), int64(len(file)), size-1); !errors.Is(err, audit.ErrUnpacked) {
		t.Errorf("a byte too many: %v", err)
	}
}
