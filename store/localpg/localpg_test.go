//go:build linux || darwin

package localpg

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestAServerStartsAnswersAndStops(t *testing.T) {
	t.Parallel()
	bin := needSystem(t)
	dir := openFolder(t)
	server, err := open(t.Context(), order{Dir: dir}.settings())
	if err != nil {
		t.Fatal(err)
	}
	if server.Attached || server.Source != bin.dir || server.Version != bin.version || server.Dir != dir {
		t.Errorf("got %+v, want started from %s, version %s", server, bin.dir, bin.version)
	}
	// Only C.UTF-8 and its like fold letters beyond ASCII both here and there.
	if got := scalar(t, server.URL, "select lower('Ä') || to_tsvector('simple', 'ÄRGER')::text"); got != "ä'ärger':1" {
		t.Errorf("letters are folded to %q", got)
	}
	if got := scalar(t, server.URL, "show listen_addresses"); got != "" {
		t.Errorf("listens on %q, want the socket only", got)
	}
	if got := scalar(t, server.URL, "show data_checksums"); got != "on" {
		t.Errorf("data checksums are %s", got)
	}
	for range 2 {
		if err := server.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if serves(server.PID, filepath.Join(dir, "data")) {
		t.Error("still runs after the last Close")
	}
}

func TestASecondStartKeepsTheDataAndThePassword(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	first := mustOpen(t, order{Dir: dir})
	execute(t, first.URL, "create table kept as select 'yes' as it")
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := mustOpen(t, order{Dir: dir})
	if second.Attached || second.URL != first.URL {
		t.Errorf("attached %v; URLs are equal: %v", second.Attached, second.URL == first.URL)
	}
	if got := scalar(t, second.URL, "select it from kept"); got != "yes" {
		t.Errorf("got %q", got)
	}
}

func TestTheServerSeesNothingOfOurEnvironmentAndRunsInASessionOfItsOwn(t *testing.T) {
	t.Parallel()
	needSystem(t)
	server := mustOpen(t, order{Dir: openFolder(t)})
	text, err := os.ReadFile("/proc/" + strconv.Itoa(server.PID) + "/environ")
	if err != nil {
		t.Skip("no /proc here")
	}
	for _, one := range strings.Split(strings.Trim(string(text), "\x00"), "\x00") {
		name, _, _ := strings.Cut(one, "=")
		switch name {
		// The last two are made by postgres itself.
		case "PATH", "LC_ALL", "TZ", "PGDATA", "PG_GRANDPARENT_PID", "PGLOCALEDIR", "PGSYSCONFDIR", "LC_COLLATE", "LC_CTYPE", "":
		default:
			t.Errorf("the server sees %s", name)
		}
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(server.PID) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	if session := strings.Fields(fields)[3]; session != strconv.Itoa(server.PID) {
		t.Errorf("session %s: a Ctrl-C would stop it", session)
	}
}

func TestFiveProcessesAtOnceShareOneServer(t *testing.T) {
	t.Parallel()
	dir, bin := openFolder(t), needSystem(t)
	mirror := newMirror(t, fakeJar(t, bin.dir))
	o := order{Dir: dir, Bin: "download", Repository: mirror.URL, Release: mirror.release}
	helpers := make([]*helper, 5)
	for i := range helpers {
		helpers[i] = startHelper(t, o, nil)
	}
	owners, pids := 0, map[int]bool{}
	for _, h := range helpers {
		r := h.opened(t)
		pids[r.PID] = true
		if !r.Attached {
			owners++
		}
	}
	if owners != 1 || len(pids) != 1 || mirror.requests.Load() != 1 {
		t.Errorf("%d started, %d servers, %d downloads; want one of each", owners, len(pids), mirror.requests.Load())
	}
	var pid int
	for pid = range pids {
	}
	for i, h := range helpers {
		if !serves(pid, filepath.Join(dir, "data")) {
			t.Fatalf("stopped while %d still had it open", len(helpers)-i)
		}
		h.close(t)
	}
	if serves(pid, filepath.Join(dir, "data")) {
		t.Error("runs on after the last one closed")
	}
}

func TestAfterKill9OfItsOwnerTheServerIsFoundAndStopped(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	owner := startHelper(t, order{Dir: dir}, nil)
	r := owner.opened(t)
	owner.kill()
	server, err := open(t.Context(), order{Dir: dir}.settings())
	if err != nil {
		t.Fatal(err)
	}
	if !server.Attached || server.PID != r.PID || server.Source != r.Source {
		t.Errorf("got %+v, want attached to %d of %s", server, r.PID, r.Source)
	}
	if err := server.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if serves(r.PID, filepath.Join(dir, "data")) {
		t.Error("the orphan runs on")
	}
}

func TestAGuestKeepsTheServerWhenItsOwnerCloses(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	owner := startHelper(t, order{Dir: dir}, nil)
	owner.opened(t)
	guest := mustOpen(t, order{Dir: dir})
	owner.close(t)
	if got := scalar(t, guest.URL, "select 'still here'"); got != "still here" {
		t.Error(got)
	}
}

func TestAPrivateServerWithoutAFolderLeavesNothing(t *testing.T) {
	t.Parallel()
	needSystem(t)
	server, err := open(t.Context(), order{Private: true}.settings())
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if exists(server.Dir) {
		t.Errorf("%s is left", server.Dir)
	}
}

func TestAfterKill9OfOwnerAndServerTheNextStartRecovers(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	owner := startHelper(t, order{Dir: dir}, nil)
	r := owner.opened(t)
	execute(t, r.URL, "create table committed as select 'yes' as it")
	if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	owner.kill()
	server := mustOpen(t, order{Dir: dir})
	if server.Attached || server.PID == r.PID {
		t.Errorf("got %+v", server)
	}
	if got := scalar(t, server.URL, "select it from committed"); got != "yes" {
		t.Error(got)
	}
}

func TestQueriesOfAKilledServerAreWaitedFor(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	owner := startHelper(t, order{Dir: dir}, nil)
	r := owner.opened(t)
	conn, err := pgx.Connect(t.Context(), r.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	// pg_sleep would notice the postmaster's death; a computation does not.
	busy := make(chan time.Time, 1)
	go func() {
		_, _ = conn.Exec(context.Background(), `/* computes */ do $$ declare e timestamptz := clock_timestamp() + '2 s';
			begin while clock_timestamp() < e loop end loop; end $$`)
		busy <- time.Now()
	}()
	for scalar(t, r.URL, "select count(*)::text from pg_stat_activity where state = 'active' and query like '/* computes%'") != "1" {
		_ = pause(t.Context(), glance)
	}
	_ = syscall.Kill(r.PID, syscall.SIGKILL)
	owner.kill()
	server := mustOpen(t, order{Dir: dir})
	opened := time.Now()
	if ended := <-busy; opened.Before(ended) {
		t.Errorf("a second server worked on the data %v before the last query of the first ended", ended.Sub(opened))
	}
	if got := scalar(t, server.URL, "select 'fine'"); got != "fine" {
		t.Error(got)
	}
}

func TestAPidFileThatNamesAnotherProgramIsNoServer(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	owner := startHelper(t, order{Dir: dir}, nil)
	r := owner.opened(t)
	_ = syscall.Kill(r.PID, syscall.SIGKILL)
	owner.kill()
	gone(t, dir, r.PID)
	// A helper in another folder stands for the program that has the pid by now.
	// Its server runs as the account that this one will, so PostgreSQL would refuse.
	other := mustOpen(t, order{Dir: openFolder(t)})
	name := filepath.Join(dir, "data", "postmaster.pid")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(name, []byte(strconv.Itoa(other.PID)+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(dir, "run", socketName+".lock")
	if err := os.WriteFile(lock, []byte(strconv.Itoa(other.PID)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := mustOpen(t, order{Dir: dir})
	if server.Attached {
		t.Error("attached to a stranger")
	}
	if got := scalar(t, other.URL, "select 'unharmed'"); got != "unharmed" {
		t.Error(got)
	}
}

func TestWhatAKilledStartLeftIsTidied(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	left := []string{"data.new/PG_VERSION", ".unpack-1/bin/postgres", ".jar-2/x", ".secret-3/x"}
	for _, name := range left {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("15\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustOpen(t, order{Dir: dir})
	for _, name := range left {
		if name, _, _ = strings.Cut(name, "/"); exists(filepath.Join(dir, name)) {
			t.Errorf("%s is still there", name)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(dir, ".*-*")); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

func TestALongPathGetsAShortSocketFolder(t *testing.T) {
	t.Parallel()
	needSystem(t)
	top := openFolder(t)
	dir := filepath.Join(top, strings.Repeat("long", 20), "folder")
	t.Cleanup(func() { killServer(dir) })
	server := mustOpen(t, order{Dir: dir})
	cfg, err := pgx.ParseConfig(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(cfg.Host, dir) {
		t.Fatalf("the socket lies in %s", cfg.Host)
	}
	guest := mustOpen(t, order{Dir: dir})
	if !guest.Attached || guest.URL != server.URL {
		t.Error("a guest did not find the socket's folder")
	}
	for _, s := range []*Server{server, guest} {
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if exists(cfg.Host) {
		t.Errorf("%s is left", cfg.Host)
	}
}

func TestAServerThatDoesNotAnswerIsNamed(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	owner := startHelper(t, order{Dir: dir}, nil)
	r := owner.opened(t)
	if err := syscall.Kill(r.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(r.PID, syscall.SIGCONT) })
	s := order{Dir: dir}.settings()
	s.attach = 100 * time.Millisecond
	if _, err := open(t.Context(), s); err == nil || !strings.Contains(err.Error(), "kill -INT "+strconv.Itoa(r.PID)) {
		t.Errorf("got %v", err)
	}
	if err := syscall.Kill(r.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	owner.close(t)
}

func TestAStartThatFailsSaysWhatPostgreSQLSaid(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	if err := mustOpen(t, order{Dir: dir}).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "data", "postgresql.conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, append(text, "\nno_such_setting = 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = open(t.Context(), order{Dir: dir}.settings())
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") || !strings.Contains(err.Error(), "server.log") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(conf, text, 0o600); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, order{Dir: dir}) // the failure left nothing in the way
}

func TestCancellingLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := open(ctx, order{Dir: dir}.settings())
		done <- err
	}()
	for !exists(filepath.Join(dir, "data.new")) { // initdb has begun
		_ = pause(t.Context(), time.Millisecond)
	}
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got %v", err)
	}
	mustOpen(t, order{Dir: dir})
}

func TestAfterKill9DuringInitdbTheNextStartMakesItAgain(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	owner := startHelper(t, order{Dir: dir}, nil)
	for !exists(filepath.Join(dir, "data.new", "PG_VERSION")) {
		_ = pause(t.Context(), time.Millisecond)
	}
	owner.kill()
	server := mustOpen(t, order{Dir: dir})
	if server.Attached || exists(filepath.Join(dir, "data.new")) {
		t.Errorf("got %+v", server)
	}
	if got := scalar(t, server.URL, "select 'whole'"); got != "whole" {
		t.Error(got)
	}
}

func TestWaitingForAnotherStarterCanBeCancelled(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	f, err := newFolder(order{Dir: dir}.settings())
	if err != nil {
		t.Fatal(err)
	}
	held, err := f.lockStart(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := open(ctx, order{Dir: dir}.settings()); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
}

func TestDataOfAnotherMajorVersionIsNeverTouched(t *testing.T) {
	t.Parallel()
	bin := needSystem(t)
	for name, row := range map[string]struct{ bin, want string }{
		"by the download":     {"download", "the data folder is of PostgreSQL 14, the download is 17.11.0"},
		"by CUSTODY_PG_BIN":   {bin.dir, "the data folder is of 14"},
		"by the system's own": {"", "the data folder is of PostgreSQL 14"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := openFolder(t)
			if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("14\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := open(t.Context(), order{Dir: dir, Bin: row.bin, Repository: "http://127.0.0.1:1"}.settings())
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

func TestDataWithoutItsPasswordIsRefused(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	if err := mustOpen(t, order{Dir: dir}).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "password")); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.Context(), order{Dir: dir}.settings()); err == nil || !strings.Contains(err.Error(), "no password") {
		t.Errorf("got %v", err)
	}
	if p, _ := readPidFile(filepath.Join(dir, "data")); p.pid != 0 {
		t.Error("the server that could not be used still runs")
	}
}

func TestAnotherPasswordIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	needSystem(t)
	dir := openFolder(t)
	server := mustOpen(t, order{Dir: dir})
	name := filepath.Join(dir, "password")
	right, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("guessed"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = open(t.Context(), order{Dir: dir}.settings())
	if err == nil || !strings.Contains(err.Error(), "does not take the password") || strings.Contains(err.Error(), "guessed") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(name, right, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := scalar(t, server.URL, "select 'open'"); got != "open" {
		t.Error(got)
	}
}

func TestDatabaseIsMadeOnceWhoeverAsks(t *testing.T) {
	t.Parallel()
	needSystem(t)
	server := mustOpen(t, order{Dir: openFolder(t)})
	const name = `we"ird näme/?#`
	var group sync.WaitGroup
	urls := make([]string, 4)
	for i := range urls {
		group.Go(func() {
			var err error
			if urls[i], err = server.Database(t.Context(), name); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := scalar(t, urls[0], "select current_database()"); got != name {
		t.Errorf("got %q", got)
	}
	if urls[0] != urls[3] {
		t.Error("two URLs of one database")
	}
	for _, bad := range []string{"", strings.Repeat("x", 64), "a\x00b"} {
		if _, err := server.Database(t.Context(), bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestAGivenServerIsUsedAndLeftAlone(t *testing.T) {
	t.Parallel()
	bin := needSystem(t)
	server := mustOpen(t, order{Dir: openFolder(t)})
	given, err := Open(t.Context(), Config{URL: server.URL, Dir: "/nonexistent", Private: true})
	if err != nil {
		t.Fatal(err)
	}
	if !given.Attached || given.Source != "url" || given.URL != server.URL || given.Version != bin.version {
		t.Errorf("got %+v", given)
	}
	if _, err := given.Database(t.Context(), "mine"); err != nil {
		t.Error(err)
	}
	if err := given.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := scalar(t, server.URL, "select 'up'"); got != "up" {
		t.Error(got)
	}
	wrong := strings.Replace(server.URL, "custody:", "custody:not", 1)
	if _, err := Open(t.Context(), Config{URL: wrong}); err == nil || strings.Contains(err.Error(), "not") && strings.Contains(err.Error(), strings.SplitN(wrong, "@", 2)[0]) {
		t.Errorf("got %v", err)
	}
}

func TestAConfigThatCannotBeIsRefusedByName(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		cfg  Config
		want string
	}{
		"a URL of something else":   {Config{URL: "mysql://root:hunter2@host/db"}, "Config.URL"},
		"a URL that is none":        {Config{URL: "postgres://a:hunter2@[host/"}, "Config.URL"},
		"a DSN":                     {Config{URL: "host=x password=hunter2"}, "Config.URL"},
		"a mirror by another way":   {Config{Dir: "/x", Repository: "ftp://u:hunter2@host/"}, "Config.Repository"},
		"a mirror that is no URL":   {Config{Dir: "/x", Repository: "https://u:hunter2@[host/"}, "Config.Repository"},
		"a mirror without host":     {Config{Dir: "/x", Repository: "https:///maven"}, "Config.Repository"},
		"too few connections":       {Config{Dir: "/x", Connections: 3}, "Config.Connections"},
		"a negative number of them": {Config{Dir: "/x", Connections: -1}, "Config.Connections"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := configure(row.cfg, "", "")
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	}
	s, err := configure(Config{Dir: "/x"}, "", "")
	if err != nil || s.Repository != mavenCentral || s.Connections != 200 || s.NoSync {
		t.Errorf("defaults are %+v, %v", s.Config, err)
	}
	if s, err := configure(Config{Dir: "/x", Private: true}, "", "https://mirror"); err != nil || s.Repository != "https://mirror" || !s.NoSync {
		t.Errorf("got %+v, %v", s.Config, err)
	}
}

func TestAURLOfASocketIsReadByPgx(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		address("/run/a b/c", "p@ss/word", "db"),
		"postgres:///db?host=/run/a%20b/c&user=custody&password=p%40ss%2Fword",
	} {
		cfg, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{cfg.Host, cfg.User, cfg.Password, cfg.Database}
		want := []string{"/run/a b/c", "custody", "p@ss/word", "db"}
		if text, _ := json.Marshal(got); string(text) != string(must(json.Marshal(want))) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}
