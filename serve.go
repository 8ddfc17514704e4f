package custody

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Times and sizes of the HTTP server.
const (
	headerTime = 10 * time.Second
	bodyTime   = 30 * time.Second // for all of a request's body
	restTime   = 5 * time.Second  // for what nobody read of it
	maxRest    = 16 << 20
	idleTime   = 2 * time.Minute
	maxHeader  = 16 << 10
)

// Run drives runs and serves the API until ctx ends. Then it takes nothing new,
// lets requests and calls under way end for as long as Config.Drain, commits
// their outcomes, and closes. It returns nil after an orderly end.
func (c *Custody) Run(ctx context.Context) error {
	listener, err := c.listen(ctx, c.cfg.Listen, true)
	if err != nil {
		c.Close()
		return err
	}
	return c.Serve(ctx, listener)
}

// Serve is Run on a listener of the caller, whose connections are taken as they
// are. It closes the listener.
func (c *Custody) Serve(ctx context.Context, listener net.Listener) error {
	defer c.Close()
	servers := []*http.Server{c.server(c.api)}
	listeners := []net.Listener{listener}
	if c.cfg.MetricsListen != "" {
		metrics, err := c.listen(ctx, c.cfg.MetricsListen, false)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		servers, listeners = append(servers, c.server(probes(c.api, c.watch.Handler()))), append(listeners, metrics)
	}
	c.introduce(ctx)
	if err := c.start(ctx); err != nil {
		for _, l := range listeners {
			_ = l.Close()
		}
		if ctx.Err() != nil {
			return nil // asked to end before it began
		}
		return err
	}
	failed := make(chan error, len(servers))
	for i, s := range servers {
		go func() { failed <- s.Serve(listeners[i]) }()
	}
	c.cfg.Log.InfoContext(ctx, "serving", slog.String("address", listener.Addr().String()), slog.String("version", c.cfg.Version))
	c.notify(ctx, nowListening)
	var broken error
	select {
	case <-ctx.Done():
	case broken = <-failed:
	}
	return errors.Join(broken, c.drain(context.WithoutCancel(ctx), servers))
}

// introduce logs what is in force, so that nobody has to guess it from files.
func (c *Custody) introduce(ctx context.Context) {
	issuers := make([]string, len(c.cfg.Issuers))
	for i, is := range c.cfg.Issuers {
		issuers[i] = is.Issuer
	}
	c.cfg.Log.InfoContext(ctx, "starting",
		slog.String("version", c.cfg.Version), slog.Int64("schema", c.schema.Current), slog.Int64("river", c.schema.RiverCurrent),
		slog.String("ledger", cmp.Or(c.cfg.Origin, "localhost/dev")), slog.String("process", c.db.Process().String()),
		slog.Bool("restricted", c.db.Restricted()), slog.Bool("production", c.cfg.Production), slog.Bool("tls", !c.cfg.InsecureHTTP),
		slog.String("address", c.cfg.URL), slog.String("metrics", c.cfg.MetricsListen), slog.Any("issuers", issuers),
		slog.String("mandate_key", c.keys.Mandate.Active()), slog.String("kek", c.keys.Vault.Active()),
		slog.Any("models", c.models.Aliases()), slog.String("judge", c.cfg.Judge), slog.Int("connections", len(c.cfg.Connections)),
		slog.Int("submissions_per_minute", c.cfg.Limits.SubmissionsPerMinute), slog.Int("reads_per_minute", c.cfg.Limits.ReadsPerMinute), slog.Int("changes_per_minute", c.cfg.Limits.ChangesPerMinute))
}

