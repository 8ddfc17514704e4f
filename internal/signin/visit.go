package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	callback  = "/callback"
	visitTime = 10 * time.Minute // to sign in
)

// A Visit is a sign-in that waits for a browser on this machine (RFC 8252).
// It listens on loopback until Wait returns or Close is called.
type Visit struct {
	Address string    // where the browser goes
	Expires time.Time // until when

	provider *Provider
	proof    proof
	state    string
	redirect string
	http     *http.Server
	came     chan url.Values
}

// Visit begins a sign-in in a browser on this machine.
func (p *Provider) Visit(ctx context.Context) (*Visit, error) {
	if p.at.Authorize == "" || !p.proves() {
		return nil, errors.New("the provider offers no authorization code with PKCE")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("wait for the browser: %w", err)
	}
	v := &Visit{
		provider: p, proof: newProof(), state: rand.Text(), redirect: "http://" + listener.Addr().String() + callback,
		Expires: p.cfg.Now().Add(visitTime), came: make(chan url.Values, 1),
	}
	to, err := url.Parse(p.at.Authorize)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	q := to.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": p.cfg.Client, "redirect_uri": v.redirect, "scope": "openid", "state": v.state,
		"code_challenge": v.proof.challenge, "code_challenge_method": "S256",
	} {
		q.Set(name, value)
	}
	p.stepUp(q)
	to.RawQuery = q.Encode()
	v.Address = to.String()
	v.http = &http.Server{Handler: http.HandlerFunc(v.serve), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10}
	go func() { _ = v.http.Serve(listener) }() // ends with Close
	return v, nil
}

// serve takes the one request that knows our state. Anybody on this machine
// may send another, and changes nothing by it.
func (v *Visit) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.Method != http.MethodGet || r.URL.Path != callback || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(v.state)) != 1 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write([]byte("That is all. Go back to the terminal.\n")) // the browser may have gone
	select {
	case v.came <- q:
	default: // a reload of the page
	}
}

// Wait waits for the browser to come back and redeems its code. It fails with
// ErrRefused, ErrExpired, or when ctx ends.
func (v *Visit) Wait(ctx context.Context) (Tokens, error) {
	defer v.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, visitTime, ErrExpired)
	defer cancel()
	var q url.Values
	select {
	case q = <-v.came:
	case <-ctx.Done():
		return Tokens{}, context.Cause(ctx)
	}
	// A code of another provider must not reach this one, nor the reverse (RFC 9207).
	if iss := q.Get("iss"); iss != v.provider.cfg.Issuer && (iss != "" || v.provider.at.NamesSelf) {
		return Tokens{}, errors.New("the browser came back from another provider")
	}
	switch code := q.Get("error"); {
	case code == "access_denied":
		return Tokens{}, ErrRefused
	case code != "":
		return Tokens{}, &refusal{code, q.Get("error_description")}
	case q.Get("code") == "":
		return Tokens{}, errors.New("the browser came back without a code")
	}
	return v.provider.redeem(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {v.redirect}, "code_verifier": {v.proof.verifier},
	})
}

// Close stops listening. It may be called more than once.
func (v *Visit) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if v.http.Shutdown(ctx) != nil { // let the last page reach the browser
		_ = v.http.Close()
	}
}
