package devidp

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"
)

// refreshLife is how long a sign-in can be continued without another token.
const refreshLife = 8 * time.Hour

// A session is a sign-in that its client may continue. Its refresh token
// changes with every use (RFC 9700, section 4.14.2): whoever comes with a used
// one ends the session, because one of two holders must be a thief. Its fields
// but the first change only within shelf.edit.
type session struct {
	grant grant
	token string // the refresh token that is good now
}

// begin keeps the grant and returns its first refresh token. The token is the
// session's name and a secret that changes.
func (s *Server) begin(g grant) (string, error) {
	one := &session{grant: g, token: rand.Text()}
	name, err := s.sessions.put(one, refreshLife)
	if errors.Is(err, errFull) { // a script with --as signs in for every command
		s.sessions.forgetOldest()
		name, err = s.sessions.put(one, refreshLife)
	}
	if err != nil {
		return "", err
	}
	return name + "." + one.token, nil
}

// refresh answers a refresh token (RFC 6749, section 6) with the grant and the
// next one.
func (s *Server) refresh(client string, r *http.Request) (g grant, next, problem string) {
	problem = "invalid_grant"
	name, secret := cutToken(r.PostFormValue("refresh_token"))
	s.sessions.edit(name, func(one *session, expired bool) (keep bool) {
		if one.grant.client != client {
			return true
		}
		if expired || one.token != secret {
			return false
		}
		one.token = rand.Text()
		g, next, problem = one.grant, name+"."+one.token, ""
		return true
	})
	return g, next, problem
}

func cutToken(token string) (name, secret string) {
	name, secret, _ = strings.Cut(token, ".")
	return name, secret
}

// serveRevoke ends a session (RFC 7009). Whoever names a token that is not
// known is answered the same.
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	client, ok := authenticated(r)
	if !ok {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	name, _ := cutToken(r.PostFormValue("token"))
	s.sessions.edit(name, func(one *session, _ bool) (keep bool) { return one.grant.client != client })
	reply(w, http.StatusOK, map[string]any{})
}
