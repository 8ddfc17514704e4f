package engine

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestAMessageIsWrittenOnceInAWhileAndAnotherAtOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(newHush(slog.NewTextHandler(&out, nil))).With(slog.String("queue", "default"))
	for range 100 {
		log.Error("cannot fetch")
	}
	log.Error("something else")
	if n := strings.Count(out.String(), "cannot fetch"); n != 1 {
		t.Errorf("written %d times", n)
	}
	if !strings.Contains(out.String(), "something else") || !strings.Contains(out.String(), "queue=default") {
		t.Errorf("lost: %s", out.String())
	}
}
