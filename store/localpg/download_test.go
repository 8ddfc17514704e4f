//go:build linux || darwin

package localpg

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ulikunitz/xz"
)

// A mirror is a Maven repository at a prefix, behind a password.
type mirror struct {
	URL      string // with prefix, user and password
	release  string // for order.Release
	requests atomic.Int32
}

const mirrorPassword = "hunter2-mirror"

func newMirror(t *testing.T, jar []byte) *mirror {
	t.Helper()
	m := new(mirror)
	m.release = "15.99.0:test-platform:" + hexSum(jar)
	const path = "/company/maven/io/zonky/test/postgres/embedded-postgres-binaries-test-platform/15.99.0/embedded-postgres-binaries-test-platform-15.99.0.jar"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.requests.Add(1)
		user, password, _ := r.BasicAuth()
		switch {
		case user != "reader" || password != mirrorPassword:
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path != path:
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write(jar)
		}
	}))
	t.Cleanup(server.Close)
	m.URL = strings.Replace(server.URL, "http://", "http://reader:"+mirrorPassword+"@", 1) + "/company/maven/"
	return m
}

func releaseOf(text string) release {
	part := strings.Split(text, ":")
	return release{version: part[0], platform: part[1], sha256: part[2], size: "1 kB"}
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// fakeJar holds scripts that run the system's binaries, at the places where the
// real jar has its own.
func fakeJar(t *testing.T, system string) []byte {
	t.Helper()
	script := func(name string) string {
		return "#!/bin/sh\nexec " + filepath.Join(system, name) + ` "$@"` + "\n"
	}
	return jarOf(t, []tar.Header{
		{Name: "./bin/postgres", Mode: 0o755, Typeflag: tar.TypeReg, PAXRecords: map[string]string{"x": script("postgres")}},
		{Name: "./bin/initdb", Mode: 0o755, Typeflag: tar.TypeReg, PAXRecords: map[string]string{"x": script("initdb")}},
		{Name: "./lib/", Mode: 0o700, Typeflag: tar.TypeDir},
		{Name: "./lib/libpq.so.5.17", Mode: 0o644, Typeflag: tar.TypeReg},
		{Name: "./lib/libpq.so", Mode: 0o777, Typeflag: tar.TypeSymlink, Linkname: "libpq.so.5.17"},
	})
}

// jarOf packs the entries; a file's content is its record "x".
func jarOf(t *testing.T, entries []tar.Header) []byte {
	t.Helper()
	var jar bytes.Buffer
	archive := zip.NewWriter(&jar)
	if _, err := archive.Create("META-INF/MANIFEST.MF"); err != nil {
		t.Fatal(err)
	}
	file, err := archive.Create("postgres-test.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(txzOf(t, entries)); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return jar.Bytes()
}

func txzOf(t *testing.T, entries []tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	packed, err := xz.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(packed)
	for _, entry := range entries {
		content := entry.PAXRecords["x"]
		entry.PAXRecords = nil
		entry.Size = int64(len(content))
		if err := archive.WriteHeader(&entry); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTheDownloadComesFromAMirrorWithPrefixAndPasswordOnce(t *testing.T) {
	t.Parallel()
	bin := needSystem(t)
	m := newMirror(t, fakeJar(t, bin.dir))
	dir := openFolder(t)
	s := order{Dir: dir, Bin: "download", Repository: m.URL}.settings()
	s.release = releaseOf(m.release)
	var said bytes.Buffer
	s.Log = &said
	for range 2 {
		server, err := open(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if server.Source != "download 15.99.0" {
			t.Errorf("source %q", server.Source)
		}
		if err := server.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := said.String(); m.requests.Load() != 1 || got != "downloading PostgreSQL 15.99, 1 kB, once\n" {
		t.Errorf("%d downloads, said %q", m.requests.Load(), got)
	}
	link, err := os.Readlink(filepath.Join(dir, "postgres-15.99.0-test-platform", "lib", "libpq.so"))
	if err != nil || link != "libpq.so.5.17" {
		t.Errorf("%q, %v", link, err)
	}
}

func TestADownloadThatIsNotThePinnedOneIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	jar := jarOf(t, nil)
	good := newMirror(t, jar)
	tampered := bytes.Clone(jar)
	tampered[len(tampered)/2] ^= 1
	bad := newMirror(t, tampered)
	for name, row := range map[string]struct{ url, want string }{
		"one byte altered":   {bad.URL, "has sha256 " + hexSum(tampered) + ", expected " + hexSum(jar)},
		"not at this prefix": {good.URL + "elsewhere", "404"},
		"wrong password":     {strings.Replace(good.URL, mirrorPassword, mirrorPassword+"x", 1), "401"},
		"nobody listens":     {"http://reader:" + mirrorPassword + "@127.0.0.1:1/maven", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := openFolder(t)
			s := order{Dir: dir, Bin: "download", Repository: row.url}.settings()
			s.release, s.Log = releaseOf(good.release), io.Discard
			_, err := open(t.Context(), s)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
			if strings.Contains(err.Error(), mirrorPassword) {
				t.Errorf("the password is in the message: %v", err)
			}
			left, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range left {
				if !strings.HasSuffix(entry.Name(), ".lock") {
					t.Errorf("%s is left", entry.Name())
				}
			}
		})
	}
}

func TestAnArchiveThatLeavesItsFolderIsRefused(t *testing.T) {
	t.Parallel()
	file := func(name string) tar.Header { return tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg} }
	link := func(name, target string) tar.Header {
		return tar.Header{Name: name, Linkname: target, Mode: 0o777, Typeflag: tar.TypeSymlink}
	}
	for name, row := range map[string]struct {
		entries []tar.Header
		want    string // empty: accepted
	}{
		"a file below":                  {[]tar.Header{file("share/a/b")}, ""},
		"a link below":                  {[]tar.Header{file("lib/x.1"), link("lib/x", "x.1")}, ""},
		"a link up, but inside":         {[]tar.Header{file("lib/x.1"), link("bin/x", "../lib/x.1")}, ""},
		"a file above":                  {[]tar.Header{file("../evil")}, "leaves the folder"},
		"a file above, in the middle":   {[]tar.Header{file("a/../../evil")}, "leaves the folder"},
		"an absolute file":              {[]tar.Header{file("/tmp/evil")}, "leaves the folder"},
		"a link above":                  {[]tar.Header{link("lib/x", "../../evil")}, "leaves the folder"},
		"an absolute link":              {[]tar.Header{link("x", "/etc")}, "leaves the folder"},
		"the same file twice":           {[]tar.Header{file("a"), file("a")}, "exists"},
		"a device":                      {[]tar.Header{{Name: "dev", Typeflag: tar.TypeChar}}, "type"},
		"a hard link, which is no need": {[]tar.Header{{Name: "h", Linkname: "/etc/passwd", Typeflag: tar.TypeLink}}, "type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "folder")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			err := unpackTxz(t.Context(), bytes.NewReader(txzOf(t, row.entries)), dir)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
			if exists(filepath.Join(filepath.Dir(dir), "evil")) {
				t.Error("it wrote outside")
			}
		})
	}
}

func TestUnpackingStopsWhenCancelledAndRefusesRubbish(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	packed := txzOf(t, []tar.Header{{Name: "a", Mode: 0o644, Typeflag: tar.TypeReg}})
	if err := unpackTxz(ctx, bytes.NewReader(packed), t.TempDir()); err == nil {
		t.Error("unpacked although cancelled")
	}
	if err := unpackTxz(t.Context(), bytes.NewReader(packed[:len(packed)/2]), t.TempDir()); err == nil {
		t.Error("half an archive was taken")
	}
	empty := filepath.Join(t.TempDir(), "empty.jar")
	var jar bytes.Buffer
	if err := zip.NewWriter(&jar).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(empty, jar.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unpackJar(t.Context(), empty, t.TempDir()); err == nil || !strings.Contains(err.Error(), "no .txz") {
		t.Errorf("got %v", err)
	}
}

func TestAUmaskDoesNotHideTheBinaries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entries := []tar.Header{
		{Name: "bin/postgres", Mode: 0o700, Typeflag: tar.TypeReg},
		{Name: "share/x", Mode: 0o600, Typeflag: tar.TypeReg},
	}
	if err := unpackTxz(t.Context(), bytes.NewReader(txzOf(t, entries)), dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"bin": 0o755, "share": 0o755, "share/x": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestEveryPlatformHasItsOwnPinOrNone(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, row := range []struct {
		system, arch string
		musl         bool
		want         string
	}{
		{"linux", "amd64", false, "linux-amd64"},
		{"linux", "amd64", true, "linux-amd64-alpine"},
		{"linux", "arm64", false, "linux-arm64v8"},
		{"linux", "arm64", true, ""},
		{"darwin", "amd64", false, "darwin-amd64"},
		{"darwin", "arm64", false, "darwin-arm64v8"},
		{"linux", "riscv64", false, ""},
		{"windows", "amd64", false, ""},
	} {
		r := pinnedFor(row.system, row.arch, row.musl)
		if r.platform != row.want || (len(r.sha256) == 64) != (row.want != "") || r.major() != 17 {
			t.Errorf("%s/%s musl=%v: %+v", row.system, row.arch, row.musl, r)
		}
		if other, ok := seen[r.sha256]; ok && r.sha256 != "" {
			t.Errorf("%s and %s have one pin", other, r.platform)
		}
		seen[r.sha256] = r.platform
	}
	s := order{Dir: t.TempDir()}.settings()
	s.release = pinnedFor("plan9", "mips", false)
	if _, err := s.download(t.Context()); err == nil || !strings.Contains(err.Error(), "CUSTODY_DATABASE_URL") {
		t.Errorf("got %v", err)
	}
}

// TestTheRealDownloadRuns takes 15 MB from the network, or from the repository
// that CUSTODY_MAVEN_REPOSITORY names.
func TestTheRealDownloadRuns(t *testing.T) {
	t.Parallel()
	if os.Getenv("CUSTODY_TEST_DOWNLOAD") != "1" {
		t.Skip("set CUSTODY_TEST_DOWNLOAD=1 to download PostgreSQL")
	}
	server := mustOpen(t, order{Dir: openFolder(t), Bin: "download", Repository: os.Getenv(EnvRepository)})
	if server.Source != "download 17.11.0" || server.Version != "17.11" {
		t.Errorf("got %+v", server)
	}
	if got := scalar(t, server.URL, "select lower('Ä') || to_tsvector('simple', 'ÄRGER')::text"); got != "ä'ärger':1" {
		t.Errorf("letters are folded to %q", got)
	}
}
