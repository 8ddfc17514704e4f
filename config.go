package custody

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/security/waiver"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/model"
)

// Config is one process of an installation. Load fills it from the environment
// and the configuration file; an embedding program may fill it itself.
type Config struct {
	DatabaseURL string // PostgreSQL; an account that may make the schema is needed by migrations only
	Listen      string // address of the API; default 127.0.0.1:8080
	// MetricsListen answers /metrics, /livez and /readyz on an address of their
	// own, without a token and without TLS.
	MetricsListen string
	// InsecureHTTP serves plain HTTP, on loopback only. Without it TLSCert and
	// TLSKey are needed: files, reread when they change.
	InsecureHTTP    bool
	TLSCert, TLSKey string
	URL             string // how clients reach the API, for its metadata; default from Listen
	KeyDir          string // default ./keys
	Origin          string // the ledger's name, fixed at the first entry; default localhost/dev
	Issuers         []oidc.Issuer
	Models          map[string]model.Model // by alias
	Judge           string                 // alias of the second model; empty: rules only
	JudgeBudget     JudgeBudget
	Guard           Guard // what is added to the prompt firewall
	Connections     map[string]kinds.Connection
	Limits          Limits
	Telemetry       Telemetry // where traces and metrics go; default: nowhere
	Observe         time.Time // until then the prompt firewall only observes; at most 30 days ahead
	Production      bool      // CUSTODY_ENV=production: no plain HTTP, no development provider
	// Funcs are Go functions that workflows may use as kinds of step.
	Funcs   []kinds.Func
	Version string        // of the program, in the ledger and in the list of processes
	Workers int           // runs driven at the same time; default 5,000
	Drain   time.Duration // how long Run takes to end; default 30 s
	Log     *slog.Logger  // default: nothing is logged
	// NotifySocket is where systemd wants to hear that the process listens, and
	// that it ends (sd_notify); empty: nobody asks.
	NotifySocket string
}

// Limits are how many requests a minute each person may make with one program
// at one route, counted over all processes. Zero is no limit.
type Limits struct {
	SubmissionsPerMinute int `yaml:"submissions_per_minute"` // of runs, retries included
	ReadsPerMinute       int `yaml:"reads_per_minute"`       // every GET
	ChangesPerMinute     int `yaml:"changes_per_minute"`     // every other POST, PUT and DELETE
}

// validate names the field as the configuration file spells it.
func (l Limits) validate() error {
	for _, f := range []struct {
		name string
		n    int
	}{
		{"submissions_per_minute", l.SubmissionsPerMinute}, {"reads_per_minute", l.ReadsPerMinute}, {"changes_per_minute", l.ChangesPerMinute},
	} {
		if f.n < 0 || f.n > 1_000_000 {
			return errors.New("limits: " + f.name + " must be from 1 to 1000000 requests a minute, or 0 for no limit")
		}
	}
	return nil
}

// The environment variables of a process.
const (
	EnvDatabase = "CUSTODY_DATABASE_URL"
	EnvListen   = "CUSTODY_LISTEN"
	EnvMetrics  = "CUSTODY_METRICS_LISTEN"
	EnvConfig   = "CUSTODY_CONFIG"
	EnvKeyDir   = "CUSTODY_KEY_DIR"
	EnvURL      = "CUSTODY_URL" // also where the command finds its server: the same address
	EnvTLSCert  = "CUSTODY_TLS_CERT"
	EnvTLSKey   = "CUSTODY_TLS_KEY"
	EnvIssuer   = "CUSTODY_OIDC_ISSUER"
	EnvAudience = "CUSTODY_OIDC_AUDIENCE"
	EnvClients  = "CUSTODY_OIDC_CLIENTS"
	EnvProfile  = "CUSTODY_OIDC_PROFILE"
	EnvMode     = "CUSTODY_ENV"
	EnvObserve  = "CUSTODY_GUARD_OBSERVE_UNTIL"
	EnvNotify   = "NOTIFY_SOCKET" // systemd's
)

// defaultKeyDir is API.md's, relative to where the program was started.
const defaultKeyDir = "./keys"

// maxConfig bounds a configuration file.
const maxConfig = 1 << 20

// file is the configuration file.
type file struct {
	Models      map[string]model.Model      `yaml:"models"`
	Judge       judge                       `yaml:"judge"`
	Log         ledger                      `yaml:"log"`
	Connections map[string]kinds.Connection `yaml:"connections"`
	Issuers     []oidc.Issuer               `yaml:"issuers"`
	Limits      Limits                      `yaml:"limits"`
	Guard       Guard                       `yaml:"guard"`
}

