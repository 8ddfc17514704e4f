package engine

import (
	"context"
	"net"
	"os"
	"sync"
	"time"

	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
)

// A link is one engine's way to PostgreSQL. It can be cut, so that nothing
// passes, or deafened, so that what is sent arrives and no answer does. What is
// held up arrives when the link is mended: to the other processes the engine
// is stopped, and so it is to itself.
type link struct {
	mu            sync.Mutex
	reads, writes chan struct{} // closed while they flow
}

func newLink() *link {
	flows := make(chan struct{})
	close(flows)
	return &link{reads: flows, writes: flows}
}

func (l *link) deafen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads = make(chan struct{})
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads, l.writes = make(chan struct{}), make(chan struct{})
}

func (l *link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range []chan struct{}{l.reads, l.writes} {
		select {
		case <-c:
		default:
			close(c)
		}
	}
}

func (l *link) flow(read bool) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if read {
		return l.reads
	}
	return l.writes
}

// through makes an engine use the link.
func through(l *link) option {
	return func(s *store.Config, _ *Config, _ *steps.Config) {
		s.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &wire{Conn: conn, link: l, changed: make(chan struct{}), closed: make(chan struct{})}, nil
		}
	}
}

// A wire is one connection over a link. Its deadlines hold while it is held up.
type wire struct {
	net.Conn
	link     *link
	mu       sync.Mutex
	deadline time.Time
	changed  chan struct{}
	closed   chan struct{}
	once     sync.Once
}

func (w *wire) hold(read bool) error {
	for {
		w.mu.Lock()
		deadline, changed := w.deadline, w.changed
		w.mu.Unlock()
		var over <-chan time.Time
		if !deadline.IsZero() {
			t := time.NewTimer(time.Until(deadline))
			defer t.Stop()
			over = t.C
		}
		select {
		case <-w.link.flow(read):
			return nil
		case <-changed:
		case <-w.closed:
			return net.ErrClosed
		case <-over:
			return os.ErrDeadlineExceeded
		}
	}
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if held := w.hold(true); held != nil {
		return 0, held
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	if err := w.hold(false); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

func (w *wire) set(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *wire) SetDeadline(t time.Time) error      { w.set(t); return w.Conn.SetDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error  { w.set(t); return w.Conn.SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(t time.Time) error { w.set(t); return w.Conn.SetWriteDeadline(t) }
