// Package localpg runs a PostgreSQL that comes by itself, for development,
// demos and tests: from the system's binaries, else from a pinned download.
//
// All processes that open the same folder share one server: the first starts
// it, the last to close stops it. After kill -9 of any of them, or of the server,
// the next Open attaches or recovers; nothing has to be cleaned up by hand.
package localpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Environment variables that Open reads.
const (
	// EnvBin names a directory with postgres and initdb. "download" hides the
	// system's binaries, so that the pinned download is used.
	EnvBin = "CUSTODY_PG_BIN"
	// EnvRepository is the Config.Repository of those who set none.
	EnvRepository = "CUSTODY_MAVEN_REPOSITORY"
)

// superuser is the account that initdb makes, and whose password lies in Dir.
const superuser = "custody"

// A Config says which PostgreSQL to open. The zero Config is a server of this
// account in its state folder.
type Config struct {
	URL string // an existing server; it wins over everything else
	// Dir holds data, socket, log, locks and download. Default: the account's
	// state folder, for root /var/lib/custody/postgres; with Private a new
	// temporary folder, removed by Close.
	Dir string
	// Repository is the base of a Maven layout to download from, user and
	// password allowed. Default: CUSTODY_MAVEN_REPOSITORY, else Maven Central.
	Repository string
	Private    bool // throw-away: NoSync, and on Linux the server ends with this process
	// NoSync leaves out fsync: the data survives kill -9 of everything, not a power cut.
	NoSync      bool
	Connections int       // max_connections of a server that Open starts; default 200
	Log         io.Writer // progress for people, such as the download; nil: os.Stderr
}

// A Server is an open PostgreSQL. Its methods are safe for concurrent use.
type Server struct {
	URL      string // of database "postgres" as superuser, or Config.URL
	Source   string // where the binaries come from: a directory, "download 17.11.0" or "url"
	Attached bool   // somebody else had started it
	Version  string // the server's own, such as 17.11
	PID      int    // the postmaster's when Open returned; 0 for Config.URL
	Dir      string // its folder; empty for Config.URL

	close  sync.Once
	closed error
	local  *folder // nil for Config.URL
}

// Open returns a server that answers. It waits for other processes that start or
// stop the same one; a first start may download 15 MB, a start after a crash may
// recover for some seconds. Cancelling ctx gives up and leaves nothing running
// that Open started.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	s, err := configure(cfg, os.Getenv(EnvBin), os.Getenv(EnvRepository))
	if err != nil {
		return nil, err
	}
	return open(ctx, s)
}

// Major is the major version that Open would start from an empty folder with
// this Config. It is an error for a Config with a URL.
func Major(ctx context.Context, cfg Config) (int, error) {
	s, err := configure(cfg, os.Getenv(EnvBin), os.Getenv(EnvRepository))
	if err != nil {
		return 0, err
	}
	if s.URL != "" {
		return 0, errors.New("localpg: a server given by URL has a version of its own: ask it")
	}
	return s.majorVersion(ctx)
}

func open(ctx context.Context, s settings) (*Server, error) {
	if s.URL != "" {
		return external(ctx, s.URL)
	}
	return openLocal(ctx, s)
}

// Close leaves the server, and stops it when nobody else has it open. A second
// Close returns what the first returned. When it fails, the share in the server
// is given up all the same, and the next Open and Close stop it.
func (s *Server) Close(ctx context.Context) error {
	s.close.Do(func() {
		if s.local != nil {
			s.closed = s.local.leave(ctx)
		}
	})
	return s.closed
}

// Database returns the URL of the named database and creates it when there is
// none. The name is 1 to 63 bytes long and taken literally.
func (s *Server) Database(ctx context.Context, name string) (string, error) {
	if name == "" || len(name) > 63 || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("localpg: a database name has 1 to 63 bytes, not %d", len(name))
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return "", errors.New("localpg: the server's URL cannot be read")
	}
	u.Path, u.RawPath = "/"+name, ""
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return "", fmt.Errorf("create database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var there bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&there); err != nil {
		return "", fmt.Errorf("look for database: %w", err)
	}
	if there {
		return u.String(), nil
	}
	_, err = conn.Exec(ctx, "create database "+pgx.Identifier{name}.Sanitize())
	if err != nil && !madeMeanwhile(err) {
		return "", fmt.Errorf("create database: %w", err)
	}
	return u.String(), nil
}

// madeMeanwhile recognises both answers that "create database" gives to the
// slower of two: duplicate_database, and unique_violation of the catalogue's index.
func madeMeanwhile(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == "42P04" || refused.Code == "23505")
}

// external asks the server once, so that a wrong URL is an error of Open.
func external(ctx context.Context, address string) (*Server, error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("open the PostgreSQL that the URL names: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	version, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), " ")
	return &Server{URL: address, Source: "url", Attached: true, Version: version}, nil
}

// settings are a Config with its defaults and the environment.
type settings struct {
	Config
	bin     string  // value of EnvBin
	release release // what is downloaded
	start   time.Duration
	attach  time.Duration
}

func configure(cfg Config, bin, repository string) (settings, error) {
	cfg.Repository = cmp.Or(cfg.Repository, repository, mavenCentral)
	cfg.NoSync = cfg.NoSync || cfg.Private
	cfg.Connections = cmp.Or(cfg.Connections, 200)
	if cfg.Log == nil {
		cfg.Log = os.Stderr
	}
	if cfg.Dir == "" && !cfg.Private && cfg.URL == "" {
		dir, err := stateDir(os.Getenv)
		if err != nil {
			return settings{}, err
		}
		cfg.Dir = dir
	}
	if err := cfg.validate(); err != nil {
		return settings{}, err
	}
	return settings{Config: cfg, bin: bin, release: pinned(), start: time.Minute, attach: 30 * time.Second}, nil
}

// validate never repeats a URL: it may hold a password, and so does the error
// of url.Parse.
func (c Config) validate() error {
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
			return errors.New("localpg: Config.URL must be a URL such as postgres://user@host/database")
		}
		return nil
	}
	u, err := url.Parse(c.Repository)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return errors.New("localpg: Config.Repository must be a URL such as https://host/maven2 (" + EnvRepository + " sets it, too)")
	}
	if c.Connections < 10 || c.Connections > 10_000 {
		return fmt.Errorf("localpg: Config.Connections is %d, must be 10 to 10000", c.Connections)
	}
	return nil
}

// stateDir is where a service keeps state: the system's place for root, else the
// account's own (XDG Base Directory, and Apple's for macOS).
func stateDir(getenv func(string) string) (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/custody/postgres", nil
	}
	if base := getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "custody", "postgres"), nil
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", errors.New("localpg: no Config.Dir and no home directory: set Dir or " + EnvBin)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "custody", "postgres"), nil
	}
	return filepath.Join(home, ".local", "state", "custody", "postgres"), nil
}

// address is the URL of a database behind a socket in the folder run. The socket
// has no port to collide, and only its owner can reach it.
func address(run, password, database string) string {
	query := url.Values{"host": {run}, "port": {"5432"}}.Encode()
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, password), // url.URL.Redacted masks it here
		Path:     "/" + database,
		RawQuery: strings.ReplaceAll(query, "+", "%20"), // pgx, like libpq, takes a plus for a plus
	}
	return u.String()
}

// pause waits, or returns ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