// start begins to drive runs. The database was there a moment ago; if it goes
// away now the engine is tried again, because a process does not end for that.
func (c *Custody) start(ctx context.Context) error {
	for {
		err := c.engine.Start(ctx)
		if err == nil || !away(err) {
			return err
		}
		timer := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

// drain ends everything together: a request may wait for a run that is being
// driven, so neither waits for the other.
func (c *Custody) drain(ctx context.Context, servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Drain)
	defer cancel()
	c.cfg.Log.InfoContext(ctx, "ending")
	c.notify(ctx, nowEnding)
	c.api.Shutdown()
	errs := make([]error, len(servers)+1)
	var group sync.WaitGroup
	for i, s := range servers {
		group.Go(func() {
			if errs[i] = s.Shutdown(ctx); errs[i] != nil {
				errs[i] = errors.Join(errors.New("requests were still under way"), s.Close())
			}
		})
	}
	group.Go(func() { errs[len(servers)] = c.engine.Stop(ctx) })
	group.Wait()
	return errors.Join(errs...)
}

func (c *Custody) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: patient{h}, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(c.cfg.Log.Handler(), slog.LevelDebug),
	}
}

// probes answers only what a machine that watches needs.
func probes(h, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.Handle("GET /livez", h)
	mux.Handle("GET /readyz", h)
	return mux
}

// listen opens an address: with TLS 1.3 if secured and not InsecureHTTP.
func (c *Custody) listen(ctx context.Context, address string, secured bool) (net.Listener, error) {
	l, err := c.bind(ctx, address)
	if err != nil || !secured {
		return l, err
	}
	out, err := c.secure(l)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return out, nil
}

func (c *Custody) bind(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// secure puts TLS 1.3 before a listener, unless InsecureHTTP says that there
// shall be none: then it must be on loopback.
func (c *Custody) secure(l net.Listener) (net.Listener, error) {
	if c.cfg.InsecureHTTP {
		// localhost is whatever the hosts file says: look at what came of it.
		if at, ok := l.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
			return nil, errors.New("plain HTTP is served on loopback only")
		}
		return l, nil
	}
	cert := &certificate{cert: c.cfg.TLSCert, key: c.cfg.TLSKey}
	if _, err := cert.get(nil); err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS13, GetCertificate: cert.get, NextProtos: []string{"http/1.1"},
	}), nil
}

// A certificate is read again when one of its files has changed. While the new
// files are not a pair (they are being written) the old certificate stays.
type certificate struct {
	cert, key string
	mu        sync.Mutex
	seen      [2]fileState
	loaded    *tls.Certificate
}

type fileState struct {
	at   time.Time
	size int64
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := [2]fileState{stateOf(c.cert), stateOf(c.key)}
	if c.loaded != nil && now == c.seen {
		return c.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.loaded, c.seen = &pair, now
	}
	if c.loaded == nil {
		return nil, fmt.Errorf("read the TLS certificate: %w", err)
	}
	return c.loaded, nil
}

func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{info.ModTime(), info.Size()}
}

// patient bounds how long a request's body may take. The server's own
// ReadTimeout would also end answers that are long by design, such as a run's
// events.
type patient struct{ next http.Handler }

// ServeHTTP sets the limit, and lifts it when the body has ended. A body that
// was refused is read all the same, up to a bound: a client that is still
// sending when the connection closes would see that, and not the answer.
func (p patient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		p.next.ServeHTTP(w, r)
		return
	}
	rc := http.NewResponseController(w)
	if rc.SetReadDeadline(time.Now().Add(bodyTime)) == nil {
		r.Body = &body{r.Body, func() { _ = rc.SetReadDeadline(time.Time{}) }}
	}
	rest := r.Body
	p.next.ServeHTTP(w, r)
	if r.Header.Get("Expect") != "" {
		return // it waits for the answer before it sends
	}
	if rc.SetReadDeadline(time.Now().Add(restTime)) == nil {
		_, _ = io.CopyN(io.Discard, rest, maxRest) // whatever comes of it: the answer is written
	}
	_ = rc.SetReadDeadline(time.Time{})
}

type body struct {
	io.ReadCloser
	ended func()
}

// Read lifts the limit at the end.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.ended()
	}
	return n, err
}
