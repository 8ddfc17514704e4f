package custody

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/store/storetest"
)

// site is what a process needs, on a database and a provider of its own.
func site(t *testing.T) (Config, *devidp.Server) {
	t.Helper()
	return siteOn(t, storetest.URL(t))
}

func siteOn(t *testing.T, database string) (Config, *devidp.Server) {
	t.Helper()
	idp, err := devidp.Start(t.Context(), devidp.Config{Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { _ = idp.Close(context.Background()) })
	cfg := Config{
		DatabaseURL: database, Listen: "127.0.0.1:0", InsecureHTTP: true, KeyDir: filepath.Join(t.TempDir(), "keys"),
		Issuers: []oidc.Issuer{{Issuer: idp.Issuer(), Audience: "custody", Clients: []string{devidp.CLI}, Agents: []string{devidp.Agent}}},
		Models:  map[string]model.Model{"fast": {Provider: model.Offline}}, Judge: "fast", Drain: 10 * time.Second,
	}
	_, err = Migrate(t.Context(), cfg)
	must(t, err)
	return cfg, idp
}

// serving runs a process until the test ends and returns its address.
func serving(t *testing.T, cfg Config) string {
	t.Helper()
	c, err := New(t.Context(), cfg)
	must(t, err)
	l, err := c.listen(t.Context(), cfg.Listen, true)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the process did not end in order: %v", err)
		}
	})
	return l.Addr().String()
}

func as(t *testing.T, address string, idp *devidp.Server, person string) *client.Client {
	t.Helper()
	token, err := idp.Token(devidp.TokenRequest{Person: person})
	must(t, err)
	c, err := client.New(client.Config{URL: "http://" + address, Token: func(context.Context) (string, error) { return token, nil }})
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

const shout = `name: shout
input: {type: object, required: [text], properties: {text: {type: string}}}
requires: {roles: [analyst]}
steps:
  - {id: loud, uses: shout, with: {text: "${{ input.text }}"}}
output: ${{ steps.loud.output.text }}
`

func TestAnEmbeddedFunctionRunsAsAStep(t *testing.T) {
	t.Parallel()
	cfg, idp := site(t)
	cfg.Funcs = []kinds.Func{{
		Name: "shout", Version: "1",
		Input:  json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`),
		Output: json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`),
		Run: func(_ context.Context, in map[string]any, _ kinds.FuncCall) (any, error) {
			text, _ := in["text"].(string)
			return map[string]any{"text": strings.ToUpper(text)}, nil
		},
	}}
	address := serving(t, cfg)
	_, err := as(t, address, idp, "erin").Publish(t.Context(), client.Publication{Source: []byte(shout)})
	must(t, err)
	alice := as(t, address, idp, "alice")
	r, err := alice.Submit(t.Context(), client.Submission{Workflow: "shout", Input: json.RawMessage(`{"text": "hello"}`), Wait: 20 * time.Second})
	must(t, err)
	if r.State != "succeeded" {
		t.Fatalf("%s %+v", r.State, r.Reason)
	}
	out, err := alice.Output(t.Context(), r.ID)
	if err != nil || string(bytes.TrimSpace(out)) != `"HELLO"` {
		t.Errorf("%s %v", out, err)
	}
}

