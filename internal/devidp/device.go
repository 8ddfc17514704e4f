package devidp

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	deviceLife = 10 * time.Minute
	pollPause  = time.Second
	slowDown   = 5 * time.Second // added for each poll that comes too soon
	// userLetters spell no word and look like no digit (RFC 8628, section 6.1).
	userLetters = "BCDFGHJKLMNPQRSTVWXZ"
)

// A device is a sign-in on another screen (RFC 8628). Its fields but the first
// two change only within shelf.edit.
type device struct {
	user      string // XXXX-XXXX
	challenge string // PKCE, if the client sent one
	grant     grant
	answered  bool
	polled    time.Time
	pause     time.Duration
}

// serveDeviceAuthorization begins a sign-in (RFC 8628, section 3.1).
func (s *Server) serveDeviceAuthorization(w http.ResponseWriter, r *http.Request) {
	if client, ok := authenticated(r); !ok || client != CLI {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	d := &device{user: userCode(), pause: pollPause, challenge: r.PostFormValue("code_challenge")}
	if d.challenge != "" && (r.PostFormValue("code_challenge_method") != "S256" || len(d.challenge) != 43) {
		refuse(w, http.StatusBadRequest, "invalid_request")
		return
	}
	d.grant = grant{
		client: CLI, acr: "mfa", life: signInLife, sid: rand.Text(),
		openid: slices.Contains(strings.Fields(r.PostFormValue("scope")), "openid"),
	}
	if r.PostFormValue("acr_values") == "pwd" {
		d.grant.acr = "pwd"
	}
	name, err := s.devices.put(d, deviceLife)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, "temporarily_unavailable")
		return
	}
	reply(w, http.StatusOK, map[string]any{
		"device_code": name, "user_code": d.user, "verification_uri": s.issuer + "/device",
		"verification_uri_complete": s.issuer + "/device?" + url.Values{"user_code": {d.user}}.Encode(),
		"expires_in":                int(deviceLife.Seconds()), "interval": int(pollPause.Seconds()),
	})
}

// serveDevicePage asks for the code, then who is there. It shows the code even
// if the link carried it: the person must compare it with the other screen.
func (s *Server) serveDevicePage(w http.ResponseWriter, r *http.Request) {
	user := cleanCode(r.URL.Query().Get("user_code"))
	if user == "" {
		codePage(w)
		return
	}
	name, ok := s.waiting(user)
	if !ok {
		failPage(w, "This code is not known, or its time is over.")
		return
	}
	acr := ""
	s.devices.edit(name, func(d *device, _ bool) bool { acr = d.grant.acr; return true })
	signInPage(w, page{Action: "/device", Request: user, Client: CLI, Code: user, ACR: acr})
}

// serveDeviceSignIn is the click, or the refusal.
func (s *Server) serveDeviceSignIn(w http.ResponseWriter, r *http.Request) {
	name, ok := s.waiting(cleanCode(r.PostFormValue("request")))
	p, known := person(r.PostFormValue("person"))
	done := false
	s.devices.edit(name, func(d *device, expired bool) bool {
		if ok && !expired && !d.answered { // two clicks: the first one counts
			d.answered, done = true, true
			d.grant.at = s.now()
			if known {
				d.grant.person = p.Name
			}
		}
		return true
	})
	switch {
	case !done:
		failPage(w, "This code is not known, or its time is over.")
	case known:
		donePage(w, "Signed in. Go back to the terminal.")
	default:
		donePage(w, "Refused. Nobody was signed in.")
	}
}

// waiting is the sign-in that a user code stands for.
func (s *Server) waiting(user string) (string, bool) {
	return s.devices.find(func(d *device) bool { return d.user == user && !d.answered })
}

// poll answers a device that waits (RFC 8628, section 3.5).
func (s *Server) poll(client string, r *http.Request) (grant, string) {
	var g grant
	problem := "invalid_grant"
	s.devices.edit(r.PostFormValue("device_code"), func(d *device, expired bool) (keep bool) {
		switch now := s.now(); {
		case client != d.grant.client:
			return true
		case expired:
			problem = "expired_token"
			return false
		case !d.polled.IsZero() && now.Sub(d.polled) < d.pause:
			d.polled, d.pause, problem = now, d.pause+slowDown, "slow_down"
			return true
		case !d.answered:
			d.polled, problem = now, "authorization_pending"
			return true
		case d.grant.person == "":
			problem = "access_denied"
			return false
		case d.challenge != "" && !proves(r.PostFormValue("code_verifier"), d.challenge):
			return false
		}
		g, problem = d.grant, ""
		return false
	})
	return g, problem
}

// userCode has 34 bits, enough for ten minutes on one machine.
func userCode() string {
	letters := make([]byte, 0, 9)
	for len(letters) < 9 {
		if len(letters) == 4 {
			letters = append(letters, '-')
		}
		var b [1]byte
		_, _ = rand.Read(b[:]) // never fails
		if int(b[0]) < 240 {   // 12 times 20: no letter is likelier
			letters = append(letters, userLetters[int(b[0])%len(userLetters)])
		}
	}
	return string(letters)
}

// cleanCode forgives lower case, spaces and a missing dash.
func cleanCode(text string) string {
	var out []byte
	for _, c := range []byte(strings.ToUpper(text)) {
		if strings.IndexByte(userLetters, c) >= 0 {
			out = append(out, c)
		}
	}
	if len(out) != 8 {
		return ""
	}
	return string(out[:4]) + "-" + string(out[4:])
}
