package custody

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/custodyhq/custody/api"
)

// Serve is New and Run in one. Its addresses answer at once: as long as the
// database cannot be reached /livez says that the process lives, /readyz that it
// is not ready, and everything else is a 503. It returns nil after an orderly
// end, also while it waits.
func Serve(ctx context.Context, cfg Config) error {
	var early *waiting
	c, err := build(ctx, cfg, func(c *Custody) (err error) {
		early, err = c.wait(ctx)
		return err
	})
	if early == nil && err == nil {
		return c.Run(ctx)
	}
	if early != nil {
		early.stop()
	}
	if err != nil {
		if early != nil {
			err = errors.Join(err, early.listener.Close())
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // asked to end while it waited
		}
		return err
	}
	listener, err := c.secure(early.listener)
	if err != nil {
		c.Close()
		return err
	}
	return c.Serve(ctx, listener)
}

// waiting answers on a process's addresses until the process can.
type waiting struct {
	listener net.Listener // stays open, so that no client is refused in between
	servers  []*http.Server
	done     chan struct{} // gets one of each server
}

func (c *Custody) wait(ctx context.Context) (*waiting, error) {
	plain, err := c.bind(ctx, c.cfg.Listen)
	if err != nil {
		return nil, err
	}
	listener, err := c.secure(lent{plain})
	if err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	w := &waiting{listener: plain, done: make(chan struct{}, 2)}
	handler := api.Waiting()
	w.serve(c.server(handler), listener)
	if c.cfg.MetricsListen != "" {
		metrics, err := c.bind(ctx, c.cfg.MetricsListen)
		if err != nil {
			w.stop()
			return nil, errors.Join(err, plain.Close())
		}
		w.serve(c.server(probes(handler, c.watch.Handler())), metrics)
	}
	c.notify(ctx, nowListening) // it answers, if only that it waits: the manager shall not end it for that
	return w, nil
}

func (w *waiting) serve(s *http.Server, l net.Listener) {
	s.SetKeepAlivesEnabled(false) // whoever asks next shall meet the process itself
	w.servers = append(w.servers, s)
	go func() {
		_ = s.Serve(l) // until stop
		w.done <- struct{}{}
	}()
}

// stop ends the answers. The listener can be used again.
func (w *waiting) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, s := range w.servers {
		if s.Shutdown(ctx) != nil {
			_ = s.Close()
		}
		<-w.done
	}
	if d, ok := w.listener.(deadliner); ok {
		_ = d.SetDeadline(time.Time{}) // fails only on a listener that was closed
	}
}

// lent is a listener that a server may use and not close: Close only ends
// Accept.
type lent struct{ net.Listener }

// deadliner is what TCP listeners can do.
type deadliner interface{ SetDeadline(t time.Time) error }

// Close implements net.Listener.
func (l lent) Close() error {
	if d, ok := l.Listener.(deadliner); ok {
		return d.SetDeadline(time.Unix(1, 0))
	}
	return l.Listener.Close()
}
