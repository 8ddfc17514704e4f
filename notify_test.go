package custody

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// manager is a service manager that listens.
func manager(t *testing.T) (path string, heard func() string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd") // a socket's path is short
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return path, func() string {
		t.Helper()
		buf := make([]byte, 100)
		must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
		n, err := conn.Read(buf)
		must(t, err)
		return string(buf[:n])
	}
}

func TestTheServiceManagerHearsOfTheBeginningAndTheEnd(t *testing.T) {
	t.Parallel()
	cfg, _ := site(t)
	var heard func() string
	cfg.NotifySocket, heard = manager(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, cfg) }()
	if got := heard(); got != "READY=1" {
		t.Errorf("at the beginning: %s", got)
	}
	cancel()
	if got := heard(); got != "STOPPING=1" {
		t.Errorf("at the end: %s", got)
	}
	must(t, <-ended)
}

// systemd gives up on a service that is not ready in 90 s; a database may take
// longer, and the process answers meanwhile.
func TestTheServiceManagerNeedNotWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	cfg, _ := site(t)
	cfg.DatabaseURL = "postgres://x@127.0.0.1:1/x?sslmode=disable"
	var heard func() string
	cfg.NotifySocket, heard = manager(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, cfg) }()
	if got := heard(); got != "READY=1" {
		t.Errorf("while the database is away: %s", got)
	}
	cancel()
	must(t, <-ended)
}

func TestAServiceManagerThatIsGoneStopsNothing(t *testing.T) {
	t.Parallel()
	cfg, _ := site(t)
	cfg.NotifySocket = filepath.Join(t.TempDir(), "gone")
	serving(t, cfg)
}

func TestIPv6IsAnAddressLikeAnother(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6")
	}
	_ = l.Close()
	cfg, idp := site(t)
	cfg.Listen = "[::1]:0"
	address := serving(t, cfg)
	if !strings.HasPrefix(address, "[::1]:") {
		t.Fatal(address)
	}
	if _, err := as(t, address, idp, "alice").Me(t.Context()); err != nil {
		t.Error(err)
	}
	cfg.Listen = "[::]:0" // every address is not loopback
	if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("plain HTTP for the world: %v", err)
	}
}
