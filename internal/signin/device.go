package signin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

const (
	grantDevice = "urn:ietf:params:oauth:grant-type:device_code"
	firstPause  = 5 * time.Second // RFC 8628, section 3.2: where the provider names none
	slower      = 5 * time.Second // section 3.5: added for each slow_down
	maxPause    = time.Minute
	maxWait     = 30 * time.Minute
)

// The two ways in which a person says no.
var (
	ErrRefused = errors.New("the sign-in was refused in the browser")
	ErrExpired = errors.New("nobody signed in before the code's time was over")
)

// A Device is a sign-in that waits for somebody at another screen (RFC 8628,
// section 3.2).
type Device struct {
	UserCode string    // what the person compares, or types
	Address  string    // where they go
	Complete string    // the same with the code in it; may be empty
	Expires  time.Time // until when

	code  string
	proof proof
	pause time.Duration
}

// Device begins a sign-in at another screen.
func (p *Provider) Device(ctx context.Context) (*Device, error) {
	if p.at.Device == "" {
		return nil, errors.New("the provider offers no device authorization")
	}
	d := &Device{pause: firstPause}
	form := url.Values{"scope": {"openid"}}
	p.stepUp(form)
	if p.proves() {
		d.proof = newProof()
		form.Set("code_challenge", d.proof.challenge)
		form.Set("code_challenge_method", "S256")
	}
	var a struct {
		Device   string  `json:"device_code"`
		User     string  `json:"user_code"`
		Address  string  `json:"verification_uri"`
		Complete string  `json:"verification_uri_complete"`
		Life     float64 `json:"expires_in"` // seconds
		Pause    float64 `json:"interval"`   // seconds
	}
	if err := p.post(ctx, p.at.Device, form, &a); err != nil {
		return nil, fmt.Errorf("begin the sign-in: %w", err)
	}
	if a.Device == "" || a.User == "" || a.User != clean(a.User) || trustworthy(a.Address) != nil || a.Address != clean(a.Address) {
		return nil, errors.New("begin the sign-in: the provider's answer is not what RFC 8628 says")
	}
	d.code, d.UserCode, d.Address = a.Device, a.User, a.Address
	if trustworthy(a.Complete) == nil && a.Complete == clean(a.Complete) {
		d.Complete = a.Complete
	}
	if a.Pause > 0 {
		d.pause = min(seconds(a.Pause), maxPause)
	}
	d.Expires = p.cfg.Now().Add(min(seconds(a.Life), maxWait))
	return d, nil
}

// seconds is a provider's number as a time of a day at most: a larger one would
// turn negative, and waiting would be no pause.
func seconds(n float64) time.Duration {
	return time.Duration(min(n, (24*time.Hour).Seconds()) * float64(time.Second))
}

// Wait asks as often as the provider allows until somebody has signed in. It
// fails with ErrRefused, ErrExpired, or when ctx ends. A provider that cannot be
// reached for a while is asked again, less often (RFC 8628, section 3.5).
func (p *Provider) Wait(ctx context.Context, d *Device) (Tokens, error) {
	form := url.Values{"grant_type": {grantDevice}, "device_code": {d.code}}
	if d.proof.verifier != "" {
		form.Set("code_verifier", d.proof.verifier)
	}
	every := d.pause
	for p.cfg.Now().Before(d.Expires) {
		if err := p.sleep(ctx, every); err != nil {
			return Tokens{}, err
		}
		t, err := p.redeem(ctx, form)
		if err == nil {
			return t, nil
		}
		if every, err = next(every, err); err != nil {
			return Tokens{}, err
		}
	}
	return Tokens{}, ErrExpired
}

// next is how long to wait after an answer that is no token, or why not to.
func next(every time.Duration, err error) (time.Duration, error) {
	var r *refusal
	if !errors.As(err, &r) {
		return min(2*every, maxPause), nil
	}
	switch r.Code {
	case "authorization_pending":
		return every, nil
	case "slow_down":
		return min(every+slower, maxPause), nil
	case "access_denied":
		return 0, ErrRefused
	case "expired_token":
		return 0, ErrExpired
	}
	return 0, r
}
