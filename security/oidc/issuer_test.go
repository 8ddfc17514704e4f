package oidc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/custodyhq/custody/security/oidc"
)

const audience = "https://custody.example/api"

// An issuer is a provider over real HTTP whose keys, health and clock a test
// can change. It counts what it is asked.
type issuer struct {
	url string

	mu        sync.Mutex
	down      bool
	named     string // what discovery calls the issuer; empty: url
	keys      []jose.JSONWebKey
	body      string // instead of the key set
	discovers int
	fetches   int
	now       time.Time
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	is := &issuer{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	server := httptest.NewServer(is)
	t.Cleanup(server.Close)
	is.url = server.URL
	return is
}

func (is *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	discovery := r.URL.Path == "/.well-known/openid-configuration"
	if discovery {
		is.discovers++
	} else {
		is.fetches++
	}
	switch {
	case is.down:
		http.Error(w, "down", http.StatusBadGateway)
	case discovery:
		name := is.url
		if is.named != "" {
			name = is.named
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": name, "jwks_uri": is.url + "/keys"})
	case is.body != "":
		_, _ = w.Write([]byte(is.body))
	default:
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
		for _, k := range is.keys {
			set.Keys = append(set.Keys, k.Public())
		}
		_ = json.NewEncoder(w).Encode(set)
	}
}

func (is *issuer) set(change func(*issuer)) {
	is.mu.Lock()
	defer is.mu.Unlock()
	change(is)
}

func (is *issuer) fetched() int {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.fetches
}

func (is *issuer) clock() time.Time {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.now
}

func (is *issuer) wait(d time.Duration) { is.set(func(is *issuer) { is.now = is.now.Add(d) }) }

// publish makes the keys the issuer's only ones.
func (is *issuer) publish(keys ...jose.JSONWebKey) {
	is.set(func(is *issuer) { is.keys = keys })
}

// config trusts the issuer for people through console and for the agent bot.
func (is *issuer) config() oidc.Config {
	return oidc.Config{
		Issuers: []oidc.Issuer{{Issuer: is.url, Audience: audience, Clients: []string{"console"}, Agents: []string{"bot"}}},
		Now:     is.clock, Subjects: names{},
	}
}

// verifier trusts the issuer as config does, after the change, if any.
func (is *issuer) verifier(t testing.TB, change func(*oidc.Issuer)) *oidc.Verifier {
	t.Helper()
	c := is.config()
	if change != nil {
		change(&c.Issuers[0])
	}
	v, err := oidc.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// names are Subjects that call everybody by their own name.
type names struct{}

func (names) Subject(_ context.Context, tenant, _, subject string) (string, error) {
	return "subj_" + tenant + "_" + subject, nil
}

type brokenNames struct{}

func (brokenNames) Subject(context.Context, string, string, string) (string, error) {
	return "", errors.New("no database")
}

type noNames struct{}

func (noNames) Subject(context.Context, string, string, string) (string, error) { return "", nil }

type claims = map[string]any

// claims are alice's, good in every respect.
func (is *issuer) claims() claims {
	now := is.clock().Unix()
	return claims{
		"iss": is.url, "aud": audience, "sub": "alice", "client_id": "console", "jti": "j1", "sid": "s1",
		"iat": now, "exp": now + 600, "auth_time": now - 30, "acr": "mfa", "amr": []string{"pwd", "otp"},
		"roles": []string{"analyst"},
	}
}

// with returns the claims changed; a nil value removes one.
func with(base, change claims) claims {
	out := maps.Clone(base)
	for name, v := range change {
		if out[name] = v; v == nil {
			delete(out, name)
		}
	}
	return out
}

// key makes a key that signs with alg.
func key(t testing.TB, alg jose.SignatureAlgorithm, kid string) jose.JSONWebKey {
	t.Helper()
	var private crypto.Signer
	var err error
	switch alg {
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: private, KeyID: kid, Algorithm: string(alg), Use: "sig"}
}

// sign makes a token. The header is at+jwt with the key's id; header adds to
// it, or removes with nil.
func sign(t testing.TB, k jose.JSONWebKey, header, body claims) string {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return signText(t, k, header, string(text))
}

func signText(t testing.TB, k jose.JSONWebKey, header claims, payload string) string {
	t.Helper()
	head := with(claims{"typ": "at+jwt", "alg": k.Algorithm, "kid": k.KeyID}, header)
	text, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	return signRaw(t, k, string(text), payload)
}

// signRaw signs header and payload exactly as they are.
func signRaw(t testing.TB, k jose.JSONWebKey, header, payload string) string {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	signature, err := signature(k, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(signature)
}

// signature is that of RFC 7518, section 3, without asking what a JOSE library
// would allow.
func signature(k jose.JSONWebKey, input []byte) ([]byte, error) {
	hash := crypto.SHA256.New()
	hash.Write(input)
	sum := hash.Sum(nil)
	switch private := k.Key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, sum)
		if err != nil {
			return nil, err
		}
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out, nil
	case ed25519.PrivateKey:
		return ed25519.Sign(private, input), nil
	case *rsa.PrivateKey:
		if k.Algorithm == string(jose.PS256) {
			return rsa.SignPSS(rand.Reader, private, crypto.SHA256, sum, nil)
		}
		return rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, sum)
	}
	return nil, errors.New("no such key")
}