type judge struct {
	Model     string        `yaml:"model"`
	Timeout   time.Duration `yaml:"timeout"`
	MaxTokens int           `yaml:"max_tokens"`
	Calls     int           `yaml:"calls"`
}

type ledger struct {
	Origin string `yaml:"origin"`
}

// Load reads the environment, and the configuration file at path unless that is
// empty. It checks what can be checked without a database; secrets are read by
// New. Its errors name the variable, or the file with line and column, and never
// repeat a value.
func Load(env func(string) string, path string) (Config, error) {
	c := Config{
		DatabaseURL: env(EnvDatabase), Listen: env(EnvListen), MetricsListen: env(EnvMetrics),
		URL: env(EnvURL), KeyDir: env(EnvKeyDir), TLSCert: env(EnvTLSCert), TLSKey: env(EnvTLSKey),
		Production: strings.EqualFold(env(EnvMode), "production"), NotifySocket: env(EnvNotify),
	}
	if path != "" {
		if err := c.read(path); err != nil {
			return Config{}, err
		}
	}
	var err error
	if c.Telemetry, err = telemetryOf(env); err != nil {
		return Config{}, err
	}
	if until := env(EnvObserve); until != "" {
		if c.Observe, err = time.Parse(time.RFC3339, until); err != nil {
			return Config{}, errors.New(EnvObserve + ": must be a time as in RFC 3339, such as 2027-01-31T00:00:00Z: write it so, or unset it")
		}
	}
	if is, ok := issuerOf(env); ok {
		// Everything that speaks of one issuer without a file replaces the file's.
		c.Issuers = []oidc.Issuer{is}
	}
	return c, nil
}

func issuerOf(env func(string) string) (oidc.Issuer, bool) {
	is := oidc.Issuer{
		Issuer: env(EnvIssuer), Audience: env(EnvAudience),
		Clients: list(env(EnvClients)), Profile: list(env(EnvProfile)),
	}
	return is, is.Issuer != ""
}

// list splits at commas and drops what is empty.
func list(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func (c *Config) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if len(raw) > maxConfig {
		return fmt.Errorf("configuration: %s: larger than %d bytes", path, maxConfig)
	}
	decoded, err := decode(raw)
	if err != nil {
		return fmt.Errorf("configuration: %s:%w", path, err)
	}
	if err := checkModels(raw, decoded); err != nil {
		return fmt.Errorf("configuration: %s:%w", path, err)
	}
	c.Models, c.Judge, c.Origin = decoded.Models, decoded.Judge.Model, decoded.Log.Origin
	c.Connections, c.Issuers, c.Limits, c.Guard = decoded.Connections, decoded.Issuers, decoded.Limits, decoded.Guard
	c.JudgeBudget = JudgeBudget{Timeout: decoded.Judge.Timeout, MaxTokens: decoded.Judge.MaxTokens, Calls: decoded.Judge.Calls}
	return nil
}

// decode accepts exactly one document without unknown or repeated fields. An
// empty document is the empty configuration. Errors begin with line:column and
// leave out the excerpt: it could hold a secret that does not belong there.
//
// The YAML library panics on some malformed texts; that is a refusal, too.
func decode(raw []byte) (out file, err error) {
	defer func() {
		if recover() != nil {
			out, err = file{}, errUnreadable
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict())
	if err := dec.Decode(&out); err != nil && !errors.Is(err, io.EOF) {
		return file{}, place(err)
	}
	var more any
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return file{}, errors.New("1:1: holds more than one document: write one")
	}
	return out, nil
}

// checkModels says where in the file a model's setting is wrong, and whether the
// judge is a model that is there.
func checkModels(raw []byte, f file) error {
	var e *model.SettingError
	if errors.As(model.CheckModels(f.Models), &e) {
		line, column := at(raw, "models", e.Alias, e.Field)
		return fmt.Errorf("%d:%d: %w", line, column, e)
	}
	if _, ok := f.Models[f.Judge.Model]; f.Judge.Model != "" && !ok {
		line, column := at(raw, "judge", "model")
		return fmt.Errorf("%d:%d: judge.model: there is no such model; write one of: %s", line, column,
			cmp.Or(strings.Join(slices.Sorted(maps.Keys(f.Models)), ", "), "(models is empty)"))
	}
	return nil
}