func TestAProcessThatCannotBeTrustedDoesNotStart(t *testing.T) {
	t.Parallel()
	cfg, _ := site(t)
	c, err := New(t.Context(), cfg)
	must(t, err) // the harmless twin
	c.Close()
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"without keys":                {func(c *Config) { c.KeyDir = filepath.Join(t.TempDir(), "none") }, "migrate up"},
		"with foreign keys":           {func(c *Config) { c.KeyDir = made(t) }, "lacks kek/"},
		"on a ledger of another name": {func(c *Config) { c.Origin = "elsewhere/x" }, "log.origin"},
		"on an empty database":        {func(c *Config) { c.DatabaseURL = storetest.Empty(t) }, "custody migrate up"},
		"with a judge that is not":    {func(c *Config) { c.Judge = "none" }, "judge"},
		"with a bad issuer":           {func(c *Config) { c.Issuers[0].Audience = "" }, "audience"},
		"with the wrong password":     {func(c *Config) { c.DatabaseURL = wrongPassword(t, c.DatabaseURL) }, "28P01"},
		"with a secret that is absent": {func(c *Config) {
			c.Models = map[string]model.Model{"fast": {Provider: model.OpenAI, Model: "m", BaseURL: "http://127.0.0.1:1/v1", APIKey: "env:CUSTODY_NO_SUCH_SECRET"}}
		}, "CUSTODY_NO_SUCH_SECRET"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := cfg
			bad.Issuers = append([]oidc.Issuer(nil), cfg.Issuers...)
			c.change(&bad)
			_, err := New(t.Context(), bad)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func wrongPassword(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	u.User = url.UserPassword(u.User.Username(), "wrong")
	return u.String()
}

// A relay stands before the database, and can be gone.
type relay struct {
	t        *testing.T
	address  string
	upstream func() (net.Conn, error)
	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
}

// relayTo returns a relay that is away, and the URL that leads through it.
func relayTo(t *testing.T, database string) (*relay, string) {
	t.Helper()
	u, err := url.Parse(database)
	must(t, err)
	q := u.Query()
	network, upstream := "tcp", u.Host
	if dir := q.Get("host"); strings.HasPrefix(dir, "/") {
		network, upstream = "unix", filepath.Join(dir, ".s.PGSQL."+q.Get("port"))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &relay{t: t, address: l.Addr().String(), open: map[net.Conn]bool{}, upstream: func() (net.Conn, error) { return net.Dial(network, upstream) }}
	must(t, l.Close())
	q.Del("host")
	q.Del("port")
	u.Host, u.RawQuery = r.address, q.Encode()
	t.Cleanup(r.leave)
	return r, u.String()
}

func (r *relay) come() {
	r.t.Helper()
	l, err := net.Listen("tcp", r.address)
	must(r.t, err)
	r.mu.Lock()
	r.listener = l
	r.mu.Unlock()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := r.upstream()
			if err != nil {
				_ = in.Close()
				continue
			}
			r.mu.Lock()
			r.open[in], r.open[out] = true, true
			r.mu.Unlock()
			go func() { _, _ = io.Copy(in, out); _ = in.Close(); _ = out.Close() }()
			go func() { _, _ = io.Copy(out, in); _ = in.Close(); _ = out.Close() }()
		}
	}()
}

func (r *relay) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		_ = r.listener.Close()
	}
	for c := range r.open {
		_ = c.Close()
	}
	r.open = map[net.Conn]bool{}
}

func TestAProcessStartsBeforeItsDatabaseAndOutlivesItsAbsence(t *testing.T) {
	t.Parallel()
	direct := storetest.URL(t)
	cfg, idp := siteOn(t, direct)
	r, through := relayTo(t, direct)
	cfg.DatabaseURL = through
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, free.Close())
	cfg.Listen = free.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, cfg) }()
	alice := as(t, cfg.Listen, idp, "alice")
	early := func(path string) (code int) {
		until(t, func() bool {
			res, err := http.Get("http://" + cfg.Listen + path) //nolint:noctx // until the address answers
			if err != nil {
				return false
			}
			code = res.StatusCode
			return res.Body.Close() == nil
		})
		return code
	}
	if live, ready, runs := early("/livez"), early("/readyz"), early("/v1/runs"); live != 200 || ready != 503 || runs != 503 {
		t.Errorf("before the database: /livez %d, /readyz %d, /v1/runs %d", live, ready, runs)
	}
	var waits *client.Problem
	if _, err := alice.Me(t.Context()); !errors.As(err, &waits) || waits.Kind() != "unavailable" {
		t.Errorf("before the database: %v", err)
	}
	r.come()
	until(t, func() bool { state, err := alice.Ready(t.Context()); return err == nil && state.Status == "ok" })

	r.leave()
	var p *client.Problem
	until(t, func() bool {
		_, err := alice.Me(t.Context())
		return errors.As(err, &p) && p.Status == http.StatusServiceUnavailable || lists(t, alice, &p)
	})
	until(t, func() bool { state, err := alice.Ready(t.Context()); return err == nil && state.Status != "ok" }) // it is asked once a second
	select {
	case err := <-done:
		t.Fatalf("the process ended: %v", err)
	default:
	}
	r.come()
	until(t, func() bool { state, err := alice.Ready(t.Context()); return err == nil && state.Status == "ok" })
	cancel()
	must(t, <-done)
}

// lists reports whether a list is refused as unavailable.
func lists(t *testing.T, c *client.Client, p **client.Problem) bool {
	for _, err := range c.Runs(t.Context(), client.RunFilter{}) {
		return errors.As(err, p) && (*p).Status == http.StatusServiceUnavailable
	}
	return false
}

func until(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatal("it never held")
		case <-tick.C:
		}
	}
}

// signal is a log that tells when a message was written.
type signal struct {
	told    chan<- struct{}
	message string
}

