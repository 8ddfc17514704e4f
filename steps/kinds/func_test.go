package kinds_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/stepstest"
)

const scoring = `{"name": "scoring", "requires": {"roles": ["analyst"]}, "steps": [{"id": "only", "uses": "score", "with": {"n": 2}, "timeout": "200ms"}]}`

func funcRig(t testing.TB, f kinds.Func) *stepstest.Rig {
	t.Helper()
	f.Name, f.Version = "score", "1"
	set, err := kinds.New(kinds.Config{Funcs: []kinds.Func{f}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return stepstest.NewRig(t, scoring, set.Kinds(), set.Runners(), nil)
}

func runFunc(t testing.TB, r *stepstest.Rig) (string, *steps.Error) {
	t.Helper()
	c := r.Check(t, 0, r.Input(nil))
	d, err := r.Pipeline.Execute(context.Background(), c, r.ID(0, ""))
	var e *steps.Error
	if errors.As(err, &e) {
		return "", e
	}
	s, _, err := r.Pipeline.Screen(c, d, guard.Pardon{})
	if err != nil {
		return "withheld", nil //nolint:nilerr // what the test asks for
	}
	return string(s.Bytes()), nil
}

func TestFunctionComputes(t *testing.T) {
	t.Parallel()
	out, e := runFunc(t, funcRig(t, kinds.Func{
		Input:  []byte(`{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}`),
		Output: []byte(`{"type":"object","required":["Twice"],"properties":{"Twice":{"type":"integer"}}}`),
		Run: func(_ context.Context, in map[string]any, c kinds.FuncCall) (any, error) {
			if !strings.HasSuffix(c.Key, "/only") || !strings.HasPrefix(c.Call, "call_") || c.Attempt != 1 {
				t.Errorf("%+v", c)
			}
			return struct{ Twice int64 }{in["n"].(int64) * 2}, nil
		},
	}))
	if out != `{"Twice":4}` || e != nil {
		t.Errorf("%s %v", out, e)
	}
}

func TestWhateverAFunctionDoesIsAStepError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		run  func(context.Context, map[string]any, kinds.FuncCall) (any, error)
		code string
	}{
		"a panic":  {func(context.Context, map[string]any, kinds.FuncCall) (any, error) { panic("SECRET") }, "panic"},
		"an error": {func(context.Context, map[string]any, kinds.FuncCall) (any, error) { return nil, errors.New("SECRET") }, "error"},
		"not JSON": {func(context.Context, map[string]any, kinds.FuncCall) (any, error) { return func() {}, nil }, "error"},
		"its own error": {func(context.Context, map[string]any, kinds.FuncCall) (any, error) {
			return nil, &steps.Error{Code: "invalid", Detail: "mine"}
		}, "invalid"},
		"its time": {func(ctx context.Context, _ map[string]any, _ kinds.FuncCall) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, e := runFunc(t, funcRig(t, kinds.Func{Run: c.run}))
			if e == nil || e.Code != c.code || e.Unknown || strings.Contains(e.Error(), "SECRET") {
				t.Errorf("%v", e)
			}
		})
	}
	out, e := runFunc(t, funcRig(t, kinds.Func{
		Output: []byte(`{"type":"integer"}`),
		Run:    func(context.Context, map[string]any, kinds.FuncCall) (any, error) { return "text", nil },
	}))
	if out != "withheld" || e != nil {
		t.Errorf("a result that does not fit: %s %v", out, e)
	}
}

func get(ctx context.Context, c kinds.FuncCall, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	return string(raw), err
}

func TestFunctionSendsOneRequestUnderItsNames(t *testing.T) {
	t.Parallel()
	server := stepstest.NewModel(t, stepstest.Reply(200, `hello`))
	var kept *http.Client
	r := funcRig(t, kinds.Func{Effect: true, Private: true, Run: func(ctx context.Context, _ map[string]any, c kinds.FuncCall) (any, error) {
		kept = c.HTTP
		first, err := get(ctx, c, server.URL()+"/a")
		if err != nil {
			return nil, err
		}
		if _, err := get(ctx, c, server.URL()+"/b"); err == nil || !strings.Contains(err.Error(), "one request") {
			t.Errorf("the second request: %v", err)
		}
		return first, nil
	}})
	if out, e := runFunc(t, r); out != `"hello"` || e != nil {
		t.Fatalf("%s %v", out, e)
	}
	if _, err := kept.Get(server.URL() + "/late"); err == nil {
		t.Error("the client outlives its call")
	}
	got := server.Requests()
	if len(got) != 1 || got[0].Header.Get("Idempotency-Key") != r.ID(0, "").Key || got[0].Header.Get("Custody-Call") == "" {
		t.Errorf("%+v", got)
	}
}

