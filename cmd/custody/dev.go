package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/store/localpg"
)

//go:embed dev.yaml
var devConfig []byte

// contractReview is examples/contract-review.yaml; a test compares them.
//
//go:embed contract-review.yaml
var contractReview []byte

type devCommand struct {
	Listen    string `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address of the API; loopback only."`
	IDPListen string `name:"idp-listen" default:"127.0.0.1:8090" placeholder:"ADDRESS" help:"Address of the development provider; loopback only."`
	Dir       string `default:".custody" placeholder:"DIR" help:"Where everything is kept."`
}

// Help shows an example.
func (devCommand) Help() string {
	return "Example:\n\n    custody dev\n\nPostgreSQL, a sign-in provider, an offline model, a filing service and `serve`, on this machine only. Ctrl-C ends it; the data stays."
}

// Run keeps a development server until it is asked to end.
func (c devCommand) Run(ctx context.Context, s *session) error {
	if err := c.refuse(s); err != nil {
		return err
	}
	d := &development{devCommand: c, s: s}
	defer d.stop()
	if err := d.start(ctx); err != nil {
		return busy(err)
	}
	return busy(d.serve(ctx))
}

// refuse keeps the provider that signs anybody in away from production and
// from other machines.
func (c devCommand) refuse(s *session) error {
	if strings.EqualFold(s.env(custody.EnvMode), "production") {
		return usage("`custody dev` signs anybody in, so it does not run with %s=production: use `custody serve`", custody.EnvMode)
	}
	for _, a := range []struct{ flag, address string }{{"--listen", c.Listen}, {"--idp-listen", c.IDPListen}} {
		host, _, err := net.SplitHostPort(a.address)
		if err != nil || !loopback(host) {
			return usage("`custody dev` listens on loopback only: %s must be an address such as 127.0.0.1:8080", a.flag)
		}
	}
	return nil
}

// busy explains the one thing that usually goes wrong.
func busy(err error) error {
	if err != nil && strings.Contains(err.Error(), "address already in use") {
		return failed(exitFailure, "%w\nSomething else listens there, perhaps another `custody dev`: end it, or choose addresses with --listen and --idp-listen", err)
	}
	return err
}

// A development is a development server and its surroundings.
type development struct {
	devCommand
	s      *session
	pg     *localpg.Server
	idp    *devidp.Server
	filing *filing
	server *custody.Custody
	listen net.Listener
	cfg    custody.Config
}

// start starts the surroundings, then puts the server together.
func (d *development) start(ctx context.Context) error {
	var err error
	if d.Dir, err = filepath.Abs(d.Dir); err != nil {
		return err
	}
	// Others may pass, so that PostgreSQL can run as another account for root;
	// what is secret has a mode of its own.
	if err := os.MkdirAll(d.Dir, 0o755); err != nil {
		return err
	}
	if d.listen, err = (&net.ListenConfig{}).Listen(ctx, "tcp", d.Listen); err != nil {
		return err
	}
	d.Listen = d.listen.Addr().String()
	d.idp, err = devidp.Start(ctx, devidp.Config{Listen: d.IDPListen, KeyFile: filepath.Join(d.Dir, "provider.key")})
	if err != nil {
		return err
	}
	if d.filing, err = startFiling(ctx, filepath.Join(d.Dir, "filed")); err != nil {
		return err
	}
	if d.pg, err = openPostgres(ctx, d.s, d.Dir); err != nil {
		return err
	}
	if err := d.configure(ctx); err != nil {
		return err
	}
	if _, err := custody.Migrate(ctx, d.cfg); err != nil {
		return err
	}
	d.server, err = custody.New(ctx, d.cfg)
	return err
}

