package custody

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/store/localpg"
)

// An inpatient is an installation that is well, on a durable server, and that a
// test makes ill.
type inpatient struct {
	t       *testing.T
	in      Installation
	account string    // of the process
	admin   *pgx.Conn // to its database, as superuser
}

// A ward is what all patients share: a server, a provider, and an installation
// that was migrated once.
type ward struct {
	server *localpg.Server
	idp    *devidp.Server
	cfg    Config
	// accounts says that those of the compose file were made.
	accounts bool
}

func newWard(t *testing.T) ward {
	t.Helper()
	w := ward{}
	var err error
	w.server, err = localpg.Open(t.Context(), localpg.Config{Dir: filepath.Join(shortDir(t), "pg"), Log: os.Stderr})
	must(t, err)
	t.Cleanup(func() { must(t, w.server.Close(context.Background())) })
	w.accounts = makeAccounts(t, w.server.URL)
	w.idp, err = devidp.Start(t.Context(), devidp.Config{Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { _ = w.idp.Close(context.Background()) })
	address, err := w.server.Database(t.Context(), "healthy")
	must(t, err)
	w.cfg = Config{
		DatabaseURL: address, Listen: "127.0.0.1:0", KeyDir: filepath.Join(t.TempDir(), "keys"), Origin: "custody.example/acme",
		Models: map[string]model.Model{"fast": {Provider: model.Offline}}, Judge: "fast", Limits: Limits{SubmissionsPerMinute: 10},
	}
	_, err = Migrate(t.Context(), w.cfg)
	must(t, err)
	return w
}

// shortDir is a temporary folder whose name leaves room for a socket's, and
// that the server's account can reach.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "doctor")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// admit makes an installation with an account, a key directory and a
// certificate of its own, and a database of its own if the disorder needs it.
func (w ward) admit(t *testing.T, n int, d disorder) *inpatient {
	t.Helper()
	p := &inpatient{t: t, account: fmt.Sprintf("process_%d", n)}
	cfg := w.cfg
	if !d.away {
		cfg.DatabaseURL = w.account(t, p, d.own)
	}
	cfg.KeyDir = filepath.Join(t.TempDir(), "keys")
	must(t, os.CopyFS(cfg.KeyDir, os.DirFS(w.cfg.KeyDir)))
	must(t, filepath.WalkDir(cfg.KeyDir, func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	}))
	cfg.TLSCert, cfg.TLSKey = filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	cfg.Issuers = []oidc.Issuer{{Issuer: w.idp.Issuer(), Audience: "custody", Clients: []string{devidp.CLI}}}
	p.in = Installation{Config: cfg}
	p.certify(nil)
	return p
}

// account makes the process's account, and returns the URL that it uses.
func (w ward) account(t *testing.T, p *inpatient, own bool) string {
	t.Helper()
	u, err := url.Parse(w.cfg.DatabaseURL)
	must(t, err)
	if own {
		w.copy(t, "of_"+p.account)
		u.Path = "/of_" + p.account
	}
	p.admin, err = pgx.Connect(t.Context(), u.String())
	must(t, err)
	t.Cleanup(func() { _ = p.admin.Close(context.Background()) })
	p.sql("create role " + p.account + " login password 'secret' in role custody_app")
	u.User = url.UserPassword(p.account, "secret")
	return u.String()
}

// pristine is the copy that is copied: nobody may be connected to it.
func (w ward) pristine(t *testing.T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.server.URL)
	must(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "create database pristine template healthy")
	must(t, err)
}

// copy is quicker than migrating anew.
func (w ward) copy(t *testing.T, name string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.server.URL)
	must(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "create database "+name+" template pristine")
	must(t, err)
}

func (p *inpatient) sql(statement string) {
	p.t.Helper()
	_, err := p.admin.Exec(p.t.Context(), statement)
	must(p.t, err)
}

// certify writes a certificate for 127.0.0.1 that is good for a month.
func (p *inpatient) certify(change func(*x509.Certificate)) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(p.t, err)
	p.certifyWith(key, &key.PublicKey, change)
}

