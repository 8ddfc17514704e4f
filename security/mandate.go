package security

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Mandate is what a run may do in somebody's name: their verified identity,
// bound to one run of one workflow version on one input, until it expires. It
// is signed by Custody and stored beside the run; the bearer token is not.
type Mandate struct {
	V        int      `json:"v"`
	Tenant   string   `json:"tenant"`
	Run      string   `json:"run"`      // run_…
	Workflow string   `json:"workflow"` // sha256:… of the definition
	Input    string   `json:"input"`    // hex of the input's commitment
	ID       string   `json:"subject"`  // subj_…
	Kind     Kind     `json:"kind"`
	Issuer   string   `json:"issuer"`
	Client   string   `json:"client"`
	Session  string   `json:"session,omitempty"` // fingerprint, not the sid
	TokenID  string   `json:"token,omitempty"`   // fingerprint, not the jti
	Roles    []string `json:"roles"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	Act      []string `json:"act,omitempty"`
	AuthTime int64    `json:"auth_time,omitempty"` // seconds since 1970
	TakenAt  int64    `json:"taken_at"`
	Expires  int64    `json:"expires"`
}

// ErrMandate is returned for a mandate that is not ours, not of this run, or
// not readable. Its message says which, without content.
var ErrMandate = errors.New("mandate does not hold")

// NewMandate binds the caller to a run until the given time.
func NewMandate(p Principal, run ID, workflow, input string, now, expires time.Time) Mandate {
	m := Mandate{
		V: 1, Tenant: p.Tenant, Run: run.Name("run"), Workflow: workflow, Input: input,
		ID: p.ID, Kind: p.Kind, Issuer: p.Issuer, Client: p.Client, Roles: p.Roles,
		ACR: p.ACR, AMR: p.AMR, Act: p.Act, TakenAt: now.Unix(), Expires: expires.Unix(),
	}
	if p.Session != "" {
		m.Session = Fingerprint(p.Issuer, p.Session)
	}
	if p.TokenID != "" {
		m.TokenID = Fingerprint(p.Issuer, p.TokenID)
	}
	if !p.AuthTime.IsZero() {
		m.AuthTime = p.AuthTime.Unix()
	}
	return m
}

// RevocationKeys are the names under which the run's right to go on can be
// taken away.
func (m Mandate) RevocationKeys() []string {
	keys := append(parties(m.ID, m.Client, m.Act), "run:"+m.Run)
	if m.Session != "" {
		keys = append(keys, "sid:"+m.Session)
	}
	if m.TokenID != "" {
		keys = append(keys, "jti:"+m.TokenID)
	}
	return keys
}

// Began is when the session began in which the run was submitted, or, where that
// is not known, when it was submitted.
func (m Mandate) Began() time.Time {
	if m.AuthTime == 0 {
		return time.Unix(m.TakenAt, 0)
	}
	return time.Unix(m.AuthTime, 0)
}

// KeyRevocation is the name under which a key of ours can be revoked: what it
// signed does not count any more.
func KeyRevocation(id string) string { return "key:" + id }

// A Signed statement is a text with the id of the key that signed it.
type Signed struct {
	Body []byte
	Key  string
	Sig  []byte
}

// Digest names the statement: SHA-256 of its body, hex.
func (s Signed) Digest() string {
	sum := sha256.Sum256(s.Body)
	return hex.EncodeToString(sum[:])
}

// Keys sign and check Custody's own statements: mandates, votes and waivers. They come
// from the key directory, never from the database. Keys are safe for
// concurrent use and never change.
type Keys struct {
	active string
	sign   ed25519.PrivateKey
	public map[string]ed25519.PublicKey
}

// NewKeys makes Keys that sign with the active key and accept all the public
// ones.
func NewKeys(active string, private ed25519.PrivateKey, public map[string]ed25519.PublicKey) (*Keys, error) {
	pub, ok := private.Public().(ed25519.PublicKey)
	if active == "" || !ok || !pub.Equal(public[active]) {
		return nil, fmt.Errorf("mandate key %q: the private and the public part do not belong together", active)
	}
	return &Keys{active: active, sign: private, public: public}, nil
}

// Active is the id of the key that signs.
func (k *Keys) Active() string { return k.active }

// Has reports whether statements signed by the key can be checked.
func (k *Keys) Has(id string) bool { _, ok := k.public[id]; return ok }

// The purposes of a signature. They are part of what is signed, so a vote can
// never pass for a mandate.
const (
	ForMandate = "custody-mandate/v1\n"
	ForVote    = "custody-vote/v1\n"
	ForWaiver  = "custody-waiver/v1\n"
)

// Sign signs body for one purpose.
func (k *Keys) Sign(purpose string, body []byte) Signed {
	return Signed{Body: body, Key: k.active, Sig: ed25519.Sign(k.sign, append([]byte(purpose), body...))}
}

// Verify reports whether the statement was signed by one of our keys for this
// purpose.
func (k *Keys) Verify(purpose string, s Signed) error {
	pub, ok := k.public[s.Key]
	if !ok {
		return fmt.Errorf("signed with key %q, which this process does not have", s.Key)
	}
	if !ed25519.Verify(pub, append([]byte(purpose), s.Body...), s.Sig) {
		return errors.New("the signature does not match")
	}
	return nil
}

// SignMandate signs a mandate.
func (k *Keys) SignMandate(m Mandate) (Signed, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return Signed{}, err
	}
	return k.Sign(ForMandate, body), nil
}

// OpenMandate returns the mandate if it was signed by us for this run of this
// workflow. It does not look at its expiry: that is asked at every step.
func (k *Keys) OpenMandate(s Signed, tenant string, run ID, workflow string) (Mandate, error) {
	var m Mandate
	if err := k.Verify(ForMandate, s); err != nil {
		return m, fmt.Errorf("%w: %w", ErrMandate, err)
	}
	if err := json.Unmarshal(s.Body, &m); err != nil {
		return Mandate{}, fmt.Errorf("%w: unreadable", ErrMandate)
	}
	switch {
	case m.V != 1:
		return Mandate{}, fmt.Errorf("%w: unknown version", ErrMandate)
	case m.Run != run.Name("run"):
		return Mandate{}, fmt.Errorf("%w: it is of another run", ErrMandate)
	case m.Tenant != tenant:
		return Mandate{}, fmt.Errorf("%w: it is of another tenant", ErrMandate)
	case m.Workflow != workflow:
		return Mandate{}, fmt.Errorf("%w: it is of another workflow version", ErrMandate)
	}
	return m, nil
}
