//go:build linux || darwin

package localpg

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The test binary is its own second process: with helperVariable set it opens
// the folder it is told, says what it got, and closes when its input ends.
const helperVariable = "CUSTODY_LOCALPG_TEST_HELPER"

func TestMain(m *testing.M) {
	if order := os.Getenv(helperVariable); order != "" {
		os.Exit(help(order))
	}
	os.Exit(m.Run())
}

// An order is what a helper is told; a reply is what it says.
type order struct {
	Dir, Bin, Repository string
	Release              string // version:platform:sha256 instead of the pinned one
	Private              bool
}

type reply struct {
	URL, Source, Version string
	Attached             bool
	PID                  int
	Error                string
}

func (o order) settings() settings {
	s, err := configure(Config{Dir: o.Dir, Repository: o.Repository, Private: o.Private, NoSync: true, Log: io.Discard}, o.Bin, "")
	if err != nil {
		panic(err)
	}
	if o.Release != "" {
		s.release = releaseOf(o.Release)
	}
	return s
}

func help(text string) int {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server, err := open(ctx, o.settings())
	answer := json.NewEncoder(os.Stdout)
	if err != nil {
		_ = answer.Encode(reply{Error: err.Error()})
		return 1
	}
	_ = answer.Encode(reply{URL: server.URL, Source: server.Source, Version: server.Version, Attached: server.Attached, PID: server.PID})
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := server.Close(ctx); err != nil {
		_ = answer.Encode(reply{Error: err.Error()})
		return 1
	}
	return 0
}

// A helper is a second process.
type helper struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *json.Decoder
}

// startHelper runs a helper with the attributes; it is killed when the test ends.
func startHelper(t *testing.T, o order, attr *syscall.SysProcAttr) *helper {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	binary := os.Args[0]
	if attr != nil {
		binary = copyOfThisBinary(t)
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), helperVariable+"="+string(text), "HOME=/", "TMPDIR=/tmp")
	cmd.Dir, cmd.SysProcAttr, cmd.Stderr = "/", attr, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return &helper{cmd: cmd, stdin: in, out: json.NewDecoder(bufio.NewReader(out))}
}

// answer waits for the helper's reply.
func (h *helper) answer(t *testing.T) reply {
	t.Helper()
	var r reply
	if err := h.out.Decode(&r); err != nil {
		t.Fatalf("the helper gave no reply: %v", err)
	}
	return r
}

func (h *helper) opened(t *testing.T) reply {
	t.Helper()
	r := h.answer(t)
	if r.Error != "" {
		t.Fatalf("the helper could not open: %s", r.Error)
	}
	return r
}

// close has the helper close its server and waits for its end.
func (h *helper) close(t *testing.T) {
	t.Helper()
	h.stdin.Close()
	if err := h.cmd.Wait(); err != nil {
		var r reply
		_ = h.out.Decode(&r)
		t.Fatalf("the helper did not close: %v %s", err, r.Error)
	}
}

// kill is kill -9.
func (h *helper) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

// copyOfThisBinary lies where every account may run it. Another process writes
// it: what this one holds open for writing, a child forked meanwhile holds too,
// and then the file is too busy to run.
func copyOfThisBinary(t *testing.T) string {
	t.Helper()
	name := filepath.Join(openFolder(t), "helper.test")
	if out, err := exec.Command("cp", os.Args[0], name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(name, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

// openFolder is a temporary folder that every account may enter, which
// testing.T.TempDir is not. Whatever server still runs in it is killed first.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "localpg-test-")
	if err != nil {
		t.Fatal(err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		killServer(dir)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// killServer ends what a failed test left.
func killServer(dir string) {
	data := filepath.Join(dir, "data")
	p, _ := readPidFile(data)
	for p.pid != 0 && serves(p.pid, data) {
		_ = syscall.Kill(p.pid, syscall.SIGQUIT)
		_ = pause(context.Background(), glance)
	}
}

// mustOpen opens a server that is closed when the test ends.
func mustOpen(t *testing.T, o order) *Server {
	t.Helper()
	server, err := open(t.Context(), o.settings())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server
}

// scalar runs a query that returns one text.
func scalar(t *testing.T, url, query string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var text string
	if err := conn.QueryRow(t.Context(), query).Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text
}

func execute(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// gone waits until no server works on the folder's data.
func gone(t *testing.T, dir string, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for serves(pid, filepath.Join(dir, "data")) {
		if err := pause(ctx, glance); err != nil {
			t.Fatalf("process %d still runs", pid)
		}
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run as somebody else")
	}
}

func needSystem(t *testing.T) binaries {
	t.Helper()
	s := order{Dir: "/"}.settings()
	bin, err := s.system(t.Context(), 0, anybody)
	if err != nil {
		t.Fatal(err)
	}
	if bin.dir == "" {
		t.Skip("no PostgreSQL on this machine; set CUSTODY_TEST_DOWNLOAD=1 to test with the download")
	}
	return bin
}
