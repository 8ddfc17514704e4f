package custody

import (
	"context"
	"log/slog"
	"net"
)

// What a service manager is told (sd_notify of systemd).
const (
	nowListening = "READY=1"
	nowEnding    = "STOPPING=1"
)

// notify tells the service manager, if there is one, how far the process is: one
// datagram, and nothing depends on it.
func (c *Custody) notify(ctx context.Context, state string) {
	if c.cfg.NotifySocket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: c.cfg.NotifySocket, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte(state))
		_ = conn.Close()
	}
	if err != nil {
		c.cfg.Log.WarnContext(ctx, "the service manager cannot be told", slog.Any("error", err))
	}
}