func (signal) Enabled(context.Context, slog.Level) bool { return true }
func (s signal) WithAttrs([]slog.Attr) slog.Handler     { return s }
func (s signal) WithGroup(string) slog.Handler          { return s }
func (s signal) Handle(_ context.Context, r slog.Record) error {
	if r.Message == s.message {
		select {
		case s.told <- struct{}{}:
		default:
		}
	}
	return nil
}

func TestOnlyTLS13IsServedAndTheCertificateIsReread(t *testing.T) {
	t.Parallel()
	cfg, _ := site(t)
	dir := t.TempDir()
	cfg.InsecureHTTP, cfg.TLSCert, cfg.TLSKey = false, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cfg.MetricsListen = "127.0.0.1:0"
	first := certify(t, cfg, 1)
	address := serving(t, cfg)
	serial := func(c *tls.Config) (int64, error) {
		conn, err := tls.Dial("tcp", address, c)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		if conn.ConnectionState().Version != tls.VersionTLS13 {
			return 0, errors.New("not TLS 1.3")
		}
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
	}
	if n, err := serial(&tls.Config{RootCAs: first}); n != 1 || err != nil {
		t.Errorf("serial %d, %v", n, err)
	}
	if _, err := serial(&tls.Config{RootCAs: first, MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("TLS 1.2 is served")
	}
	second := certify(t, cfg, 2)
	if n, err := serial(&tls.Config{RootCAs: second}); n != 2 || err != nil {
		t.Errorf("after the change: serial %d, %v", n, err)
	}
	must(t, os.WriteFile(cfg.TLSKey, []byte("half"), 0o600))
	if n, err := serial(&tls.Config{RootCAs: second}); n != 2 || err != nil {
		t.Errorf("while it is being written: serial %d, %v", n, err)
	}
}

// certify writes a certificate for 127.0.0.1 and returns who to trust for it.
func certify(t *testing.T, cfg Config, serial int64) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	// Another length, so that the change shows even within the clock's tick.
	must(t, os.WriteFile(cfg.TLSCert, append(cert, bytes.Repeat([]byte("\n"), int(serial))...), 0o600))
	must(t, os.WriteFile(cfg.TLSKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}

func TestTheMetricsAddressAnswersProbesOnly(t *testing.T) {
	t.Parallel()
	h := probes(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }), http.NotFoundHandler())
	for path, want := range map[string]int{"/livez": http.StatusTeapot, "/readyz": http.StatusTeapot, "/v1/runs": http.StatusNotFound, "/": http.StatusNotFound} {
		w := &status{header: http.Header{}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		must(t, err)
		h.ServeHTTP(w, r)
		if w.code != want {
			t.Errorf("%s: %d", path, w.code)
		}
	}
}

type status struct {
	header http.Header
	code   int
}

func (s *status) Header() http.Header         { return s.header }
func (s *status) WriteHeader(code int)        { s.code = code }
func (s *status) Write(p []byte) (int, error) { return len(p), nil }

func TestAProcessThatWaitsForItsDatabaseEndsWhenAsked(t *testing.T) {
	t.Parallel()
	direct := storetest.URL(t)
	cfg, _ := siteOn(t, direct)
	_, cfg.DatabaseURL = relayTo(t, direct)
	cfg.MetricsListen = "127.0.0.1:0"
	told := make(chan struct{}, 10)
	cfg.Log = slog.New(signal{told, "the database cannot be reached; trying again until it can"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, cfg) }()
	<-told
	cancel()
	must(t, <-done)
}

func TestALargeBodyIsAnsweredWhileItIsStillSent(t *testing.T) {
	t.Parallel()
	cfg, idp := site(t)
	address := serving(t, cfg)
	token, err := idp.Token(devidp.TokenRequest{Person: "alice"})
	must(t, err)
	for _, want := range []struct {
		authorization string
		status        int
	}{{"Bearer " + token, http.StatusRequestEntityTooLarge}, {"", http.StatusUnauthorized}} {
		c, err := net.Dial("tcp", address)
		must(t, err)
		_, err = fmt.Fprintf(c, "POST /v1/runs HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", want.authorization, 10<<20)
		must(t, err)
		_, err = c.Write(make([]byte, 10<<20)) // without looking at the answer, as simple clients do
		must(t, err)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(t, err)
		if res.StatusCode != want.status {
			t.Errorf("%d, want %d", res.StatusCode, want.status)
		}
		must(t, errors.Join(res.Body.Close(), c.Close()))
	}
}