func (p *inpatient) certifyWith(key, public any, change func(*x509.Certificate)) {
	p.t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "custody"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
	}
	if change != nil {
		change(c)
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, public, key)
	must(p.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(p.t, err)
	must(p.t, os.WriteFile(p.in.Config.TLSCert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600))
	must(p.t, os.WriteFile(p.in.Config.TLSKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}

// A disorder is one thing that an installation can have wrong.
type disorder struct {
	name   string
	cause  func(*inpatient)
	where  string // group and name of the finding
	level  Level
	detail string // is in it
	remedy string // is in it
	// mend does what the remedy says. Without it the remedy's own commands, in
	// backquotes, are run.
	mend func(*inpatient)
	own  bool // it needs a database of its own
	away bool // it has nothing to do with a database
}

// set is a cause that changes the configuration; its cure is the configuration
// as it was.
func set(change func(*Installation)) func(*inpatient) { return func(p *inpatient) { change(&p.in) } }

func sql(statement string) func(*inpatient) {
	return func(p *inpatient) { p.sql(strings.ReplaceAll(statement, "$ACCOUNT", p.account)) }
}

func TestDoctorFindsEveryDisorderAndItsCureHelps(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.pristine(t)
	healthy := w.admit(t, 0, disorder{})
	for _, s := range Diagnose(t.Context(), healthy.in) {
		if s.Level == Problem || s.Level == Hint && s.Group+" "+s.Name != "models judge" && s.Group+" "+s.Name != "tls chain" && s.Group != "keys" {
			t.Errorf("a healthy installation: %+v", s)
		}
	}
	outside := slices.Concat(settingsDisorders(), tlsDisorders(), outerDisorders())
	for i := range outside {
		outside[i].away = true
	}
	record := recordDisorders()
	for i := range record {
		record[i].own = true
	}
	limit := make(chan struct{}, 4) // a server for many, and a small machine
	var group sync.WaitGroup
	all := slices.Concat(outside, serverDisorders(), record, keyDisorders())
	if testing.Short() {
		all = outside
	}
	for n, d := range all {
		group.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			t.Run(d.name, func(t *testing.T) { d.run(t, w.admit(t, n+1, d)) })
		})
	}
	group.Wait()
	t.Run("the accounts of the compose file are well", w.composed)
	t.Run("no fsync", func(t *testing.T) { careless().run(t, w.admit(t, 999, disorder{})) })
	w.set(t, "fsync", "off") // the server's last checkpoint would take longer than all of this
}

// careless is a disorder of the whole server, so it has its turn alone.
func careless() disorder {
	set := func(value string) func(*inpatient) {
		return func(p *inpatient) {
			p.sql("alter system set fsync = " + value)
			p.sql("select pg_reload_conf()")
			for got := ""; got != value; { // the reload comes to a session between its statements
				must(p.t, p.admin.QueryRow(p.t.Context(), "show fsync").Scan(&got))
			}
		}
	}
	return disorder{
		cause: set("off"), mend: set("on"),
		where: "database durability", level: Problem, detail: "fsync is off", remedy: "set fsync = on in postgresql.conf",
	}
}

// set changes a setting of the whole server.
func (w ward) set(t *testing.T, name, value string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.server.URL)
	must(t, err)
	defer conn.Close(context.Background())
	for _, statement := range []string{"alter system set " + name + " = " + value, "select pg_reload_conf()"} {
		_, err = conn.Exec(t.Context(), statement)
		must(t, err)
	}
}

// makeAccounts makes the accounts as the compose file does, if psql is here.
func makeAccounts(t *testing.T, server string) bool {
	t.Helper()
	if _, err := exec.LookPath("psql"); err != nil {
		return false
	}
	at, err := url.Parse(server)
	must(t, err)
	password, _ := at.User.Password()
	cmd := exec.Command("bash", "examples/operations/accounts.sh")
	cmd.Env = append(os.Environ(), "PGHOST="+at.Query().Get("host"), "PGPORT="+at.Query().Get("port"), "PGPASSWORD="+password,
		"POSTGRES_USER="+at.User.Username(), "OWNER_PASSWORD=o", "PROCESS_PASSWORD=p", "AUDITOR_PASSWORD=a")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return true
}

// composed migrates as the owner and lets the process's account see the doctor.
func (w ward) composed(t *testing.T) {
	if !w.accounts {
		t.Skip("there is no psql")
	}
	at, err := url.Parse(w.server.URL)
	must(t, err)
	as := func(account, password string) string {
		u := *at
		u.Path, u.User = "/custody", url.UserPassword(account, password)
		return u.String()
	}
	cfg := w.cfg
	cfg.KeyDir, cfg.InsecureHTTP = filepath.Join(t.TempDir(), "keys"), true
	cfg.Issuers = []oidc.Issuer{{Issuer: w.idp.Issuer(), Audience: "custody", Clients: []string{devidp.CLI}}}
	cfg.DatabaseURL = as("custody_owner", "o")
	_, err = Migrate(t.Context(), cfg)
	must(t, err)
	cfg.DatabaseURL = as("custody_process", "p")
	for _, s := range Diagnose(t.Context(), Installation{Config: cfg}) {
		if s.Level == Problem || s.Level == Hint && s.Group == "database" {
			t.Errorf("%+v", s)
		}
	}
	if _, err := store.Verify(t.Context(), as("custody_auditor", "a")); err != nil {
		t.Errorf("the auditor cannot read: %v", err)
	}
}

func (d disorder) run(t *testing.T, p *inpatient) {
	before := p.in
	before.Config.Issuers = slices.Clone(p.in.Config.Issuers)
	d.cause(p)
	s, ok := d.found(d.diagnose(p))
	if !ok {
		t.Fatalf("%s: not found: %+v", d.where, d.diagnose(p))
	}
	if s.Level != d.level || !strings.Contains(s.Detail, d.detail) || !strings.Contains(s.Remedy, d.remedy) || s.Remedy == "" {
		t.Errorf("%+v", s)
	}
	if strings.Contains(s.Detail+s.Remedy, "secret'") || strings.Contains(s.Detail, ":secret@") {
		t.Errorf("repeats the password: %+v", s)
	}
	switch {
	case d.mend != nil:
		d.mend(p)
	case strings.Contains(s.Remedy, "`chmod"), strings.Contains(s.Remedy, "`alter"), strings.Contains(s.Remedy, "`grant"):
		p.follow(s.Remedy)
	default:
		p.in = before
	}
	found := d.diagnose(p)
	if s, ok := d.found(found); ok {
		t.Errorf("after the cure: %+v", s)
	}
	for _, s := range found {
		if s.Level == Problem {
			t.Errorf("after the cure: %+v", s)
		}
	}
}