// openPostgres uses CUSTODY_DATABASE_URL, else a server of its own.
func openPostgres(ctx context.Context, s *session, dir string) (*localpg.Server, error) {
	cfg := localpg.Config{URL: s.env(custody.EnvDatabase), Dir: filepath.Join(dir, "postgres"), Log: s.err}
	if cfg.URL == "" && os.Geteuid() == 0 && !passable(dir) {
		// PostgreSQL refuses to run as root, and its own account cannot enter here.
		cfg.Dir = filepath.Join("/var/lib/custody", "dev-"+strings.Trim(strings.ReplaceAll(dir, "/", "-"), "-."), "postgres")
		s.say("PostgreSQL's data is in %s: its account may not enter %s", cfg.Dir, dir)
	}
	return localpg.Open(ctx, cfg)
}

// passable reports whether every folder on the way lets other accounts through.
func passable(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

func (d *development) configure(ctx context.Context) error {
	file := d.s.env(custody.EnvConfig)
	if file == "" {
		file = filepath.Join(d.Dir, "custody.yaml")
		if err := writeOnce(file, devConfig); err != nil {
			return err
		}
	}
	cfg, err := custody.Load(d.openTelemetry, file)
	if err != nil {
		return &exit{code: exitUsage, err: err}
	}
	url := d.pg.URL
	if d.s.env(custody.EnvDatabase) == "" {
		if url, err = d.pg.Database(ctx, "custody"); err != nil {
			return err
		}
	}
	cfg.DatabaseURL, cfg.KeyDir, cfg.Version = url, filepath.Join(d.Dir, "keys"), version()
	cfg.Listen, cfg.InsecureHTTP = d.Listen, true
	cfg.Issuers = []oidc.Issuer{devIssuer(d.idp.Issuer())}
	cfg.Log = slog.New(slog.NewTextHandler(d.s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if cfg.Connections == nil {
		cfg.Connections = map[string]kinds.Connection{}
	}
	if _, ok := cfg.Connections["dms"]; !ok {
		cfg.Connections["dms"] = kinds.Connection{BaseURL: d.filing.url, Private: true}
	}
	d.cfg = cfg
	return d.writeEnv(file)
}

// openTelemetry is the environment of a dev server: nothing of it but where
// traces and metrics go.
func (d *development) openTelemetry(name string) string {
	if strings.HasPrefix(name, "OTEL_") {
		return d.s.env(name)
	}
	return ""
}

// devIssuer is how the development provider is trusted.
func devIssuer(issuer string) oidc.Issuer {
	return oidc.Issuer{
		Issuer: issuer, Audience: "custody", Clients: []string{devidp.CLI, devidp.Console}, Agents: []string{devidp.Agent},
		Profile: []string{"rfc9068"},
	}
}

func writeOnce(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// writeEnv leaves the settings of this server for other commands on the machine.
func (d *development) writeEnv(config string) error {
	var b strings.Builder
	for _, v := range [][2]string{
		{custody.EnvDatabase, d.cfg.DatabaseURL},
		{custody.EnvKeyDir, d.cfg.KeyDir},
		{custody.EnvConfig, config},
		{custody.EnvListen, d.cfg.Listen},
		{custody.EnvIssuer, d.idp.Issuer()},
		{custody.EnvAudience, "custody"},
		{custody.EnvClients, strings.Join([]string{devidp.CLI, devidp.Console, devidp.Agent}, ",")},
		{"CUSTODY_URL", "http://" + d.Listen},
	} {
		fmt.Fprintf(&b, "%s='%s'\n", v[0], strings.ReplaceAll(v[1], "'", `'\''`))
	}
	return os.WriteFile(filepath.Join(d.Dir, "env"), []byte(b.String()), 0o600) // it holds the database's password
}

// serve runs the server, and greets once it answers.
func (d *development) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	listen, server := d.listen, d.server
	d.listen, d.server = nil, nil // Serve closes them
	go func() { done <- server.Serve(ctx, listen) }()
	err := d.welcome(ctx)
	if err != nil && ctx.Err() == nil {
		cancel()
		return errors.Join(err, <-done)
	}
	return <-done
}

// welcome registers the example and says what there is.
func (d *development) welcome(ctx context.Context) error {
	base := "http://" + d.Listen
	if err := ready(ctx, base); err != nil {
		return err
	}
	if err := registerExample(ctx, base, d.idp.Issuer()); err != nil {
		return fmt.Errorf("register the example: %w", err)
	}
	t := d.s.terminal
	t.print("Custody is running. Ctrl-C ends it; the data stays in %s.", d.Dir)
	t.print("")
	t.print("  API        %s   (read it in a browser: %s/docs)", base, base)
	t.print("  sign-in    %s   (anybody may be anybody: this machine only)", d.idp.Issuer())
	t.print("  database   PostgreSQL %s, %s", d.pg.Version, d.pg.Source)
	t.print("  model      offline: picks sentences, is not a language model (%s)", filepath.Join(d.Dir, "custody.yaml"))
	t.print("  settings   %s   (for doctor and verify: set -a; . FILE; set +a)", filepath.Join(d.Dir, "env"))
	t.print("")
	t.print("  people     %s", people())
	t.print("")
	d.next()
	return nil
}

func people() string {
	var out []string
	for _, p := range devidp.People() {
		roles := "no role"
		if len(p.Roles) > 0 {
			roles = strings.Join(p.Roles, ", ")
		}
		out = append(out, p.Name+" ("+roles+")")
	}
	return strings.Join(append(out, "agent "+devidp.Agent), ", ")
}

// next says what to type in another terminal.
func (d *development) next() {
	url := ""
	if d.Listen != "127.0.0.1:8080" {
		url = "--url http://" + d.Listen + " "
	}
	t := d.s.terminal
	t.print("In another terminal:")
	t.print("")
	for _, line := range []string{
		`--as alice run submit contract-review --input '{"contract": "The fee is 100 euros a month. Either party may end it with thirty days notice."}'`,
		"--as alice run watch run_…",
		"--as bob approvals",
		"--as bob approve apr_…",
		"--as audrey audit list",
	} {
		t.print("  custody %s%s", url, line)
	}
}

// ready waits until the server answers that it can work.
func ready(ctx context.Context, base string) error {
	c, err := client.New(client.Config{URL: base})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := c.Ready(ctx)
		if err == nil && r.Status == "ok" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server did not become ready: %w", errors.Join(ctx.Err(), err, unready(r)))
		case <-tick.C:
		}
	}
}

func unready(r client.Readiness) error {
	for _, c := range r.Checks {
		if !c.OK {
			return fmt.Errorf("%s: %s", c.Name, c.Detail)
		}
	}
	return nil
}

// registerExample registers contract-review as erin, if nobody has.
func registerExample(ctx context.Context, base, issuer string) error {
	erin, err := personClient(ctx, base, issuer, "erin")
	if err != nil {
		return err
	}
	defer erin.Close()
	_, err = erin.Workflow(ctx, "contract-review", "")
	var p *client.Problem
	if !errors.As(err, &p) || p.Kind() != "not-found" {
		return err
	}
	_, err = erin.Publish(ctx, client.Publication{Source: contractReview})
	return err
}

// personClient signs a person in, with a second factor.
func personClient(ctx context.Context, base, issuer, person string) (*client.Client, error) {
	token, err := devidp.SignIn(ctx, issuer, person)
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{URL: base, UserAgent: "custody-cli", Token: func(context.Context) (string, error) { return token, nil }})
}

// stop ends what start started and serve did not take over.
func (d *development) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if d.server != nil {
		d.server.Close()
	}
	if d.listen != nil {
		_ = d.listen.Close()
	}
	if d.idp != nil {
		_ = d.idp.Close(ctx)
	}
	if d.filing != nil {
		d.filing.stop()
	}
	if d.pg != nil {
		if err := d.pg.Close(ctx); err != nil {
			d.s.say("custody: stop PostgreSQL: %v", err)
		}
	}
}