// at is where a setting stands in a file that was read before, or the innermost
// of those around it that is written; 1:1 if none is.
func at(raw []byte, path ...string) (line, column int) {
	line, column = 1, 1
	f, err := parser.ParseBytes(raw, 0)
	if err != nil || len(f.Docs) == 0 {
		return line, column
	}
	node := f.Docs[0].Body
	for _, name := range path {
		pair := pairOf(node, name)
		if pair == nil {
			break
		}
		if p := pair.Key.GetToken().Position; p != nil {
			line, column = p.Line, p.Column
		}
		node = pair.Value
	}
	return line, column
}

// pairOf is the member of a mapping that has this name, or nil.
func pairOf(node ast.Node, name string) *ast.MappingValueNode {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = append(pairs, n)
	}
	for _, p := range pairs {
		if t := p.Key.GetToken(); t != nil && t.Value == name {
			return p
		}
	}
	return nil
}

var errUnreadable = errors.New(" not readable as YAML")

// place turns a YAML error into line:column: message.
func place(err error) error {
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil || e.GetToken().Position == nil {
		return errUnreadable
	}
	at := e.GetToken().Position
	message := e.GetMessage()
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		message += "; the fields are in docs/operations.md"
	}
	return fmt.Errorf("%d:%d: %s", at.Line, at.Column, message)
}

// ErrSetting is wrapped by what fails because a setting is missing or cannot be
// used. Starting again does not help before somebody mends it.
var ErrSetting = errors.New("a setting is wrong")

// A setting is an error that names the setting and needs no more words.
type setting struct{ error }

func (e setting) Unwrap() []error { return []error{ErrSetting, e.error} }

// wrongSetting marks an error as one of the settings.
func wrongSetting(err error) error {
	if err == nil {
		return nil
	}
	return setting{err}
}

// validate fills the defaults and names the field that is wrong.
func (c *Config) validate() error {
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:8080")
	c.KeyDir = cmp.Or(c.KeyDir, defaultKeyDir)
	c.Drain = cmp.Or(c.Drain, 30*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(c.validateDatabase(), c.Telemetry.validate()); err != nil {
		return err
	}
	if len(c.Issuers) == 0 {
		return errors.New("no issuer is configured, so nobody could sign in: set " + EnvIssuer + ", " + EnvAudience + " and " + EnvClients + ", or issuers in the configuration file")
	}
	for _, is := range c.Issuers {
		if c.Production && strings.HasPrefix(is.Issuer, "http:") {
			return errors.New("an http: issuer, such as the development provider, is not possible with " + EnvMode + "=production: use an https: one")
		}
	}
	if err := c.validateListen(); err != nil {
		return err
	}
	if err := errors.Join(c.Limits.validate(), c.JudgeBudget.validate(), c.Guard.validate()); err != nil {
		return err
	}
	if c.Observe.After(time.Now().Add(waiver.MaxObserve)) {
		return errors.New(EnvObserve + ": lies more than 30 days ahead: set an earlier end; it may be set again")
	}
	if c.Drain < 0 || c.Workers < 0 {
		return errors.New("custody config: Drain and Workers must not be negative")
	}
	if c.URL == "" {
		c.URL = c.base(c.Listen)
	}
	return nil
}

// validateDatabase never repeats the URL: it may hold a password, and so does
// the error of url.Parse.
func (c *Config) validateDatabase() error {
	if c.DatabaseURL == "" {
		return errors.New("no database is configured: set " + EnvDatabase + ", for example postgres://custody@127.0.0.1/custody")
	}
	u, err := url.Parse(c.DatabaseURL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New(EnvDatabase + " is not a URL such as postgres://user@host/database")
	}
	return nil
}

func (c *Config) validateListen() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return errors.New(EnvListen + " (or --listen) is not an address such as 127.0.0.1:8080")
	}
	if c.MetricsListen != "" {
		if _, _, err := net.SplitHostPort(c.MetricsListen); err != nil {
			return errors.New(EnvMetrics + " is not an address such as 127.0.0.1:9090")
		}
	}
	switch {
	case c.InsecureHTTP && c.Production:
		return errors.New("--insecure-http is not possible with " + EnvMode + "=production: set " + EnvTLSCert + " and " + EnvTLSKey)
	case c.InsecureHTTP && !loopback(host):
		return errors.New("plain HTTP is served on loopback only: listen on 127.0.0.1, or set " + EnvTLSCert + " and " + EnvTLSKey)
	case !c.InsecureHTTP && (c.TLSCert == "" || c.TLSKey == ""):
		return errors.New("TLS needs a certificate and a key: set " + EnvTLSCert + " and " + EnvTLSKey + ", or use --insecure-http on loopback")
	}
	return nil
}

// base is the URL of an address that the API listens on.
func (c *Config) base(address string) string {
	if c.InsecureHTTP {
		return "http://" + address
	}
	return "https://" + address
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
