package stepstest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/stepstest"
	"github.com/custodyhq/custody/workflow"
)

// A sender sends as often as it is told to.
type sender struct {
	base    string
	retries int
	named   bool // puts the call's names on the request
	bound   bool // to its context
}

func (s sender) Run(ctx context.Context, call steps.Call) (steps.Draft, error) {
	if !s.bound {
		ctx = context.WithoutCancel(ctx)
	}
	err := s.send(ctx, call.ID)
	for range s.retries {
		if err == nil {
			break
		}
		err = s.send(ctx, call.ID)
	}
	if err == nil {
		return steps.NewDraft("sent", steps.Use{}), nil
	}
	e := &steps.Error{Code: steps.CodeConnection, Unknown: true, Err: err}
	if ctx.Err() != nil {
		e.Code = steps.CodeCancelled
	}
	return steps.Draft{}, e
}

func (s sender) send(ctx context.Context, id steps.CallID) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base, io.NopCloser(strings.NewReader("x")))
	if err != nil {
		return err
	}
	if s.named {
		req.Header.Set("Idempotency-Key", id.Key)
		req.Header.Set("Custody-Call", id.Call)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != 200 || string(raw) != `{}`) {
		err = errors.New("no success")
	}
	return err
}

func exercise(t *testing.T, s sender) {
	stepstest.Exercise(t, stepstest.Subject{
		Kind: &workflow.Kind{Name: "send", Version: "1", Effect: true, Intent: true}, With: `{}`,
		Answer: stepstest.Reply(200, `{}`),
		New:    func(_ *testing.T, base string) steps.Runner { s.base = base; return s },
	})
}

func TestGoodRunnerPasses(t *testing.T) {
	t.Parallel()
	exercise(t, sender{named: true, bound: true})
}

// The suite must fail for runners that break the contract. Each runs in a
// process of its own, because a failing test cannot be taken back.
func TestBadRunnersAreFound(t *testing.T) {
	t.Parallel()
	bad := map[string]sender{
		"retries": {named: true, bound: true, retries: 2},
		"unnamed": {bound: true},
		"deaf":    {named: true},
	}
	if which := os.Getenv("STEPSTEST_BAD"); which != "" {
		exercise(t, bad[which])
		return
	}
	for which, says := range map[string]string{
		"retries": "requests for one call", "unnamed": "Idempotency-Key is", "deaf": "did not return",
	} {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestBadRunnersAreFound$")
			cmd.Env = append(os.Environ(), "STEPSTEST_BAD="+which)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), says) {
				t.Errorf("not found: %v\n%s", err, out)
			}
		})
	}
}