// diagnose is Diagnose without the looks that take time and have nothing to do
// with the disorder.
func (d disorder) diagnose(p *inpatient) []Symptom {
	if !d.away {
		return Diagnose(p.t.Context(), p.in)
	}
	if p.in.now == nil {
		p.in.now = time.Now
	}
	e := &examination{in: p.in, cfg: p.in.Config}
	return inspect(p.t.Context(), slices.DeleteFunc(e.looks(), func(l look) bool { return l.group == "database" || l.group == "keys" }))
}

// found is the finding at the disorder's place with its words.
func (d disorder) found(all []Symptom) (Symptom, bool) {
	for _, s := range all {
		if s.Group+" "+s.Name == d.where && s.Level != Well && strings.Contains(s.Detail, d.detail) {
			return s, true
		}
	}
	return Symptom{}, false
}

// follow runs the command that a remedy has in backquotes, as a person would.
func (p *inpatient) follow(remedy string) {
	p.t.Helper()
	command := regexp.MustCompile("`([^`]+)`").FindStringSubmatch(remedy)[1]
	if strings.HasPrefix(command, "chmod") {
		out, err := exec.Command("sh", "-c", command).CombinedOutput()
		if err != nil {
			p.t.Fatalf("%s: %s", command, out)
		}
		return
	}
	p.sql(command)
}

func settingsDisorders() []disorder {
	file := func(p *inpatient, text string) {
		path := filepath.Join(p.t.TempDir(), "custody.yaml")
		must(p.t, os.WriteFile(path, []byte(text), 0o600))
		p.in.File = path
		_, p.in.Unread = Load(env(), path)
	}
	return []disorder{
		{
			name: "a misspelt variable", cause: set(func(in *Installation) { in.Environ = []string{"CUSTODY_TLS_CRT=/x"} }),
			where: "settings environment", level: Problem, detail: "did you mean CUSTODY_TLS_CERT?", remedy: "rename it",
		},
		{
			name: "an unknown variable", cause: set(func(in *Installation) { in.Environ = []string{"CUSTODY_COLOUR_OF_THE_CAT=red"} }),
			where: "settings environment", level: Hint, detail: "nothing reads it", remedy: "unset it",
		},
		{
			name: "a mode that means nothing", cause: set(func(in *Installation) { in.Environ = []string{EnvMode + "=prod"} }),
			where: "settings mode", level: Problem, detail: "means nothing", remedy: EnvMode + "=production",
		},
		{
			name: "an audience without an issuer", cause: set(func(in *Installation) { in.Environ = []string{EnvAudience + "=x"} }),
			where: "settings issuer", level: Problem, detail: EnvAudience + " is set and has no effect", remedy: EnvIssuer,
		},
		{name: "two issuers, one of them ignored", cause: func(p *inpatient) {
			file(p, "issuers: [{issuer: https://id.example, audience: a, clients: [c]}]\n")
			p.in.Environ = []string{EnvIssuer + "=https://other.example"}
		}, where: "settings issuer", level: Hint, detail: "replaces the issuers", remedy: "unset"},
		{
			name: "two tokens", cause: set(func(in *Installation) { in.Environ = []string{"CUSTODY_TOKEN=x", "CUSTODY_TOKEN_FILE=y"} }),
			where: "settings token", level: Hint, detail: "is not", remedy: "unset one",
		},
		{
			name: "no issuer", cause: set(func(in *Installation) { in.Config.Issuers = nil }),
			where: "settings issuer", level: Problem, detail: "nobody could sign in", remedy: EnvIssuer,
		},
		{
			name: "the development provider in production", cause: set(func(in *Installation) { in.Config.Production = true }),
			where: "settings issuer", level: Problem, detail: "not possible with CUSTODY_ENV=production", remedy: "https:",
		},
		{
			name: "an unknown field", cause: func(p *inpatient) { file(p, "limits: {}\nmodle: {}\n") },
			where: "settings configuration file", level: Problem, detail: ":2:1: ", remedy: "docs/operations.md",
		},
		{name: "a file that anybody writes", cause: func(p *inpatient) {
			file(p, "limits: {}\n")
			must(p.t, os.Chmod(p.in.File, 0o666))
		}, where: "settings configuration file", level: Problem, detail: "written to by others", remedy: "chmod go-w"},
		{
			name: "no database", cause: set(func(in *Installation) { in.Config.DatabaseURL = "" }),
			where: "settings database URL", level: Problem, detail: "no database is configured", remedy: EnvDatabase,
		},
		{
			name: "a certificate without its key", cause: set(func(in *Installation) { in.Config.TLSKey = "" }),
			where: "settings transport", level: Problem, detail: "TLS needs a certificate and a key", remedy: "PEM",
		},
		{
			name: "plain HTTP for the world", cause: set(func(in *Installation) { in.Config.InsecureHTTP, in.Config.Listen = true, "0.0.0.0:0" }),
			where: "settings transport", level: Problem, detail: "loopback only", remedy: "PEM",
		},
		{
			name: "everywhere and nowhere", cause: set(func(in *Installation) { in.Config.Listen = "[::]:0" }),
			where: "settings public URL", level: Hint, detail: "every address", remedy: EnvURL,
		},
		{
			name: "tokens in clear", cause: set(func(in *Installation) { in.Config.URL = "http://custody.example" }),
			where: "settings public URL", level: Problem, detail: "in clear", remedy: "https:",
		},
		{
			name: "an address of another machine", cause: set(func(in *Installation) { in.Config.Listen = "192.0.2.1:8443"; in.Config.URL = "https://127.0.0.1" }),
			where: "settings CUSTODY_LISTEN", level: Problem, detail: "does not have the address", remedy: "0.0.0.0",
		},
		{name: "two listeners on one address", cause: set(func(in *Installation) {
			in.Config.Listen, in.Config.MetricsListen = "127.0.0.1:65123", "127.0.0.1:65123"
		}), where: "settings addresses", level: Problem, detail: "the same address", remedy: "a port of its own"},
		{
			name: "metrics for the world", cause: set(func(in *Installation) { in.Config.MetricsListen = "0.0.0.0:0" }),
			where: "settings metrics address", level: Hint, detail: "open to the network", remedy: "127.0.0.1",
		},
		{
			name: "no limits", cause: set(func(in *Installation) { in.Config.Limits = Limits{} }),
			where: "settings limits", level: Hint, detail: "none are set", remedy: "submissions_per_minute",
		},
		{name: "a secret for everybody", cause: func(p *inpatient) {
			path := filepath.Join(p.t.TempDir(), "token")
			must(p.t, os.WriteFile(path, []byte("x"), 0o600))
			must(p.t, os.Chmod(path, 0o644))
			server := httptest.NewServer(http.NotFoundHandler())
			p.t.Cleanup(server.Close)
			p.in.Config.Connections = map[string]kinds.Connection{"sink": {BaseURL: server.URL, Private: true, Token: "file:" + path}}
		}, where: "settings secrets", level: Problem, detail: "read by everybody", remedy: "chmod o="},
		{name: "a secret that is not there", cause: set(func(in *Installation) {
			in.Config.Models = map[string]model.Model{"fast": {Provider: model.OpenAI, Model: "m", BaseURL: "http://127.0.0.1:1/v1", APIKey: "env:NO_SUCH_VARIABLE_HERE"}}
		}), where: "settings secrets", level: Problem, detail: "NO_SUCH_VARIABLE_HERE", remedy: "set the variable"},
	}
}

