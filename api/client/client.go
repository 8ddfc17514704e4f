package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxAnswer = 64 << 20         // bytes of one JSON answer
	patience  = 35 * time.Second // for one answer; the server gives up after 30
)

// A Config says where the server is and who calls.
type Config struct {
	// URL is the server's, such as https://custody.example. Plain http is
	// accepted on loopback only: a token must not cross a network in the clear.
	URL string
	// Token gives the bearer token for each request. Nil sends none, which is
	// enough for public routes. It may be called concurrently.
	Token func(ctx context.Context) (string, error)
	// HTTP sends the requests. Nil is a client of our own with TLS 1.3. A
	// redirect is never followed, whatever it says.
	HTTP *http.Client
	// UserAgent names the program; default custody-client.
	UserAgent string
}

func (c *Config) validate() (*url.URL, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("client config: URL must be an absolute URL such as https://custody.example")
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback(u.Hostname()):
	default:
		return nil, errors.New("client config: URL must be https; http is accepted on loopback only")
	}
	if c.UserAgent == "" {
		c.UserAgent = "custody-client"
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A Client calls one server. It is safe for concurrent use.
type Client struct {
	cfg  Config
	base *url.URL
	http *http.Client
}

// New makes a Client. It sends nothing. Its errors name the field of the Config.
func New(cfg Config) (*Client, error) {
	base, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	hc := &http.Client{}
	if cfg.HTTP != nil {
		copied := *cfg.HTTP
		hc = &copied
	} else {
		t := &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13}, TLSHandshakeTimeout: 10 * time.Second,
		}
		hc.Transport = t
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{cfg: cfg, base: base, http: hc}, nil
}

// URL is the server's base URL, without a slash at its end.
func (c *Client) URL() string { return strings.TrimSuffix(c.base.String(), "/") }

// Close gives back idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// A call is one request on its way.
type call struct {
	method, path string // path begins with / and is escaped
	query        url.Values
	body         []byte
	bodyType     string
	accept       string
	header       http.Header
	wait         time.Duration // on top of the patience for an answer
}

// path joins escaped segments.
func path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// changing sets what every changing call may carry.
func (q *call) changing(key string, dryRun bool) {
	if q.header == nil {
		q.header = http.Header{}
	}
	if key != "" {
		q.header.Set("Idempotency-Key", key)
	}
	if dryRun {
		if q.query == nil {
			q.query = url.Values{}
		}
		q.query.Set("dry_run", "true")
	}
}

// open sends the request and returns a response with a good status. Whoever
// gets it closes its body.
func (c *Client) open(ctx context.Context, q call) (*http.Response, error) {
	target := c.URL() + q.path
	if len(q.query) > 0 {
		target += "?" + q.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, q.method, target, bytes.NewReader(q.body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", q.method, q.path, err)
	}
	for name, values := range q.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	req.Header.Set("Accept", q.accept)
	if q.bodyType != "" {
		req.Header.Set("Content-Type", q.bodyType)
	}
	if c.cfg.Token != nil {
		token, err := c.cfg.Token(ctx)
		if err != nil {
			return nil, fmt.Errorf("get a token: %w", err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", q.method, q.path, unwrapURL(err))
	}
	if res.StatusCode/100 != 2 {
		defer res.Body.Close()
		return nil, readProblem(res)
	}
	return res, nil
}

// unwrapURL drops the URL from the error: its query may name people.
func unwrapURL(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// answer sends the request and reads the whole answer.
func (c *Client) answer(ctx context.Context, q call) ([]byte, *http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, patience+q.wait)
	defer cancel()
	if q.accept == "" {
		q.accept = "application/json"
	}
	res, err := c.open(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: read the answer: %w", q.method, q.path, err)
	}
	if len(body) > maxAnswer {
		return nil, nil, fmt.Errorf("%s %s: the answer is larger than %d MiB", q.method, q.path, maxAnswer>>20)
	}
	return body, res, nil
}

// json sends the request and decodes the answer into out.
func (c *Client) json(ctx context.Context, q call, out any) (*http.Response, error) {
	body, res, err := c.answer(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return nil, fmt.Errorf("%s %s: the answer is not what the API says: %w", q.method, q.path, err)
	}
	return res, nil
}

// post makes a changing call with a JSON body.
func post(path string, body any, key string, dryRun bool) (call, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return call{}, fmt.Errorf("encode the request: %w", err)
	}
	q := call{method: http.MethodPost, path: path, body: text, bodyType: "application/json"}
	q.changing(key, dryRun)
	return q, nil
}

// get makes a reading call.
func get(path string, query url.Values) call {
	return call{method: http.MethodGet, path: path, query: query}
}

// replayed reports whether the answer is one to an earlier call of the same key.
func replayed(res *http.Response) bool { return res.Header.Get("Idempotent-Replayed") == "true" }
