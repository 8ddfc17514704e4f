//go:build linux || darwin

package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	heldFor  = 15 * time.Second // how long a dead server's backends may hold its shared memory
	stopTime = 30 * time.Second
	glance   = 5 * time.Millisecond // between two looks at a starting or stopping server
)

// errHeld is a start that PostgreSQL refused because backends of the server
// before it still use the data.
var errHeld = errors.New("queries of the server before it still run in this data folder")

func openLocal(ctx context.Context, s settings) (*Server, error) {
	f, err := newFolder(s)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	server, err := f.enter(ctx)
	if err != nil {
		f.abandon()
		return nil, fmt.Errorf("open PostgreSQL in %s: %w", f.Dir, err)
	}
	return server, nil
}

// enter attaches to the folder's server or starts it. Whoever holds start.lock
// is the only one that starts, stops or tidies, so the share in users.lock is
// free: it is taken exclusively under start.lock alone.
func (f *folder) enter(ctx context.Context) (*Server, error) {
	starting, err := f.lockStart(ctx)
	if err != nil {
		return nil, err
	}
	defer starting.Close()
	if f.users, err = openLock(filepath.Join(f.Dir, "users.lock")); err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.users.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("take a share in the server: %w", err)
	}
	server, err := f.join(ctx)
	if server != nil || err != nil {
		return server, err
	}
	return f.begin(ctx)
}

// abandon gives up a folder that enter could not open.
func (f *folder) abandon() {
	if f.users != nil {
		_ = f.users.Close() // closing drops the lock in any case
	}
	removeTemporaryRun(f.run)
	f.removeTemporary()
}

// leave drops the share, and stops the server when that was the last one. The
// deferred Close drops it after an error as well.
func (f *folder) leave(ctx context.Context) error {
	defer f.users.Close()
	starting, err := f.lockStart(ctx)
	if err != nil {
		return fmt.Errorf("close PostgreSQL in %s: %w", f.Dir, err)
	}
	defer starting.Close()
	if syscall.Flock(int(f.users.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil // somebody else works with it
	}
	if err := f.stop(ctx); err != nil {
		return fmt.Errorf("close PostgreSQL in %s: %w", f.Dir, err)
	}
	f.removeTemporary()
	return nil
}

// join returns nil and no error when there is no server to attach to. It looks
// again after each failed try, because the process may be dying.
func (f *folder) join(ctx context.Context) (*Server, error) {
	for limit := time.Now().Add(f.attach); ; {
		p, err := readPidFile(f.data)
		if err != nil || p.pid == 0 || !serves(p.pid, f.data) {
			return nil, err
		}
		server, err := f.connect(ctx, p)
		if err == nil {
			return server, nil
		}
		var refused *pgconn.PgError
		if errors.As(err, &refused) && strings.HasPrefix(refused.Code, "28") {
			return nil, fmt.Errorf("the running server does not take the password in %s: %w", f.password, err)
		}
		if time.Now().After(limit) {
			return nil, fmt.Errorf("process %d holds the data folder but does not answer: end it with kill -INT %d (last error: %w)", p.pid, p.pid, err)
		}
		if err := pause(ctx, 20*glance); err != nil {
			return nil, err
		}
	}
}

// connect asks a server whether it is the one of this folder. A socket whose
// postmaster is dead takes connections and never answers, hence the limit.
func (f *folder) connect(ctx context.Context, p pidFile) (*Server, error) {
	password, err := f.secret(false)
	if err != nil {
		return nil, err
	}
	run := f.run
	if p.run != "" {
		run = p.run
	}
	s := &Server{URL: address(run, password, "postgres"), Attached: true, PID: p.pid, Dir: f.Dir, local: f}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	var data, bin string
	err = conn.QueryRow(ctx, `select current_setting('data_directory'), current_setting('server_version'), setting
		from pg_config where name = 'BINDIR'`).Scan(&data, &s.Version, &bin)
	if err != nil {
		return nil, err
	}
	if data != f.data {
		return nil, fmt.Errorf("the server at this socket keeps its data in %s", data)
	}
	s.Version, _, _ = strings.Cut(s.Version, " ")
	s.Source = f.source(bin)
	return s, nil
}

func (f *folder) source(bin string) string {
	if bin == filepath.Join(f.Dir, f.release.folder(), "bin") {
		return "download " + f.release.version
	}
	return bin
}

// begin starts a server where none runs, in a new data folder if need be.
func (f *folder) begin(ctx context.Context) (*Server, error) {
	if err := f.sweep(); err != nil {
		return nil, err
	}
	major, err := dataMajor(f.data)
	if err != nil {
		return nil, err
	}
	bin, err := f.find(ctx, major, f.account.mayEnter)
	if err != nil {
		return nil, err
	}
	if major == 0 {
		if err := f.initdb(ctx, bin); err != nil {
			return nil, err
		}
	}
	if err := f.prepareRun(); err != nil {
		return nil, err
	}
	p, err := f.launchPatiently(ctx, bin)
	if err != nil {
		return nil, err
	}
	server, err := f.connect(ctx, p)
	if err != nil {
		return nil, errors.Join(err, f.stop(context.WithoutCancel(ctx)))
	}
	server.Attached, server.Source = false, bin.source
	return server, nil
}

// launchPatiently waits for the backends of a killed server: they run on until
// they next look for their postmaster, which a busy one does when its query ends.
func (f *folder) launchPatiently(ctx context.Context, bin binaries) (pidFile, error) {
	for limit := time.Now().Add(heldFor); ; {
		if err := disown(f.data); err != nil {
			return pidFile{}, err
		}
		p, err := f.launch(ctx, bin)
		if !errors.Is(err, errHeld) || time.Now().After(limit) {
			return p, err
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return pidFile{}, err
		}
	}
}

// launch starts postgres itself, not pg_ctl, so that the process in the pid file
// is our child. In a session of its own it does not get the terminal's Ctrl-C,
// which would stop it before its users have finished.
func (f *folder) launch(ctx context.Context, bin binaries) (pidFile, error) {
	log, from, err := f.openLog()
	if err != nil {
		return pidFile{}, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(bin.dir, "postgres"), f.arguments()...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = f.data, environment(), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: f.account.credential()}
	if f.Private {
		dieWithUs(cmd.SysProcAttr, syscall.SIGINT)
	}
	ended, err := run(cmd)
	if err != nil {
		return pidFile{}, fmt.Errorf("start %s: %w", cmd.Path, f.account.explain(err))
	}
	p, err := f.await(ctx, cmd.Process.Pid, ended)
	if err == nil {
		return p, nil
	}
	quit(cmd.Process, ended)
	tail := lastLines(f.log, from)
	if strings.Contains(tail, "pre-existing shared memory block") {
		err = errHeld
	}
	return pidFile{}, fmt.Errorf("%w; %s ends with:\n%s", err, f.log, tail)
}

func (f *folder) arguments() []string {
	args := []string{"-D", f.data, "-k", f.run}
	for _, setting := range []string{
		"listen_addresses=", "unix_socket_permissions=0700", "cluster_name=custody",
		"max_connections=" + strconv.Itoa(f.Connections), "logging_collector=off",
	} {
		args = append(args, "-c", setting)
	}
	if f.NoSync {
		args = append(args, "-c", "fsync=off")
	}
	return args
}

// run starts cmd and waits for it in a goroutine that lives as long as the
// process, so that no zombie is left. The goroutine keeps its thread: Linux sends
// the parent-death signal when the thread that started the child ends.
func run(cmd *exec.Cmd) (ended <-chan struct{}, err error) {
	started, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended stands in its log
		}
	}()
	return done, <-started
}