func tlsDisorders() []disorder {
	again := func(p *inpatient) { p.certify(nil) }
	dated := func(from, to time.Duration) func(*inpatient) {
		return func(p *inpatient) {
			p.certify(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to) })
		}
	}
	return []disorder{
		{
			name: "no certificate file", cause: func(p *inpatient) { must(p.t, os.Remove(p.in.Config.TLSCert)) },
			where: "tls certificate", level: Problem, detail: "cannot be used", remedy: EnvTLSCert, mend: again,
		},
		{name: "a key of another certificate", cause: func(p *inpatient) {
			raw, err := os.ReadFile(p.in.Config.TLSCert)
			must(p.t, err)
			p.certify(nil)
			must(p.t, os.WriteFile(p.in.Config.TLSCert, raw, 0o600))
		}, where: "tls certificate", level: Problem, detail: "does not match", remedy: EnvTLSKey, mend: again},
		{
			name: "an expired certificate", cause: dated(-time.Hour, -time.Minute),
			where: "tls certificate", level: Problem, detail: "it ended", remedy: "renew", mend: again,
		},
		{
			name: "a certificate of tomorrow", cause: dated(time.Hour, 2*time.Hour),
			where: "tls certificate", level: Problem, detail: "not valid before", remedy: "clock", mend: again,
		},
		{
			name: "a certificate that ends soon", cause: dated(-time.Hour, time.Hour),
			where: "tls certificate", level: Hint, detail: "ends soon", remedy: "renew", mend: again,
		},
		{
			name: "a certificate for somebody else", cause: func(p *inpatient) { p.in.Config.URL = "https://custody.example" },
			where: "tls host name", level: Problem, detail: "not for custody.example", remedy: "subject alternative name",
			mend: func(p *inpatient) {
				p.certify(func(c *x509.Certificate) { c.DNSNames = []string{"custody.example"} })
			},
		},
		{
			name: "a key for everybody", cause: func(p *inpatient) { must(p.t, os.Chmod(p.in.Config.TLSKey, 0o644)) },
			where: "tls key file", level: Problem, detail: "read by everybody", remedy: "chmod o=",
		},
		{name: "a weak key", cause: func(p *inpatient) {
			key, err := rsa.GenerateKey(rand.Reader, 1024) // that it is weak is the point
			must(p.t, err)
			p.certifyWith(key, &key.PublicKey, nil)
		}, where: "tls certificate key", level: Problem, detail: "1024 bits", remedy: "ECDSA", mend: again},
	}
}

