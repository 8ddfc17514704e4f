package devidp

import (
	"crypto/subtle"
	"net/http"
	"net/url"
)

// The clients of the provider.
const (
	Console = "custody-console" // public: authorization code with PKCE
	CLI     = "custody-cli"     // public: authorization code with PKCE, device authorization
	Agent   = "summariser"      // confidential: client credentials
)

// AgentSecret is the secret of the Agent. It opens nothing but this provider,
// where everybody on the machine may be anybody.
const AgentSecret = "summariser-of-the-development-provider"

// agentRoles are what the Agent may do in its own name.
func agentRoles() []string { return []string{"analyst"} }

// callback is the path of the redirect URI that a client registered.
func callback(client string) string {
	switch client {
	case Console:
		return "/oidc/callback"
	case CLI:
		return "/callback"
	}
	return ""
}

// mayRedirect reports whether the client registered the URI: its path on
// loopback, with any port (RFC 8252, section 7.3).
func mayRedirect(client, uri string) bool {
	u, err := url.Parse(uri)
	path := callback(client)
	if err != nil || path == "" || !loopback(u.Hostname()) {
		return false
	}
	return (u.Scheme == "http" || u.Scheme == "https") && uri == u.Scheme+"://"+u.Host+path
}

// authenticated is the client that sends the request: the Agent with its
// secret (RFC 6749, section 2.3.1), a public client without.
func authenticated(r *http.Request) (client string, ok bool) {
	client, secret, basic := r.BasicAuth()
	if !basic {
		client, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	switch client {
	case Console, CLI:
		return client, secret == ""
	case Agent:
		return client, subtle.ConstantTimeCompare([]byte(secret), []byte(AgentSecret)) == 1
	}
	return "", false
}
