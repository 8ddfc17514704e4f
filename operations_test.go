//go:build unix

package custody_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/store/localpg"
)

// The operator's page is followed word for word: its blocks run in order in one
// shell, in an empty directory, on a PostgreSQL that is as durable as a real one,
// with the program that the page builds.
func TestOperationsPageWorksWordForWord(t *testing.T) {
	if testing.Short() {
		t.Skip("it loses a database and restores it")
	}
	t.Parallel()
	server := durable(t)
	for _, tool := range []string{"bash", "psql", "pg_dump", "pg_restore", "pg_basebackup", "openssl", "curl", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("the page needs " + tool + ", which is not here")
		}
	}
	dir := t.TempDir()
	var script strings.Builder
	script.WriteString("set -euo pipefail\ntrap 'kill -KILL $(jobs -p) 2> /dev/null || true' EXIT\n")
	for _, b := range fencesOf(t, "docs/operations.md") {
		_, name, save := strings.Cut(b.info, "save=")
		switch {
		case save:
			done(t, os.WriteFile(filepath.Join(dir, name), []byte(b.text), 0o600))
		case b.info == "sh":
			fmt.Fprintf(&script, "echo \"== %s:%d after $SECONDS s\"\n%s\n", b.file, b.line, b.text)
		case b.info != "yaml config": // another test loads it
			t.Errorf("%s:%d: nothing runs this block", b.file, b.line)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.Dir, cmd.Env = dir, operator(t, server, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	raw, err := cmd.CombinedOutput()
	out := string(raw)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, logs(dir))
	}
	for _, want := range []string{
		"0 problems", `"msg":"serving"`, "verdict   intact", "backup successfully verified", "The schema is complete.", "succeeded",
		"lacks kek/k-", "the key directory holds no keys",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the page's commands do not show %q", want)
		}
	}
	if t.Failed() || testing.Verbose() {
		t.Log(out)
	}
}

// operator is the environment of somebody who follows the page.
func operator(t *testing.T, server *localpg.Server, dir string) []string {
	t.Helper()
	at, err := url.Parse(server.URL)
	done(t, err)
	password, _ := at.User.Password()
	idp, err := devidp.Start(t.Context(), devidp.Config{Listen: "127.0.0.1:0"})
	done(t, err)
	t.Cleanup(func() { _ = idp.Close(context.Background()) })
	clone, err := os.Getwd()
	done(t, err)
	env := append(withoutSettings(),
		"PGHOST="+at.Query().Get("host"), "PGPORT="+at.Query().Get("port"), "PGUSER="+at.User.Username(), "PGPASSWORD="+password,
		"PATH="+os.Getenv("PATH")+":"+server.Source, // where PostgreSQL has its own commands
		"CLONE="+clone, "GOFLAGS=-buildvcs=false", "PORT="+free(t), "SECOND_PORT="+free(t),
		"CUSTODY_OIDC_ISSUER="+idp.Issuer(), "CUSTODY_OIDC_AUDIENCE=custody", "CUSTODY_OIDC_CLIENTS="+devidp.CLI)
	for name, person := range map[string]string{"AUTHOR": "erin", "ANALYST": "alice", "LAWYER": "bob"} {
		token, err := idp.Token(devidp.TokenRequest{Person: person})
		done(t, err)
		path := filepath.Join(dir, person+".token")
		done(t, os.WriteFile(path, []byte(token), 0o600))
		env = append(env, name+"="+path)
	}
	return env
}

// durable is a PostgreSQL with fsync.
func durable(t *testing.T) *localpg.Server {
	t.Helper()
	short, err := os.MkdirTemp("", "ops") // a socket's path is short
	done(t, err)
	done(t, os.Chmod(short, 0o755)) // the server may have an account of its own
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	server, err := localpg.Open(t.Context(), localpg.Config{Dir: filepath.Join(short, "pg")})
	done(t, err)
	t.Cleanup(func() {
		// What it would write now is thrown away.
		if conn, err := pgx.Connect(context.Background(), server.URL); err == nil {
			_, _ = conn.Exec(context.Background(), "alter system set fsync = off")
			_, _ = conn.Exec(context.Background(), "select pg_reload_conf()")
			_ = conn.Close(context.Background())
		}
		done(t, server.Close(context.Background()))
	})
	return server
}

// withoutSettings is our environment without what would tell psql or custody
// something that the page does not.
func withoutSettings() []string {
	var out []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CUSTODY_") && !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "SSL_CERT_FILE") {
			out = append(out, v)
		}
	}
	return out
}

// free is a port that nobody had a moment ago.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	done(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	done(t, err)
	return port
}

// logs are the files in which the page's commands leave what they say.
func logs(dir string) string {
	var out strings.Builder
	for _, name := range []string{"serve.log", "second.log", "doctor.txt", "refused.txt"} {
		if raw, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			fmt.Fprintf(&out, "-- %s --\n%s", name, raw)
		}
	}
	return out.String()
}

func done(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fencesOf reads every fenced block of a page, in order.
func fencesOf(t *testing.T, page string) []block {
	t.Helper()
	raw, err := os.ReadFile(page)
	done(t, err)
	var out []block
	var open *block
	for n, line := range strings.Split(string(raw), "\n") {
		switch fence, ok := strings.CutPrefix(line, "```"); {
		case ok && open == nil:
			open = &block{file: page, line: n + 1, info: fence}
		case ok:
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return out
}
