package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// oldest is the oldest major version that Custody's schema is tested with.
const oldest = 15

// binaries are a directory with postgres and initdb. The zero value is none.
type binaries struct {
	dir     string
	version string // such as 15.18
	major   int
	source  string // for Server.Source
}

// systemFolders are where packages put versioned binaries, which are not in PATH.
var systemFolders = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian
	"/usr/pgsql-*/bin",                                   // RHEL, PostgreSQL's own packages
	"/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew, Apple silicon
	"/usr/local/opt/postgresql@*/bin",                    // Homebrew, Intel
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
}

// find returns binaries for data of the given major version (0: no data yet):
// the named ones, the system's newest, else the download.
func (s settings) find(ctx context.Context, major int, may passable) (binaries, error) {
	bin, err := s.system(ctx, major, may)
	if err != nil || bin.dir != "" {
		return bin, err
	}
	if major != 0 && major != s.release.major() {
		return binaries{}, fmt.Errorf("the data folder is of PostgreSQL %d, the download is %s: install PostgreSQL %d, "+
			"or choose another folder", major, s.release.version, major)
	}
	return s.download(ctx)
}

// majorVersion is of what find would return for an empty folder.
func (s settings) majorVersion(ctx context.Context) (int, error) {
	bin, err := s.system(ctx, 0, anybody)
	if err != nil {
		return 0, err
	}
	if bin.dir == "" {
		return s.release.major(), nil
	}
	return bin.major, nil
}

// A passable reports whether the account that runs the server may enter a folder.
type passable func(folder string) error

func anybody(string) error { return nil }

// system returns the zero binaries when the system has none that fit.
func (s settings) system(ctx context.Context, major int, may passable) (binaries, error) {
	switch s.bin {
	case "":
	case "download", "none":
		return binaries{}, nil
	default:
		return s.named(ctx, major, may)
	}
	var found []binaries
	for _, dir := range candidates() {
		bin, err := inspect(ctx, dir)
		if err != nil || bin.major < oldest || major != 0 && bin.major != major || may(dir) != nil {
			continue
		}
		found = append(found, bin)
	}
	if len(found) == 0 {
		return binaries{}, ctx.Err()
	}
	return slices.MaxFunc(found, func(a, b binaries) int { return a.major - b.major }), nil
}

// named takes CUSTODY_PG_BIN at its word: what does not fit is an error, nothing
// else is tried.
func (s settings) named(ctx context.Context, major int, may passable) (binaries, error) {
	dir, err := filepath.Abs(s.bin)
	if err != nil {
		return binaries{}, fmt.Errorf("%s: %w", EnvBin, err)
	}
	if err := may(dir); err != nil {
		return binaries{}, fmt.Errorf("%s: %w", EnvBin, err)
	}
	bin, err := inspect(ctx, dir)
	if err != nil {
		return binaries{}, fmt.Errorf("%s: %w", EnvBin, err)
	}
	if bin.major < oldest {
		return binaries{}, fmt.Errorf("%s: %s is PostgreSQL %s, Custody needs %d or newer", EnvBin, dir, bin.version, oldest)
	}
	if major != 0 && bin.major != major {
		return binaries{}, fmt.Errorf("%s: %s is PostgreSQL %s, the data folder is of %d", EnvBin, dir, bin.version, major)
	}
	return bin, nil
}

// candidates lists folders of the system, each once. The one in PATH may be a
// link into a versioned folder, and initdb lies beside the link's target.
func candidates() []string {
	var dirs []string
	for _, pattern := range systemFolders {
		found, _ := filepath.Glob(pattern) // the only error is a bad pattern
		dirs = append(dirs, found...)
	}
	if name, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(name); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// inspect asks the binaries in dir what they are.
func inspect(ctx context.Context, dir string) (binaries, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return binaries{}, fmt.Errorf("no initdb in %s: %w", dir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	name := filepath.Join(dir, "postgres")
	out, err := askVersion(ctx, name)
	if err != nil {
		return binaries{}, fmt.Errorf("run %s --version: %w", name, err)
	}
	version, major := parseVersion(string(out))
	if major == 0 {
		return binaries{}, fmt.Errorf("%s does not say its version", name)
	}
	return binaries{dir: dir, version: version, major: major, source: dir}, nil
}

// askVersion tries again while the file is busy: a child that another goroutine
// forked while it was unpacked holds it open for writing until it executes.
func askVersion(ctx context.Context, name string) ([]byte, error) {
	for {
		cmd := exec.CommandContext(ctx, name, "--version")
		cmd.Env = environment()
		out, err := cmd.Output()
		if !errors.Is(err, syscall.ETXTBSY) || pause(ctx, 10*time.Millisecond) != nil {
			return out, err
		}
	}
}

var versionText = regexp.MustCompile(`^postgres \(PostgreSQL\) (([1-9][0-9]{0,2})[0-9A-Za-z.]*)`)

// parseVersion reads "postgres (PostgreSQL) 15.18 (Debian ...)"; major 0 means
// that it is not that.
func parseVersion(text string) (version string, major int) {
	m := versionText.FindStringSubmatch(text)
	if m == nil {
		return "", 0
	}
	major, _ = strconv.Atoi(m[2]) // three digits at most
	return m[1], major
}

// dataMajor is the major version of a data folder, 0 when there is none.
func dataMajor(data string) (int, error) {
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the data folder's version: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || major <= 0 {
		return 0, fmt.Errorf("%s does not hold a version number: this is not a PostgreSQL data folder", filepath.Join(data, "PG_VERSION"))
	}
	return major, nil
}

// environment is all that PostgreSQL sees of ours: no keys reach it. LC_ALL=C
// keeps its messages English, which startup reads.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}
