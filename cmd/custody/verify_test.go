package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTamperedEvidenceEndsWithSeven changes the record in a bundle and in the
// database; the untouched twins verify.
func TestTamperedEvidenceEndsWithSeven(t *testing.T) {
	t.Parallel()
	sh := world(t)
	run, id := asked(t, sh, `{"question": "May we?"}`)
	if r := sh.run("y\n", "--as", "bob", "approve", id); r.code != 0 {
		t.Fatal(r.err)
	}
	sh.must("--as", "alice", "run", "watch", run)
	bundle := filepath.Join(sh.dir, "evidence.zip")
	sh.must("--as", "audrey", "audit", "export", "--run", run, "--out", bundle)
	info, err := os.Stat(bundle)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	sh.must("audit", "verify", bundle)
	altered := filepath.Join(sh.dir, "altered.zip")
	rewrite(t, bundle, altered, "entries.jsonl", `approval.voted`, `approval.noted`)
	if r := sh.run("", "--json", "audit", "verify", altered); r.code != exitBroken || !strings.Contains(r.out, `"verdict": "broken"`) || !strings.Contains(r.out, run) {
		t.Errorf("exit %d: %s", r.code, r.out)
	}

	url := sh.env["CUSTODY_DATABASE_URL"]
	sh.must("audit", "verify", "--database-url", url)
	if alterAsServer(t.Context(), url) == nil {
		t.Error("the server's own rights let it change an entry")
	}
	sh.must("audit", "verify", "--database-url", url)
	must(t, alterVote(t.Context(), url, run))
	if r := sh.run("", "audit", "verify", "--database-url", url); r.code != exitBroken || !strings.Contains(r.out, "entry.altered "+run) {
		t.Errorf("exit %d: %s", r.code, r.out)
	}
}

// rewrite copies a zip and replaces a text in one of its files.
func rewrite(t *testing.T, from, to, name, was, is string) {
	t.Helper()
	r, err := zip.OpenReader(from)
	must(t, err)
	defer r.Close()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		in, err := f.Open()
		must(t, err)
		raw, err := io.ReadAll(in)
		must(t, err)
		if f.Name == name {
			raw = bytes.ReplaceAll(raw, []byte(was), []byte(is))
		}
		part, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: f.Method, Modified: f.Modified})
		must(t, err)
		_, err = part.Write(raw)
		must(t, err)
	}
	must(t, w.Close())
	must(t, os.WriteFile(to, out.Bytes(), 0o600))
}

func TestABundleThatBrokeOffLeavesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "evidence.zip")
	if _, err := writeWhole(path, io.MultiReader(strings.NewReader("PK"), broken{})); err == nil {
		t.Error("no error")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