// await returns when our child, and not a server that was there before, says
// that it takes connections.
func (f *folder) await(ctx context.Context, pid int, ended <-chan struct{}) (pidFile, error) {
	ctx, cancel := context.WithTimeout(ctx, f.start)
	defer cancel()
	for {
		select {
		case <-ended:
			return pidFile{}, errors.New("PostgreSQL ended while it started")
		default:
		}
		p, err := readPidFile(f.data)
		if err != nil {
			return pidFile{}, err
		}
		if p.pid == pid && p.status == ready {
			return p, nil
		}
		if err := pause(ctx, glance); err != nil {
			return pidFile{}, fmt.Errorf("PostgreSQL did not get ready: %w", err)
		}
	}
}

// quit ends a server that did not get ready. SIGQUIT is PostgreSQL's immediate
// shutdown, after which the next start recovers.
func quit(process *os.Process, ended <-chan struct{}) {
	_ = process.Signal(syscall.SIGQUIT) // an error means that it has ended
	select {
	case <-ended:
	case <-time.After(stopTime):
		_ = process.Kill()
		<-ended
	}
}

// stop is PostgreSQL's fast shutdown: sessions are ended, the data is written.
func (f *folder) stop(ctx context.Context) error {
	p, err := readPidFile(f.data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	for signalled := false; p.pid != 0 && serves(p.pid, f.data); signalled = true {
		if !signalled {
			if err := syscall.Kill(p.pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop process %d: %w", p.pid, err)
			}
		}
		if err := pause(ctx, glance); err != nil {
			return fmt.Errorf("process %d does not stop (end it with kill -QUIT %d): %w", p.pid, p.pid, err)
		}
	}
	removeTemporaryRun(p.run)
	return nil
}

// serves reports whether the process is a server of the data folder. A pid alone
// proves nothing: it may be a zombie, whose command line is empty, or belong to
// another program by now.
func serves(pid int, data string) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	if _, err := os.Stat("/proc/self/cmdline"); err == nil {
		line, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		return strings.Contains(string(line), "\x00-D\x00"+data+"\x00")
	}
	line, _ := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return strings.Contains(string(line), " -D "+data+" ")
}