func TestFunctionWithoutEffectSendsNothing(t *testing.T) {
	t.Parallel()
	server := stepstest.NewModel(t, stepstest.Reply(200, `hello`))
	send := func(ctx context.Context, _ map[string]any, c kinds.FuncCall) (any, error) {
		return get(ctx, c, server.URL())
	}
	if _, e := runFunc(t, funcRig(t, kinds.Func{Private: true, Run: send})); e == nil || e.Unknown {
		t.Errorf("no effect: %v", e)
	}
	if _, e := runFunc(t, funcRig(t, kinds.Func{Effect: true, Run: send})); e == nil {
		t.Error("loopback without Private")
	}
	if n := len(server.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestFunctionWhoseRequestWasCutIsUnknown(t *testing.T) {
	t.Parallel()
	server := stepstest.NewModel(t, stepstest.Cut)
	r := funcRig(t, kinds.Func{Effect: true, Private: true, Run: func(ctx context.Context, _ map[string]any, c kinds.FuncCall) (any, error) {
		return get(ctx, c, server.URL())
	}})
	if _, e := runFunc(t, r); e == nil || !e.Unknown {
		t.Errorf("%v", e)
	}
	// A request that the function forgot to bind to its context ends with it.
	hanging := stepstest.NewModel(t, stepstest.Hang)
	r = funcRig(t, kinds.Func{Effect: true, Private: true, Run: func(_ context.Context, _ map[string]any, c kinds.FuncCall) (any, error) {
		return get(context.Background(), c, hanging.URL())
	}})
	start := time.Now()
	if _, e := runFunc(t, r); e == nil || e.Code != "timeout" || !e.Unknown || time.Since(start) > 2*time.Second {
		t.Errorf("%v after %v", e, time.Since(start))
	}
}

func TestExerciseFunc(t *testing.T) {
	t.Parallel()
	var base string
	f := kinds.Func{Name: "fetch", Version: "1", Effect: true, Private: true, Run: func(ctx context.Context, _ map[string]any, c kinds.FuncCall) (any, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base, nil)
		if err != nil {
			return nil, err
		}
		res, err := c.HTTP.Do(req)
		if err != nil {
			return nil, err
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != 200 {
			return nil, errors.New("not found")
		}
		return io.ReadAll(res.Body)
	}}
	server := stepstest.NewModel(t, stepstest.Reply(200, `{}`), stepstest.Cut)
	base = server.URL()
	set, err := kinds.New(kinds.Config{Funcs: []kinds.Func{f}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	r := stepstest.NewRig(t, `{"name":"f","requires":{"roles":["a"]},"steps":[{"id":"only","uses":"fetch"}]}`, set.Kinds(), set.Runners(), nil)
	if out, e := runFunc(t, r); out != `"e30="` || e != nil {
		t.Fatalf("%s %v", out, e)
	}
	// The kept connection dies under the second call: it is not sent again.
	if _, e := runFunc(t, r); e == nil || !e.Unknown || len(server.Requests()) != 2 {
		t.Errorf("%v, %d requests", e, len(server.Requests()))
	}
}

func ExampleFunc() {
	score := kinds.Func{
		Name: "score", Version: "1",
		Input:  []byte(`{"type": "object", "required": ["words"], "properties": {"words": {"type": "string"}}}`),
		Output: []byte(`{"type": "integer"}`),
		Run: func(_ context.Context, in map[string]any, _ kinds.FuncCall) (any, error) {
			return len(strings.Fields(in["words"].(string))), nil
		},
	}
	set, err := kinds.New(kinds.Config{Funcs: []kinds.Func{score}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer set.Close()
	k := set.Kinds().ByName["score"]
	fmt.Println(k.Name, k.Version, "effect:", k.Effect)
	// Output: score 1 effect: false
}