func serverDisorders() []disorder {
	other := func(change func(*url.URL)) func(*inpatient) {
		return func(p *inpatient) {
			u, err := url.Parse(p.in.Config.DatabaseURL)
			must(p.t, err)
			change(u)
			p.in.Config.DatabaseURL = u.String()
		}
	}
	timeout := `alter role $ACCOUNT set statement_timeout = '20s'`
	return []disorder{
		{
			name: "nobody there", cause: set(func(in *Installation) { in.Config.DatabaseURL = "postgres://x@127.0.0.1:1/x?sslmode=disable" }),
			where: "database server", level: Problem, detail: "connect to the database", remedy: "PostgreSQL is running",
		},
		{
			name: "a wrong password", cause: other(func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "wrong") }),
			where: "database server", level: Problem, detail: "28P01", remedy: "password",
		},
		{
			name: "no such database", cause: other(func(u *url.URL) { u.Path = "/none" }),
			where: "database server", level: Problem, detail: "3D000", remedy: "create the database",
		},
		{
			name: "an account that may not log in", cause: sql(`alter role $ACCOUNT nologin`),
			where: "database server", level: Problem, detail: "28000", remedy: "does not let this account in", mend: sql(`alter role $ACCOUNT login`),
		},
		{
			name: "commits that are not", cause: sql(`alter role $ACCOUNT set synchronous_commit = off`),
			where: "database durability", level: Problem, detail: "synchronous_commit is off", remedy: "reset it for the account", mend: sql(`alter role $ACCOUNT reset synchronous_commit`),
		},
		{
			name: "read only", cause: sql(`alter role $ACCOUNT set default_transaction_read_only = on`),
			where: "database writing", level: Problem, detail: "nothing can be recorded", remedy: "reset it for the account", mend: sql(`alter role $ACCOUNT reset default_transaction_read_only`),
		},
		{
			name: "triggers that do not fire", cause: sql(`alter role $ACCOUNT set session_replication_role = replica`),
			where: "database append only", level: Problem, detail: "session_replication_role", remedy: "reset session_replication_role",
		},
		{
			name: "statements cut off", cause: sql(timeout),
			where: "database timeouts", level: Problem, detail: "statement_timeout is 20s", remedy: "statement_timeout = 0",
		},
		{
			name: "statements cut off late", cause: sql(strings.ReplaceAll(timeout, "20s", "1h")),
			where: "database timeouts", level: Hint, detail: "statement_timeout is 1h", remedy: "statement_timeout = 0",
		},
		{
			name: "idle sessions cut off", cause: sql(`alter role $ACCOUNT set idle_session_timeout = '1min'`),
			where: "database timeouts", level: Hint, detail: "idle_session_timeout", remedy: "idle_session_timeout = 0",
		},
		{
			name: "too few connections", cause: sql(`alter role $ACCOUNT connection limit 5`),
			where: "database connections", level: Problem, detail: "leaves 5", remedy: "raise the account's connection limit", mend: sql(`alter role $ACCOUNT connection limit -1`),
		},
		{
			name: "a superuser in production", cause: func(p *inpatient) { p.in.Config.Production = true; p.sql("alter role " + p.account + " superuser") },
			where: "database account", level: Problem, detail: "superuser", remedy: "in role custody_app", mend: func(p *inpatient) {
				p.in.Config.Production = false
				p.sql("alter role " + p.account + " nosuperuser")
			},
		},
		{
			name: "a superuser", cause: sql(`alter role $ACCOUNT superuser`),
			where: "database account", level: Hint, detail: "superuser", remedy: "in role custody_app", mend: sql(`alter role $ACCOUNT nosuperuser`),
		},
		{
			name: "the owner", cause: sql(`alter table custody.entry owner to $ACCOUNT`),
			where: "database account", level: Hint, detail: "owns the tables", remedy: "in role custody_app", mend: sql(`alter table custody.entry owner to custody`), own: true,
		},
		{
			name: "no member", cause: sql(`revoke custody_app from $ACCOUNT; grant usage on schema custody, river to $ACCOUNT; grant select on all tables in schema custody, river to $ACCOUNT`),
			where: "database account", level: Problem, detail: "not a member", remedy: "grant custody_app to",
		},
		{
			name: "a clock that is wrong", cause: set(func(in *Installation) { in.now = func() time.Time { return time.Now().Add(time.Minute) } }),
			where: "database clock", level: Problem, detail: "differs from ours by -1m", remedy: "NTP",
		},
		{
			name: "a clock that is a little wrong", cause: set(func(in *Installation) { in.now = func() time.Time { return time.Now().Add(-5 * time.Second) } }),
			where: "database clock", level: Hint, detail: "differs from ours by 5", remedy: "NTP",
		},
		{
			name: "an issuer's clock that is wrong", cause: set(func(in *Installation) { in.now = func() time.Time { return time.Now().Add(time.Minute) } }),
			where: "issuers clock", level: Problem, detail: "the issuer's clock", remedy: "NTP",
		},
	}
}

