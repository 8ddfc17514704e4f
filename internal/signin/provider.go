package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswer   = 512 << 10        // bytes of a provider's answer
	askLimit    = 15 * time.Second // for one request
	maxText     = 200              // characters of a provider's sentence that are shown
	stepUpAge   = 300              // seconds; what the API's step-up asks for
	defaultLife = time.Minute      // of an access token whose provider does not say
)

// ErrOver says that the provider will not continue a sign-in: it ended, was
// withdrawn, or its refresh token was used twice. Only a new one helps.
var ErrOver = errors.New("the sign-in has ended at the provider")

// A Config says where to sign in, and as which program.
type Config struct {
	// Issuer is the provider's URL; http is accepted on loopback only.
	Issuer string
	// Client is the program's name at the provider, a public client.
	Client string
	// ACR is asked for as acr_values; empty asks for nothing in particular.
	// With mfa the second factor must also be at most five minutes old.
	ACR string
	// HTTP sends the requests; nil is a client of our own. Redirects are never
	// followed.
	HTTP *http.Client
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (c *Config) validate() error {
	if err := trustworthy(c.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if c.Client == "" {
		return errors.New("client: the program's client id at the provider is needed")
	}
	return nil
}

// A Provider is an OpenID provider as it describes itself, seen by one client.
// It is safe for concurrent use.
type Provider struct {
	cfg   Config
	http  *http.Client
	at    endpoints
	sleep func(context.Context, time.Duration) error
}

// endpoints are what we need of the discovery document (OpenID Connect
// Discovery 1.0, section 3; RFC 8414).
type endpoints struct {
	Issuer     string   `json:"issuer"`
	Authorize  string   `json:"authorization_endpoint"`
	Token      string   `json:"token_endpoint"`
	Device     string   `json:"device_authorization_endpoint"`
	Revocation string   `json:"revocation_endpoint"`
	Challenges []string `json:"code_challenge_methods_supported"`
	NamesSelf  bool     `json:"authorization_response_iss_parameter_supported"`
}

// New asks the issuer to describe itself. Its errors name the field of the
// Config, or say what is wrong with the issuer's answer.
func New(ctx context.Context, cfg Config) (*Provider, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Provider{cfg: cfg, http: &http.Client{Timeout: askLimit}, sleep: pause}
	if cfg.HTTP != nil {
		copied := *cfg.HTTP
		p.http = &copied
	}
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	where := strings.TrimSuffix(cfg.Issuer, "/") + "/.well-known/openid-configuration"
	status, body, err := p.ask(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the provider to describe itself: %w", err)
	}
	if status != http.StatusOK || json.Unmarshal(body, &p.at) != nil {
		return nil, fmt.Errorf("the provider's discovery document cannot be read (status %d): is %s its issuer URL?", status, cfg.Issuer)
	}
	return p, p.at.validate(cfg.Issuer)
}

// validate refuses what would send a secret somewhere else, or in the clear.
func (at *endpoints) validate(issuer string) error {
	if at.Issuer != issuer {
		return errors.New("the provider's discovery document names another issuer than it was asked for: both must be the same to the letter")
	}
	for name, to := range map[string]string{
		"authorization_endpoint": at.Authorize, "token_endpoint": at.Token,
		"device_authorization_endpoint": at.Device, "revocation_endpoint": at.Revocation,
	} {
		if to == "" {
			continue
		}
		if err := trustworthy(to); err != nil {
			return fmt.Errorf("the provider's discovery document: %s: %w", name, err)
		}
		if strings.HasPrefix(issuer, "https:") && !strings.HasPrefix(to, "https:") {
			return fmt.Errorf("the provider's discovery document: %s: must be https", name)
		}
	}
	if at.Token == "" {
		return errors.New("the provider's discovery document names no token_endpoint")
	}
	return nil
}

// trustworthy accepts https anywhere and http where nobody can listen in.
func trustworthy(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("is not an absolute URL")
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return errors.New("must be https; http is accepted on loopback only")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Issuer is the provider's URL.
func (p *Provider) Issuer() string { return p.cfg.Issuer }

// stepUp adds what the request for a second factor consists of.
func (p *Provider) stepUp(form url.Values) {
	if p.cfg.ACR == "" {
		return
	}
	form.Set("acr_values", p.cfg.ACR)
	if p.cfg.ACR == "mfa" {
		form.Set("max_age", strconv.Itoa(stepUpAge))
	}
}

// A proof is a PKCE verifier and its challenge (RFC 7636, section 4, S256).
type proof struct{ verifier, challenge string }

func newProof() proof {
	verifier := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	return proof{verifier, base64.RawURLEncoding.EncodeToString(sum[:])}
}

// proves reports whether the provider understands PKCE.
func (p *Provider) proves() bool { return slices.Contains(p.at.Challenges, "S256") }

// A refusal is an error that the provider answered with (RFC 6749, section 5.2).
type refusal struct {
	Code string `json:"error"`
	Why  string `json:"error_description"`
}

// Error is the provider's sentence, in printable characters and not for long.
func (r *refusal) Error() string {
	text := r.Code
	if r.Why != "" {
		text += " (" + r.Why + ")"
	}
	return "the provider answers " + clean(text)
}

// clean makes a stranger's text fit for a message.
func clean(text string) string {
	out := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text))
	return string(out[:min(len(out), maxText)])
}

// post sends a form and decodes a good answer into out. A *refusal is the
// provider's; any other error means that nobody knows what came of it.
func (p *Provider) post(ctx context.Context, to string, form url.Values, out any) error {
	form.Set("client_id", p.cfg.Client)
	status, body, err := p.ask(ctx, http.MethodPost, to, form)
	if err != nil {
		return err
	}
	if status/100 == 2 {
		if out == nil {
			return nil
		}
		if json.Unmarshal(body, out) != nil {
			return errors.New("the provider's answer cannot be read")
		}
		return nil
	}
	var r refusal
	if json.Unmarshal(body, &r) == nil && r.Code != "" && status < http.StatusInternalServerError {
		return &r
	}
	return fmt.Errorf("the provider answers with status %d", status)
}

func (p *Provider) ask(ctx context.Context, method, to string, form url.Values) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, errors.New("the address is not a URL")
	}
	req.Header.Set("Accept", "application/json")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := p.http.Do(req)
	if err != nil {
		if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
			err = wrapped.Err // without the URL
		}
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, body, err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
