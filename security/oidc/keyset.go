package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	keysFresh   = 10 * time.Minute // after this the keys are fetched again
	keysUsable  = 24 * time.Hour   // stale keys are used so long while the issuer is down
	fetchPause  = 10 * time.Second // between two attempts, whatever the reason
	fetchLimit  = 5 * time.Second  // for discovery and keys together
	maxDocument = 512 << 10        // bytes of a discovery document or key set
	maxKeys     = 64
	maxTrials   = 8 // keys tried for a token that names none
)

var errSignature = errors.New("no key of the issuer made this signature")

// A keySet holds one issuer's public keys. It fetches when somebody asks and
// has no goroutine of its own beyond a fetch, which ends after fetchLimit. A
// key that the issuer withdraws is gone with the next fetch. It is safe for
// concurrent use.
type keySet struct {
	issuer string
	http   *http.Client
	now    func() time.Time

	mu         sync.Mutex
	uri        string            // jwks_uri; empty: ask discovery first
	keys       []jose.JSONWebKey // replaced as a whole, never changed
	generation int               // counts successful fetches
	fetched    time.Time         // when the last successful fetch began
	tried      time.Time         // when the last fetch began
	failure    error             // of the last fetch
	busy       chan struct{}     // closed when the fetch under way ends; nil: none is
}

// verify returns the payload if one of the issuer's keys signed it:
// errSignature if none did, ErrUnavailable if that cannot be known.
func (s *keySet) verify(ctx context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, algorithms())
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errSignature
	}
	keys, generation, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	if payload, ok := signedBy(jws, keys); ok {
		return payload, nil
	}
	known := knows(keys, jws.Signatures[0].Header.KeyID)
	keys, err = s.newer(ctx, generation)
	if err != nil && known {
		return nil, errSignature // we have the key that it names, and it did not sign
	}
	if err != nil {
		return nil, err
	}
	if payload, ok := signedBy(jws, keys); ok {
		return payload, nil
	}
	return nil, errSignature
}

// current returns the keys, fetched first if there are none or they are old.
func (s *keySet) current(ctx context.Context) ([]jose.JSONWebKey, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.age() >= keysFresh {
		s.uri = "" // the issuer may have moved its keys
		s.fetch(ctx)
		// After one failure nobody waits for the next attempt while stale keys
		// will do: an issuer that hangs must not make every caller hang.
		if s.failure == nil || s.age() >= keysUsable {
			if err := s.wait(ctx); err != nil {
				return nil, 0, err
			}
		}
	}
	if s.age() >= keysUsable {
		return nil, 0, fmt.Errorf("%w: no keys of %s: %w", ErrUnavailable, s.issuer, s.failure)
	}
	return s.keys, s.generation, nil
}

// newer returns keys fetched after the given generation, or nil when the
// issuer was asked too recently to be asked again.
func (s *keySet) newer(ctx context.Context, generation int) ([]jose.JSONWebKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation != generation {
		return s.keys, nil
	}
	s.fetch(ctx)
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	if s.generation != generation {
		return s.keys, nil
	}
	if s.failure != nil {
		return nil, fmt.Errorf("%w: no keys of %s: %w", ErrUnavailable, s.issuer, s.failure)
	}
	return nil, nil
}

// age is that of the keys; those that we never had are older than any.
func (s *keySet) age() time.Duration {
	if s.generation == 0 {
		return keysUsable
	}
	return s.now().Sub(s.fetched)
}

// fetch begins a fetch unless one is under way or the last began too recently.
// The lock is held. The fetch outlives ctx: others wait for it as well.
func (s *keySet) fetch(ctx context.Context) {
	began := s.now()
	if s.busy != nil || !s.tried.IsZero() && began.Sub(s.tried) < fetchPause {
		return
	}
	s.tried, s.busy = began, make(chan struct{})
	go s.run(context.WithoutCancel(ctx), began, s.uri)
}

func (s *keySet) run(ctx context.Context, began time.Time, uri string) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	var err error
	if uri == "" {
		uri, err = s.discover(ctx)
	}
	var keys []jose.JSONWebKey
	if err == nil {
		keys, err = s.download(ctx, uri)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure = err; err != nil {
		s.uri = ""
	} else {
		s.uri, s.keys, s.fetched = uri, keys, began
		s.generation++
	}
	close(s.busy)
	s.busy = nil
}

// wait waits for the fetch under way, if any, without the lock.
func (s *keySet) wait(ctx context.Context) error {
	busy := s.busy
	if busy == nil {
		return nil
	}
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-busy:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for keys of %s: %w", ErrUnavailable, s.issuer, ctx.Err())
	}
}

// discover asks the issuer where its keys are (OpenID Connect Discovery 1.0,
// section 4; the metadata of RFC 8414 has the same members).
func (s *keySet) discover(ctx context.Context) (string, error) {
	var doc struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := s.get(ctx, strings.TrimSuffix(s.issuer, "/")+"/.well-known/openid-configuration", &doc); err != nil {
		return "", fmt.Errorf("discovery document: %w", err)
	}
	if doc.Issuer != s.issuer {
		return "", errors.New("discovery document: it names another issuer than the configuration; both must be the same to the letter")
	}
	if err := validURL(doc.Keys); err != nil {
		return "", fmt.Errorf("discovery document: jwks_uri %w", err)
	}
	if strings.HasPrefix(s.issuer, "https:") && !strings.HasPrefix(doc.Keys, "https:") {
		return "", errors.New("discovery document: jwks_uri must be https")
	}
	return doc.Keys, nil
}

// download fetches the key set (RFC 7517, section 5). Keys that cannot sign for
// us are skipped; an empty set is an issuer that has withdrawn them all.
func (s *keySet) download(ctx context.Context, uri string) ([]jose.JSONWebKey, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := s.get(ctx, uri, &doc); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if doc.Keys == nil || len(doc.Keys) > maxKeys {
		return nil, fmt.Errorf("key set: it must hold a list of at most %d keys", maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, text := range doc.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(text) == nil && (k.Use == "" || k.Use == "sig") && k.IsPublic() {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func (s *keySet) get(ctx context.Context, uri string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the issuer answered with status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return err
	}
	if len(body) > maxDocument {
		return errors.New("it is too large")
	}
	if json.Unmarshal(body, into) != nil {
		return errors.New("it is not the JSON that was expected")
	}
	return nil
}

// knows reports whether a key of that id is in the set.
func knows(keys []jose.JSONWebKey, id string) bool {
	for _, k := range keys {
		if id != "" && k.KeyID == id {
			return true
		}
	}
	return false
}

// signedBy tries the keys that the token may have been signed with.
func signedBy(jws *jose.JSONWebSignature, keys []jose.JSONWebKey) ([]byte, bool) {
	head := jws.Signatures[0].Header
	trials := 0
	for _, k := range keys {
		if head.KeyID != "" && k.KeyID != head.KeyID || !suits(k, head.Algorithm) {
			continue
		}
		if trials++; trials > maxTrials {
			break
		}
		if payload, err := jws.Verify(k.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// suits reports whether the key may be used with the algorithm (RFC 8725,
// section 3.1: an algorithm belongs to its key). Short RSA keys suit none.
func suits(k jose.JSONWebKey, alg string) bool {
	if k.Algorithm != "" && k.Algorithm != alg {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return (alg == string(jose.RS256) || alg == string(jose.PS256)) && key.N.BitLen() >= 2048
	case *ecdsa.PublicKey:
		return alg == string(jose.ES256) && key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return alg == string(jose.EdDSA)
	}
	return false
}

// algorithms are those that a token may be signed with (API, section 9).
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.PS256, jose.EdDSA}
}
