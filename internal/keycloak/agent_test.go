package keycloak

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"os"
	"time"
)

const program = "agent-summariser"

// An agent is a program with a key of its own.
type agent struct {
	*realm
	key *ecdsa.PrivateKey
}

// agent uses the key that CUSTODY_TEST_KEYCLOAK_AGENT_KEY names, or has the
// realm know a new one for the time of the test.
func (k *realm) agent() *agent {
	k.t.Helper()
	if file := os.Getenv("CUSTODY_TEST_KEYCLOAK_AGENT_KEY"); file != "" {
		raw, err := os.ReadFile(file)
		must(k.t, err)
		block, _ := pem.Decode(raw)
		key, err := x509.ParseECPrivateKey(block.Bytes)
		must(k.t, err)
		return &agent{k, key}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(k.t, err)
	point, err := key.PublicKey.Bytes() // 4, x, y
	must(k.t, err)
	set, err := json.Marshal(object{"keys": []object{{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "agent-1", "x": b64(point[1:33]), "y": b64(point[33:]),
	}}})
	must(k.t, err)
	k.client(program, func(c object) { c["attributes"].(object)["jwks.string"] = string(set) })
	return &agent{k, key}
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// assertion is how the agent proves who it is (RFC 7523, section 2.2).
func (a *agent) assertion() url.Values {
	a.t.Helper()
	now := time.Now().Unix()
	head, err := json.Marshal(object{"alg": "ES256", "typ": "JWT", "kid": "agent-1"})
	must(a.t, err)
	body, err := json.Marshal(object{"iss": program, "sub": program, "aud": a.issuer, "iat": now, "exp": now + 30, "jti": rand.Text()})
	must(a.t, err)
	input := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, a.key, sum[:])
	must(a.t, err)
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {input + "." + b64(signature)},
	}
}

// itself signs in in the agent's own name.
func (a *agent) itself() tokens {
	a.t.Helper()
	form := a.assertion()
	form.Set("grant_type", "client_credentials")
	return a.tokens(form)
}

// actingFor exchanges somebody's token for one in the agent's hands (RFC 8693).
func (a *agent) actingFor(subject string) tokens {
	a.t.Helper()
	form := a.assertion()
	form.Set("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
	form.Set("subject_token", subject)
	form.Set("subject_token_type", "urn:ietf:params:oauth:token-type:access_token")
	form.Set("audience", "custody")
	return a.tokens(form)
}
