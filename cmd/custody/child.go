package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A child is a process that this one started and will end.
type child struct {
	cmd   *exec.Cmd
	log   *lastBytes
	ended chan struct{}
}

// startChild starts the program with exactly this environment. On Linux the
// child ends with us, even if we are killed: the kernel ties that to the thread,
// so one thread stays with it.
func startChild(program string, env []string, args ...string) (*child, error) {
	c := &child{cmd: exec.Command(program, args...), log: &lastBytes{limit: 16 << 10}, ended: make(chan struct{})}
	c.cmd.Env = env
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	c.cmd.SysProcAttr = childAttributes()
	c.cmd.Dir = os.TempDir()
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			_ = c.cmd.Wait() // how it ended is seen by what it did
			close(c.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start `custody serve`: %w", err)
	}
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// kill is kill -9.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended by itself
	<-c.ended
}

// end asks, waits a while, and then kills.
func (c *child) end() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case <-c.ended:
	case <-timer.C:
		c.kill()
	}
}

// tail is the last of what it wrote.
func (c *child) tail() []string {
	lines := strings.Split(strings.TrimSpace(c.log.String()), "\n")
	return lines[max(0, len(lines)-12):]
}

// lastBytes keeps the end of what is written to it.
type lastBytes struct {
	limit int
	mu    sync.Mutex
	buf   bytes.Buffer
}

// Write keeps what fits.
func (l *lastBytes) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	if over := l.buf.Len() - l.limit; over > 0 {
		l.buf.Next(over)
	}
	return len(p), nil
}

// String is what was kept.
func (l *lastBytes) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