func recordDisorders() []disorder {
	const process = `insert into custody.process(id, version) values (gen_random_uuid(), '1'), (gen_random_uuid(), '2')`
	const due = `insert into custody.run(id, tenant, log, workflow, digest, caller, created_us, state, epoch, steps, seq, head, at_us, due_us)
select gen_random_uuid(), 'main', id, 'w', 'd', 'c', 0, 'waiting', 1, '', 1, decode(repeat('00', 32), 'hex'), 0, (extract(epoch from now()) * 1e6)::bigint - 600000000 from custody.log`
	return []disorder{
		{
			name: "never migrated", cause: sql(`alter schema custody rename to gone; alter schema river rename to gone_river`),
			where: "database schema", level: Problem, detail: "never migrated", remedy: "custody migrate up",
			mend: sql(`alter schema gone rename to custody; alter schema gone_river rename to river`),
		},
		{
			name: "an older schema", cause: sql(`delete from custody.schema_version where version_id > 0`),
			where: "database schema", level: Problem, detail: "never migrated", remedy: "custody migrate up",
			mend: sql(`insert into custody.schema_version(version_id, is_applied) select generate_series(1, ` + newestSchema() + `), true`),
		},
		{
			name: "an older River", cause: sql(`create table public.gone as select version from river.river_migration; delete from river.river_migration where version > 3`),
			where: "database schema", level: Problem, detail: "River's is 3", remedy: "custody migrate up",
			mend: sql(`insert into river.river_migration(line, version) select 'main', generate_series(4, (select max(version) from public.gone))`),
		},
		{
			name: "a newer schema", cause: sql(`insert into custody.schema_version(version_id, is_applied) values (9999, true)`),
			where: "database schema", level: Problem, detail: "newer release", remedy: "start the newer release",
			mend: sql(`delete from custody.schema_version where version_id = 9999`),
		},
		{
			name: "a trigger switched off", cause: sql(`alter table custody.entry disable trigger append_only`),
			where: "database append only", level: Problem, detail: "custody.entry is off", remedy: "enable trigger append_only",
			mend: sql(`alter table custody.entry enable trigger append_only`),
		},
		{
			name: "a trigger for replicas only", cause: sql(`alter table custody.vote enable replica trigger append_only`),
			where: "database append only", level: Problem, detail: "custody.vote is replica", remedy: "enable trigger append_only",
			mend: sql(`alter table custody.vote enable trigger append_only`),
		},
		{
			name: "a trigger removed", cause: sql(`drop trigger append_only on custody.payload`),
			where: "database append only", level: Problem, detail: "custody.payload is missing", remedy: guardSQL("payload", "missing"),
			mend: sql(guardSQL("payload", "missing")),
		},
		{
			name: "a process that may change the record", cause: sql(`grant update (body), delete on custody.entry to custody_app`),
			where: "database append only", level: Problem, detail: "delete on custody.entry, update on custody.entry", remedy: "revoke",
			mend: sql(`revoke update (body), delete on custody.entry from custody_app`),
		},
		{
			name: "a restore without rights", cause: sql(`revoke all on custody.run, river.river_job from custody_app`),
			where: "database rights", level: Problem, detail: "custody_app lacks", remedy: "with its privileges",
			mend: sql(`grant select, insert, update on custody.run to custody_app; grant all on river.river_job to custody_app`),
		},
		{
			name: "a table that nobody vacuums", cause: sql(`alter table custody.run set (autovacuum_enabled = off)`),
			where: "database autovacuum", level: Problem, detail: "custody.run", remedy: "reset (autovacuum_enabled)",
		},
		{
			name: "another ledger", cause: set(func(in *Installation) { in.Config.Origin = "elsewhere/x" }),
			where: "ledger origin", level: Problem, detail: `the ledger is "custody.example/acme"`, remedy: "origin: custody.example/acme",
		},
		{
			name: "two releases", cause: sql(process),
			where: "processes versions", level: Hint, detail: "1 (1), 2 (1)", remedy: "finish the upgrade", mend: sql(`delete from custody.process`),
		},
		{
			name: "runs that wait for a process", cause: sql(due),
			where: "processes runs", level: Hint, detail: "no process runs", remedy: "custody serve", mend: sql(`delete from custody.run`),
		},
		{
			name: "runs that nobody can drive", cause: sql(due + `; ` + process + `; update custody.process set version = '1'`),
			where: "processes runs", level: Problem, detail: "1 run is due and with nobody", remedy: "configuration of all processes", mend: sql(`delete from custody.run; delete from custody.process`),
		},
	}
}

func newestSchema() string {
	files, _ := fs.Glob(os.DirFS("migrations"), "*.sql")
	return strings.TrimLeft(files[len(files)-1][:5], "0")
}

