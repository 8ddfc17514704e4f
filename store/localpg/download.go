package localpg

import (
	"archive/tar"
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ulikunitz/xz"
)

// mavenCentral is the public base address of Maven Central.
const mavenCentral = "https://repo1.maven.org/maven2"

const (
	downloadTime = 5 * time.Minute
	downloadSize = 128 << 20 // bytes; the largest jar is 62 MB
)

// A release is a build of PostgreSQL by zonky (io.zonky.test.postgres), a jar
// that holds one .txz with initdb, pg_ctl and postgres.
type release struct {
	version  string // of the artifact, such as 17.11.0
	platform string // of the artifact, such as linux-amd64; empty: none for this machine
	sha256   string // of the jar. The checksums beside it come from the same host; this one is the check
	size     string // for people
}

// pinned is the release for the machine that runs this.
func pinned() release {
	musl, _ := filepath.Glob("/lib/ld-musl-*")
	return pinnedFor(runtime.GOOS, runtime.GOARCH, len(musl) > 0)
}

func pinnedFor(system, arch string, musl bool) release {
	r := release{version: "17.11.0", size: "15 MB"}
	switch {
	case system == "linux" && arch == "amd64" && musl:
		r.platform, r.sha256 = "linux-amd64-alpine", "ace9a6f95b1c98ce84c9841267cd04ebee5d7de5dc7b8fea148ead44f145afbd"
	case system == "linux" && arch == "amd64":
		r.platform, r.sha256 = "linux-amd64", "0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d"
	case system == "linux" && arch == "arm64" && !musl:
		r.platform, r.sha256 = "linux-arm64v8", "8b042e0ea418b1927d95399207950da0734d27fe01e29503ade3bdc464ad4c2b"
	case system == "darwin" && arch == "amd64":
		r.platform, r.sha256, r.size = "darwin-amd64", "d464ff178e9860ba204662ac23fa547504b7fd392392ff2fb92e3fd73b5bdb64", "62 MB"
	case system == "darwin" && arch == "arm64":
		r.platform, r.sha256, r.size = "darwin-arm64v8", "a1c2786acb0c398f9b2d76806fc52f5dc8b222cbc8e9383a9b9702084daaf3a5", "62 MB"
	}
	return r
}

func (r release) major() int {
	text, _, _ := strings.Cut(r.version, ".")
	major, _ := strconv.Atoi(text) // a constant of ours
	return major
}

// folder is the name of the unpacked release in Config.Dir.
func (r release) folder() string { return "postgres-" + r.version + "-" + r.platform }

// url is where the jar lies below a Maven repository's base.
func (r release) url(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, errors.New("the repository is not a URL") // err would repeat its password
	}
	name := "embedded-postgres-binaries-" + r.platform
	return u.JoinPath("io/zonky/test/postgres", name, r.version, name+"-"+r.version+".jar"), nil
}

// download returns the unpacked release in Dir and fetches it when it is not
// there. The caller holds start.lock. A folder with the release's name is whole,
// because it gets the name last.
func (s settings) download(ctx context.Context) (binaries, error) {
	if s.release.platform == "" {
		return binaries{}, fmt.Errorf("no PostgreSQL %d or newer on this system and none to download for %s/%s: install one, set %s, or set CUSTODY_DATABASE_URL",
			oldest, runtime.GOOS, runtime.GOARCH, EnvBin)
	}
	final := filepath.Join(s.Dir, s.release.folder())
	if _, err := os.Stat(final); errors.Is(err, os.ErrNotExist) {
		if err := s.install(ctx, final); err != nil {
			return binaries{}, fmt.Errorf("download PostgreSQL: %w", err)
		}
	}
	bin, err := inspect(ctx, filepath.Join(final, "bin"))
	if err != nil {
		return binaries{}, fmt.Errorf("the downloaded PostgreSQL does not run here (delete %s to download it again): %w", final, err)
	}
	bin.source = "download " + s.release.version
	return bin, nil
}

