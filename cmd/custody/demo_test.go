package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/custodyhq/custody/store/storetest"
)

// TestTheDemoTellsItsStory runs the whole of it, with a server process that is
// killed with SIGKILL and comes back.
func TestTheDemoTellsItsStory(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it waits until a killed process counts as dead")
	}
	began := time.Now()
	var out, errs bytes.Buffer
	d := newDemo(t, &out, &errs)
	if err := d.run(t.Context()); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), errs.String())
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	for _, want := range []string{
		"mallory (no role) is refused", "alice cannot approve her own request", "what was filed is exactly what bob saw",
		"no model has seen it", "“Ignore previous instructions", "killed with SIGKILL", "the model counted 1 call for the summary",
		"the run's bundle verifies", "verification says broken, and names the row", "entry.altered run_", "custody dev",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story lacks %q", want)
		}
	}
	if strings.ContainsRune(out.String(), 0x1b) {
		t.Error("colours on what is no terminal")
	}
	mustBeGone(t, d)
}

func TestAnInterruptedDemoCleansUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &awaited{wanted: "accepted as run_", seen: make(chan struct{})}
	d := newDemo(t, out, &bytes.Buffer{})
	go func() {
		<-out.seen
		cancel()
	}()
	if err := d.run(ctx); codeOf(ctx, err) != exitInterrupted {
		t.Errorf("exit %d: %v", codeOf(ctx, err), err)
	}
	mustBeGone(t, d)
}

func TestAFailedExpectationShowsTheServersLastLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	d := newDemo(t, &out, &bytes.Buffer{})
	d.extra = append(d.extra, "CUSTODY_OIDC_ISSUER=nowhere") // the child will not start
	err := d.run(t.Context())
	if codeOf(t.Context(), err) != exitFailure || !regexp.MustCompile(`(?s)The server's last lines:.*issuer`).MatchString(out.String()) {
		t.Errorf("%v\n%s", err, out.String())
	}
	mustBeGone(t, d)
}

func newDemo(t *testing.T, out, errs interface{ Write([]byte) (int, error) }) *demo {
	t.Helper()
	url := storetest.URL(t) // keeps the server up; the demo makes its own database on it
	self, err := os.Executable()
	must(t, err)
	env := map[string]string{"CUSTODY_DATABASE_URL": url, "PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME")}
	return &demo{
		narrator: newNarrator(terminal{in: strings.NewReader(""), out: out, err: errs, env: func(n string) string { return env[n] }}),
		program:  self, extra: []string{asProgram + "=1"}, env: func(n string) string { return env[n] },
	}
}

func mustBeGone(t *testing.T, d *demo) {
	t.Helper()
	if d.child != nil {
		select {
		case <-d.child.ended:
		default:
			t.Error("the server still runs")
		}
	}
	if _, err := os.Stat(d.dir); d.dir == "" || !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", d.dir, err)
	}
	if err := onDatabase(t.Context(), d.url, pings); err == nil {
		t.Error("the demo's database is left")
	}
}