func keyDisorders() []disorder {
	in := func(p *inpatient, parts ...string) string {
		return filepath.Join(append([]string{p.in.Config.KeyDir}, parts...)...)
	}
	one := func(p *inpatient, kind string) string {
		found, err := filepath.Glob(in(p, kind, "*.key"))
		must(p.t, err)
		return found[0]
	}
	away := func(p *inpatient) { must(p.t, os.Rename(p.in.Config.KeyDir, p.in.Config.KeyDir+".away")) }
	back := func(p *inpatient) {
		must(p.t, os.RemoveAll(p.in.Config.KeyDir))
		must(p.t, os.Rename(p.in.Config.KeyDir+".away", p.in.Config.KeyDir))
	}
	return []disorder{
		{name: "a lost key directory", cause: away, where: "keys directory", level: Problem, detail: "holds no keys", remedy: EnvKeyDir, mend: back},
		{name: "lost keys are named", cause: away, where: "keys in use", level: Problem, detail: "lacks kek/k-", remedy: "backup", mend: back},
		{name: "keys of another installation", cause: func(p *inpatient) {
			away(p)
			must(p.t, MakeKeys(p.in.Config.KeyDir))
		}, where: "keys in use", level: Problem, detail: "lacks kek/k-", remedy: "backup", mend: back},
		{
			name: "a directory for everybody", cause: func(p *inpatient) { must(p.t, os.Chmod(in(p), 0o755)) },
			where: "keys directory", level: Problem, detail: "lets others in", remedy: "mend that", mend: func(p *inpatient) { must(p.t, os.Chmod(in(p), 0o700)) },
		},
		{
			name: "a secret key for everybody", cause: func(p *inpatient) { must(p.t, os.Chmod(one(p, "kek"), 0o644)) },
			where: "keys directory", level: Problem, detail: "chmod 0600", remedy: "mend that", mend: func(p *inpatient) { must(p.t, os.Chmod(one(p, "kek"), 0o600)) },
		},
		{
			name: "a file among the keys", cause: func(p *inpatient) { must(p.t, os.WriteFile(in(p, "kek", "notes.txt"), nil, 0o600)) },
			where: "keys directory", level: Hint, detail: "kek/notes.txt is not a key", remedy: "move it away", mend: func(p *inpatient) { must(p.t, os.Remove(in(p, "kek", "notes.txt"))) },
		},
		{name: "a new key", cause: func(p *inpatient) {
			raw, err := os.ReadFile(one(p, "kek"))
			must(p.t, err)
			must(p.t, os.WriteFile(in(p, "kek", "z.key"), raw, 0o600))
		}, where: "keys in use", level: Hint, detail: "kek/z is new", remedy: "every machine", mend: sql(`insert into custody.key(kind, id) values ('kek', 'z')`), own: true},
		{name: "a relative directory in production", cause: func(p *inpatient) {
			here, err := os.Getwd()
			must(p.t, err)
			relative, err := filepath.Rel(here, in(p))
			must(p.t, err)
			p.in.Config.Production, p.in.Config.KeyDir = true, relative
		}, where: "keys directory", level: Hint, detail: "depends on where", remedy: "absolute"},
	}
}

// pretender is an issuer that answers as it is told.
func pretender(p *inpatient, name string, keys string) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	p.t.Cleanup(server.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": "%s/keys", "token_endpoint": "%[2]s/protocol/openid-connect/token"}`, server.URL+name, server.URL)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, keys) })
	p.in.Config.Issuers = []oidc.Issuer{{Issuer: server.URL, Audience: "custody", Clients: []string{"c"}}}
}

const goodKeys = `{"keys": [{"kty": "EC", "crv": "P-256", "use": "sig"}]}`

func outerDisorders() []disorder {
	answering := func(p *inpatient, status int) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		p.t.Cleanup(server.Close)
		return server.URL
	}
	ask := func(status int) func(*inpatient) {
		return func(p *inpatient) {
			p.in.Config.Models = map[string]model.Model{"fast": {Provider: model.Offline}, "real": {Provider: model.OpenAI, Model: "m", BaseURL: answering(p, status) + "/v1"}}
		}
	}
	reach := func(c kinds.Connection) func(*inpatient) {
		return set(func(in *Installation) { in.Config.Connections = map[string]kinds.Connection{"sink": c} })
	}
	return []disorder{
		{
			name: "an issuer that is away", cause: set(func(in *Installation) { in.Config.Issuers[0].Issuer = "http://127.0.0.1:1" }),
			where: "issuers http://127.0.0.1:1", level: Problem, detail: "the connection is refused", remedy: "openid-configuration",
		},
		{
			name: "an issuer in clear", cause: set(func(in *Installation) { in.Config.Issuers[0].Issuer = "http://id.example" }),
			where: "issuers issuer 0", level: Problem, detail: "must be https", remedy: "mend issuers",
		},
		{
			name: "an issuer without an audience", cause: set(func(in *Installation) { in.Config.Issuers[0].Audience = "" }),
			where: "issuers issuer 0", level: Problem, detail: "audience", remedy: "mend issuers",
		},
		{
			name: "models without a judge", cause: set(func(in *Installation) { in.Config.Judge = "" }),
			where: "models judge", level: Hint, detail: "by rules only", remedy: "judge: {model: ALIAS}",
			mend: func(p *inpatient) { p.in.Config.Judge = "fast"; ask(http.StatusOK)(p); p.in.Config.Judge = "real" },
		},
		{
			name: "a judge that is not there", cause: set(func(in *Installation) { in.Config.Judge = "none" }),
			where: "models judge", level: Problem, detail: "does not have", remedy: "aliases",
		},
		{
			name: "no models", cause: set(func(in *Installation) { in.Config.Models, in.Config.Judge = nil, "" }),
			where: "models models", level: Hint, detail: "llm steps cannot run", remedy: "write models",
		},
		{
			name: "a model of an unknown provider", cause: set(func(in *Installation) { in.Config.Models = map[string]model.Model{"fast": {Provider: "oracle"}} }),
			where: "models models", level: Problem, detail: "models.fast.provider", remedy: "mend models",
		},
		{
			name: "a key that is refused", cause: ask(http.StatusUnauthorized),
			where: "models real", level: Problem, detail: "does not accept our credential", remedy: "api_key",
		},
		{
			name: "a model's server that is ill", cause: ask(http.StatusBadGateway),
			where: "models real", level: Problem, detail: "status 502", remedy: "base_url",
		},
		{name: "a model's server that is away", cause: set(func(in *Installation) {
			in.Config.Models = map[string]model.Model{"fast": {Provider: model.Offline}, "real": {Provider: model.OpenAI, Model: "m", BaseURL: "http://127.0.0.1:1/v1"}}
		}), where: "models real", level: Problem, detail: "no connection", remedy: "base_url"},
		{
			name: "an effect inside that nobody allowed", cause: func(p *inpatient) { reach(kinds.Connection{BaseURL: answering(p, 200)})(p) },
			where: "connections sink", level: Problem, detail: "loopback", remedy: "private: true",
			mend: func(p *inpatient) { reach(kinds.Connection{BaseURL: answering(p, 200), Private: true})(p) },
		},
		{
			name: "an effect at the metadata service", cause: reach(kinds.Connection{BaseURL: "http://169.254.169.254/x", Private: true}),
			where: "connections sink", level: Problem, detail: "metadata", remedy: "never allowed",
		},
		{
			name: "an effect that nobody takes", cause: reach(kinds.Connection{BaseURL: "http://127.0.0.1:1", Private: true}),
			where: "connections sink", level: Problem, detail: "nobody answers", remedy: "start the service",
		},
		{
			name: "an effect at an unknown host", cause: reach(kinds.Connection{BaseURL: "http://no-such-host.invalid"}),
			where: "connections sink", level: Problem, detail: "unknown here", remedy: "resolver",
		},
		{
			name: "a connection that is not a URL", cause: reach(kinds.Connection{BaseURL: "sink"}),
			where: "connections connections", level: Problem, detail: "base_url", remedy: "mend connections",
		},
	}
}

