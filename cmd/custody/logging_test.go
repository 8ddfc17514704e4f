package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
)

func TestTheLogIsJSONUnlessSomebodyReadsAlong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env         map[string]string
		json, debug bool
		bad         string
	}{
		"into a pipe":   {json: true},
		"as text":       {env: map[string]string{envLog: "text"}},
		"all of it":     {env: map[string]string{envLogLevel: "debug"}, json: true, debug: true},
		"another form":  {env: map[string]string{envLog: "xml"}, bad: envLog},
		"another level": {env: map[string]string{envLogLevel: "loud"}, bad: envLogLevel},
	} {
		var b bytes.Buffer
		log, err := logTo(&b, func(name string) string { return c.env[name] })
		if c.bad != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.bad+" ") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		log.Debug("quiet")
		log.Warn("loud")
		first, _, _ := strings.Cut(b.String(), "\n")
		if json.Valid([]byte(first)) != c.json || strings.Contains(b.String(), "quiet") != c.debug || !strings.Contains(b.String(), "loud") {
			t.Errorf("%s: %s", name, b.String())
		}
	}
}

func TestADeviceThatNobodyReadsIsNoTerminal(t *testing.T) {
	t.Parallel()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	must(t, err)
	t.Cleanup(func() { _ = null.Close() })
	log, err := logTo(null, func(string) string { return "" })
	must(t, err)
	if _, ok := log.Handler().(*slog.JSONHandler); !ok {
		t.Errorf("%T", log.Handler())
	}
}
