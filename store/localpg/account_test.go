//go:build linux

package localpg

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAnOrdinaryUserRunsTheServerAsThemselves(t *testing.T) {
	t.Parallel()
	asRoot(t)
	needSystem(t)
	nobody := uint32(65534)
	dir := filepath.Join(openFolder(t), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, int(nobody), int(nobody)); err != nil {
		t.Fatal(err)
	}
	h := startHelper(t, order{Dir: dir}, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}})
	r := h.opened(t)
	info, err := os.Stat(filepath.Join(dir, "data", "PG_VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Sys().(*syscall.Stat_t).Uid; got != nobody {
		t.Errorf("the data belongs to uid %d", got)
	}
	if got := scalar(t, r.URL, "select current_user"); got != "custody" {
		t.Error(got)
	}
	h.close(t)
}

func TestAccountsThatPostgreSQLCannotRunAsAreTold(t *testing.T) {
	t.Parallel()
	asRoot(t)
	needSystem(t)
	t.Run("a uid without a name", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(openFolder(t), "state")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, 64999, 64999); err != nil {
			t.Fatal(err)
		}
		h := startHelper(t, order{Dir: dir}, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 64999, Gid: 64999}})
		if r := h.answer(t); !strings.Contains(r.Error, "64999") || !strings.Contains(r.Error, anotherUser) {
			t.Errorf("got %q", r.Error)
		}
	})
	t.Run("root of a namespace with one uid", func(t *testing.T) {
		t.Parallel()
		one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
		attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: one, GidMappings: one}
		probe := exec.Command("true")
		probe.SysProcAttr = attr
		if err := probe.Run(); err != nil {
			t.Skipf("no user namespaces here: %v", err)
		}
		h := startHelper(t, order{Dir: openFolder(t)}, attr)
		if r := h.answer(t); !strings.Contains(r.Error, "one account only") || !strings.Contains(r.Error, anotherUser) {
			t.Errorf("got %q", r.Error)
		}
	})
}

func TestAsRootOnlyTheServersOwnFilesAreGivenAway(t *testing.T) {
	t.Parallel()
	asRoot(t)
	needSystem(t)
	dir := openFolder(t)
	mustOpen(t, order{Dir: dir})
	server, err := serverAccount(0)
	if err != nil {
		t.Fatal(err)
	}
	for name, uid := range map[string]uint32{".": 0, "password": 0, "server.log": 0, "start.lock": 0, "users.lock": 0, "data": server.uid, "run": server.uid} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != uid {
			t.Errorf("%s belongs to uid %d, want %d", name, got, uid)
		}
		if name != "." && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

func TestAsRootAClosedFolderIsNamed(t *testing.T) {
	t.Parallel()
	asRoot(t)
	home := filepath.Join(openFolder(t), "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := open(t.Context(), order{Dir: filepath.Join(home, "state")}.settings())
	if err == nil || !strings.Contains(err.Error(), home+" is closed to uid ") {
		t.Errorf("got %v", err)
	}
	if err := os.Chmod(home, 0o711); err != nil {
		t.Fatal(err)
	}
	needSystem(t)
	mustOpen(t, order{Dir: filepath.Join(home, "state")})
}

func TestAFolderThatOthersMayWriteToIsRefused(t *testing.T) {
	t.Parallel()
	dir := openFolder(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.Context(), order{Dir: dir}.settings()); err == nil || !strings.Contains(err.Error(), "writable by nobody else") {
		t.Errorf("got %v", err)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.Context(), order{Dir: dir}.settings()); err == nil || !strings.Contains(err.Error(), "belongs to uid 65534") {
		t.Errorf("got %v", err)
	}
}

func TestAPrivateServerDiesWithItsProcess(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	owner := startHelper(t, order{Dir: dir, Private: true}, nil)
	r := owner.opened(t)
	if got := scalar(t, r.URL, "show fsync"); got != "off" {
		t.Errorf("fsync is %s", got)
	}
	owner.kill()
	gone(t, dir, r.PID)
	if exists(filepath.Join(dir, "data", "postmaster.pid")) {
		t.Error("it did not shut down cleanly: its pid file is there")
	}
}