// Issuers that answer something else than they should cannot be told by their
// name beforehand.
func TestDoctorListensToTheIssuer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		suffix, keys string
		level        Level
		detail       string
	}{
		"another name": {"/", goodKeys, Problem, "it calls itself"},
		"weak keys":    {"", `{"keys": [{"kty": "RSA", "n": "AQAB"}, {"kty": "oct"}, {"kty": "EC", "crv": "P-256", "use": "enc"}]}`, Problem, "none of its keys"},
		"no keys":      {"", `none`, Problem, "its key set is not JSON"},
		"a Keycloak":   {"", goodKeys, Hint, "looks like Keycloak"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &inpatient{t: t}
			pretender(p, c.suffix, c.keys)
			found := Diagnose(t.Context(), p.in)
			if !slices.ContainsFunc(found, func(s Symptom) bool {
				return s.Group == "issuers" && s.Level == c.level && strings.Contains(s.Detail, c.detail) && s.Remedy != ""
			}) {
				t.Errorf("%+v", found)
			}
		})
	}
}

// Nothing at all, and nothing but rubbish, are answered with findings.
func TestDoctorSurvivesWhatIsBroken(t *testing.T) {
	t.Parallel()
	for _, in := range []Installation{
		{},
		{Config: Config{
			DatabaseURL: "postgres://%zz", Listen: "::::", MetricsListen: "\x00", URL: "http://[", TLSCert: "/dev/null", TLSKey: "/", KeyDir: "/dev/null",
			Issuers: []oidc.Issuer{{Issuer: "\x00"}, {}}, Judge: "\x00", Models: map[string]model.Model{"": {}, "x": {Provider: model.OpenAI, BaseURL: "http://[::1"}},
			Connections: map[string]kinds.Connection{"": {}, "x": {BaseURL: "http://\x7f"}},
		}, Environ: []string{"", "=", "CUSTODY_", "CUSTODY_=x"}, File: "/nowhere"},
	} {
		problems := 0
		for _, s := range Diagnose(t.Context(), in) {
			if s.Level == Problem {
				problems++
			}
			if s.Name == "doctor" || s.Level != Well && (s.Detail == "" || s.Remedy == "") {
				t.Errorf("%+v", s)
			}
		}
		if problems < 2 {
			t.Errorf("%d problems", problems)
		}
	}
}

func TestALookThatHangsOrBreaksIsLeftBehind(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	found := inspect(t.Context(), []look{
		{"a", time.Millisecond, func(context.Context, *sheet) { <-release }},
		{"b", time.Second, func(context.Context, *sheet) { panic("ill") }},
		{"c", time.Second, func(_ context.Context, s *sheet) { s.well("c", "") }},
	})
	if len(found) != 3 || found[0].Level != Problem || found[1].Level != Problem || found[2].Level != Well {
		t.Errorf("%+v", found)
	}
}

// Every variable that any part of the program reads is known to the doctor.
func TestDoctorKnowsEveryVariable(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`"(CUSTODY_[A-Z0-9_]+)"`)
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "internal/bench") || strings.Contains(path, "storetest") || path == "doctor_settings.go" {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, m := range name.FindAllStringSubmatch(string(raw), -1) {
			seen[m[1]] = true
		}
		return err
	})
	must(t, err)
	for v := range seen {
		if !slices.Contains(Variables(), v) {
			t.Errorf("%s is read somewhere and not in Variables()", v)
		}
	}
	for _, v := range Variables() {
		if !seen[v] {
			t.Errorf("%s is in Variables() and nothing reads it", v)
		}
	}
}