func (s settings) install(ctx context.Context, final string) error {
	ctx, cancel := context.WithTimeout(ctx, downloadTime)
	defer cancel()
	fmt.Fprintf(s.Log, "downloading PostgreSQL %s, %s, once\n", strings.TrimSuffix(s.release.version, ".0"), s.release.size)
	jar, err := s.fetch(ctx)
	if err != nil {
		return err
	}
	defer os.Remove(jar)
	unpacked, err := os.MkdirTemp(s.Dir, ".unpack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unpacked) // nothing is there any more once it has its name
	if err := unpackJar(ctx, jar, unpacked); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	if err := os.Chmod(unpacked, 0o755); err != nil { // the server's account must enter
		return err
	}
	return os.Rename(unpacked, final)
}

// fetch stores the jar in Dir and returns its name. Nothing is left behind when
// it is not the pinned one.
func (s settings) fetch(ctx context.Context) (name string, err error) {
	from, err := s.release.url(s.Repository)
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(s.Dir, ".jar-")
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			_ = os.Remove(file.Name()) // the next start sweeps what is left
		}
	}()
	sum := sha256.New()
	if err := get(ctx, from, io.MultiWriter(file, sum)); err != nil {
		return "", err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != s.release.sha256 {
		return "", fmt.Errorf("%s has sha256 %s, expected %s: it was altered on the way, or the mirror is wrong",
			from.Redacted(), got, s.release.sha256)
	}
	return file.Name(), nil
}

// get copies at most downloadSize bytes. Proxies and private certificate
// authorities come from Go's own environment variables.
func get(ctx context.Context, from *url.URL, to io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), nil)
	if err != nil {
		return errors.New("the repository is not a URL") // err would repeat its password
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err // net/http masks the password
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", from.Redacted(), res.Status)
	}
	n, err := io.Copy(to, io.LimitReader(res.Body, downloadSize+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", from.Redacted(), err)
	}
	if n > downloadSize {
		return fmt.Errorf("%s is larger than %d MB", from.Redacted(), downloadSize>>20)
	}
	return nil
}

// unpackJar unpacks the one .txz in the jar into the folder.
func unpackJar(ctx context.Context, jar, folder string) error {
	archive, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer archive.Close()
	for _, entry := range archive.File {
		if path.Ext(entry.Name) != ".txz" {
			continue
		}
		file, err := entry.Open()
		if err != nil {
			return err
		}
		defer file.Close()
		return unpackTxz(ctx, file, folder)
	}
	return errors.New("the jar holds no .txz")
}

// unpackTxz writes through an os.Root, which refuses every path that leaves the
// folder, also by way of a link unpacked before.
func unpackTxz(ctx context.Context, from io.Reader, folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	plain, err := xz.NewReader(from)
	if err != nil {
		return err
	}
	for archive := tar.NewReader(plain); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackEntry(root, head, archive); err != nil {
			return fmt.Errorf("%q: %w", head.Name, err)
		}
	}
}

func unpackEntry(root *os.Root, head *tar.Header, content io.Reader) error {
	name := path.Clean(head.Name)
	if !filepath.IsLocal(name) {
		return errors.New("leaves the folder")
	}
	switch head.Typeflag {
	case tar.TypeDir:
		return unpackDir(root, name)
	case tar.TypeReg:
		return unpackFile(root, name, head.FileInfo().Mode(), content)
	case tar.TypeSymlink:
		if path.IsAbs(head.Linkname) || !filepath.IsLocal(path.Join(path.Dir(name), head.Linkname)) {
			return errors.New("is a link that leaves the folder")
		}
		if err := unpackDir(root, path.Dir(name)); err != nil {
			return err
		}
		return root.Symlink(head.Linkname, name)
	default:
		return fmt.Errorf("has a type that PostgreSQL does not need: %q", head.Typeflag)
	}
}

// unpackDir and unpackFile set the mode afterwards: a strict umask of root would
// hide the binaries from the account that runs the server.
func unpackDir(root *os.Root, name string) error {
	if name == "." {
		return nil
	}
	if err := unpackDir(root, path.Dir(name)); err != nil {
		return err
	}
	if err := root.Mkdir(name, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return root.Chmod(name, 0o755)
}

func unpackFile(root *os.Root, name string, mode os.FileMode, content io.Reader) error {
	if err := unpackDir(root, path.Dir(name)); err != nil {
		return err
	}
	mode = 0o644 | mode&0o111
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		_ = file.Close() // the first error says more
		return err
	}
	return errors.Join(file.Chmod(mode), file.Close())
}
