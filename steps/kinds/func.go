package kinds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"sync"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/workflow"
)

// A Func is a Go function that workflows can use as a step kind of its name. It
// gets checked input, and its result is screened like any other. What it does
// besides, with files or sockets of its own, is outside Custody's promises.
type Func struct {
	Name    string // what a step writes as `uses`: lower-case letters, digits, dashes
	Version string // part of every digest: a change of behaviour needs a new one
	// Effect says that it sends a request. Only then does its client work.
	Effect bool
	// Private allows its client to go to loopback and private addresses.
	Private bool
	Input   json.RawMessage // JSON Schema of `with`; nil accepts any object
	Output  json.RawMessage // JSON Schema of the result; nil says nothing about it
	// Run does the work. It is called concurrently, must return soon after ctx is
	// done, and may return anything that encodes to JSON. An error that is a
	// *steps.Error is taken as it is; any other fails the step, without showing
	// its text to anybody but the log of the program. A panic is a step error.
	Run func(ctx context.Context, in map[string]any, call FuncCall) (any, error)
}

// A FuncCall is one attempt.
type FuncCall struct {
	Key     string // the same in every attempt: hand it to whatever can deduplicate
	Call    string // call_…, fresh for every attempt
	Attempt int    // from 1
	// HTTP sends at most one request, which carries Key and Call in its headers,
	// follows no redirect, checks the address, and ends with the step's time. It
	// is dead once Run has returned.
	HTTP *http.Client
}

// funcName is what a kind may be called.
var funcName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

func (f Func) validate() error {
	switch {
	case !funcName.MatchString(f.Name) || len(f.Name) > 64:
		return errors.New("Name: must be lower-case letters, digits and dashes, at most 64")
	case f.Name == llmName, f.Name == httpName, f.Name == "set", f.Name == "approval":
		return fmt.Errorf("Name: %q is built in", f.Name)
	case f.Version == "":
		return errors.New("Version: missing; it is part of the digest of every workflow that uses the function")
	case f.Run == nil:
		return errors.New("Run: missing")
	case f.Input != nil && !json.Valid(f.Input):
		return errors.New("Input: not JSON")
	case f.Output != nil && !json.Valid(f.Output):
		return errors.New("Output: not JSON")
	}
	return nil
}

func (f Func) kind() *workflow.Kind {
	k := &workflow.Kind{
		Name: f.Name, Version: f.Version, Effect: f.Effect, Intent: true, With: f.Input,
		Output: func(map[string]any) (json.RawMessage, error) { return f.Output, nil },
	}
	if f.Effect {
		k.Origins = security.Tool
	}
	return k
}

type funcRunner struct {
	f    Func
	pool *http.Transport
}

func newFuncRunner(f Func, resolver *net.Resolver) funcRunner {
	return funcRunner{f, newPool(f.Private, resolver)}
}

// Run calls the function.
func (r funcRunner) Run(ctx context.Context, call steps.Call) (steps.Draft, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	once := &onceClient{pool: r.pool, key: call.ID.Key, call: call.ID.Call, trace: model.TraceOf(ctx), effect: r.f.Effect, over: ctx.Done()}
	defer once.close()
	result, err := r.f.Run(ctx, call.Input.All(), FuncCall{
		Key: call.ID.Key, Call: call.ID.Call, Attempt: call.ID.Attempt,
		HTTP: &http.Client{Transport: once, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	})
	status, open := once.state()
	use := steps.Use{Status: status}
	var own *steps.Error
	switch {
	case errors.As(err, &own):
		return steps.Draft{}, own
	case err != nil && ctx.Err() != nil:
		return steps.Draft{}, ended(ctx, use, open, err)
	case err != nil:
		return steps.Draft{}, &steps.Error{Code: steps.CodeError, Detail: "the function " + r.f.Name + " failed", Unknown: open, Use: use, Err: err}
	}
	value, err := normal(result)
	if err != nil {
		return steps.Draft{}, &steps.Error{Code: steps.CodeError, Detail: "the function " + r.f.Name + " returned something that is not JSON", Use: use, Err: err}
	}
	return steps.NewDraft(value, use), nil
}

func ended(ctx context.Context, use steps.Use, open bool, err error) *steps.Error {
	e := &steps.Error{Code: steps.CodeCancelled, Detail: "the call was cancelled", Unknown: open, Use: use, Err: err}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Code, e.Detail, e.Retry = steps.CodeTimeout, "the step's time is over", true
	}
	return e
}

// normal is any Go value as decoded JSON.
func normal(v any) (any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return decode(raw)
}

// A onceClient is the round tripper of one FuncCall: one intent, one request.
type onceClient struct {
	pool      *http.Transport
	key, call string
	trace     string // traceparent; may be empty
	effect    bool
	over      <-chan struct{}

	mu     sync.Mutex
	used   bool
	closed bool
	status int
}

var (
	errNoEffect = errors.New("a function that does not declare an effect may not send a request")
	errSecond   = errors.New("a step sends one request; a second one needs a step of its own")
	errOver     = errors.New("the call of this client is over")
)

// RoundTrip sends the one request.
func (c *onceClient) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := c.take(); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	go func() {
		select {
		case <-c.over:
			cancel()
		case <-ctx.Done():
		}
	}()
	r = r.Clone(ctx)
	r.Header.Set("Idempotency-Key", c.key)
	r.Header.Set("Custody-Call", c.call)
	if c.trace != "" {
		r.Header.Set("Traceparent", c.trace)
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	// A body that cannot be rewound keeps net/http from sending it twice.
	r.Body, r.GetBody = unrepeatable{r.Body}, nil
	res, err := c.pool.RoundTrip(r)
	if err != nil {
		cancel()
		return nil, err
	}
	c.mu.Lock()
	c.status = res.StatusCode
	c.mu.Unlock()
	res.Body = http.MaxBytesReader(nil, res.Body, 8<<20)
	return res, nil
}

func (c *onceClient) take() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.effect:
		return errNoEffect
	case c.closed:
		return errOver
	case c.used:
		return errSecond
	}
	c.used = true
	return nil
}

// state is the reply's status, and whether a request left without a reply.
func (c *onceClient) state() (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status, c.used && c.status == 0
}

func (c *onceClient) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// unrepeatable hides from net/http that a body may be empty.
type unrepeatable struct {
	body interface {
		Read([]byte) (int, error)
		Close() error
	}
}

// Read reads the body.
func (u unrepeatable) Read(p []byte) (int, error) { return u.body.Read(p) }

// Close closes the body.
func (u unrepeatable) Close() error { return u.body.Close() }
