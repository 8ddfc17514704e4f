package localpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A pidFile is what a server writes of itself into postmaster.pid (PostgreSQL's
// src/include/utils/pidfile.h). The zero pidFile is no server.
type pidFile struct {
	pid    int    // line 1; 0: none that could be read
	run    string // line 5: the socket's folder
	status string // line 8: starting, ready, stopping, standby
}

// ready is the status of a server that takes connections.
const ready = "ready"

// readPidFile returns the zero pidFile when there is no file.
func readPidFile(data string) (pidFile, error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return pidFile{}, nil
	}
	if err != nil {
		return pidFile{}, fmt.Errorf("read the server's pid file: %w", err)
	}
	return parsePidFile(string(text)), nil
}

// parsePidFile takes what is there: the server writes the file line by line.
func parsePidFile(text string) pidFile {
	lines := strings.Split(text, "\n")
	line := func(n int) string {
		if n > len(lines) {
			return ""
		}
		return strings.TrimSpace(lines[n-1])
	}
	p := pidFile{run: line(5), status: line(8)}
	// A negative number is a server in single-user mode; 0 and 1 would be signals to far too many.
	if pid, err := strconv.Atoi(line(1)); err == nil && pid > 1 {
		p.pid = pid
	}
	return p
}

// disown takes a dead server's pid file out of the way without deleting it: line
// 7 holds the key of the shared memory that PostgreSQL looks at before it lets a
// second postmaster near the data. PostgreSQL does not take its parent for a
// postmaster, so our own pid in line 1 passes. A crash after it is harmless: the
// next Open does it again.
func disown(data string) error {
	name := filepath.Join(data, "postmaster.pid")
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the dead server's pid file: %w", err)
	}
	_, rest, found := strings.Cut(string(text), "\n")
	if !found {
		// It died while it made the file, before it had any shared memory.
		return os.Remove(name)
	}
	text = []byte(strconv.Itoa(os.Getpid()) + "\n" + rest)
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return fmt.Errorf("disown the dead server's pid file: %w", err)
	}
	return nil
}
