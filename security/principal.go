package security

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// A Kind says what sort of caller a Principal is.
type Kind string

// The kinds of caller. Only a Human can have a second factor or vote.
const (
	Human   Kind = "human"
	Agent   Kind = "agent"   // a program with a token of its own, or acting for a human
	Service Kind = "service" // Custody itself
)

// A Principal is a verified caller, as it was when its token was checked. It
// is passed as an argument, never in a context.
type Principal struct {
	Tenant  string
	ID      string // subj_…: names the person in the ledger and says nothing about them
	Kind    Kind
	Issuer  string // iss
	Subject string // sub, as the issuer says it; never written to the ledger
	Name    string // a name to show, if the token carries one; never written to the ledger
	Client  string // azp or client_id
	Session string // sid, may be empty
	TokenID string // jti
	Roles   []string
	ACR     string   // as mapped by the issuer's config: "mfa", "pwd", or empty
	AMR     []string // sorted; empty for programs
	// Missing names claims that the issuer's config reads and the token lacks.
	Missing  []string
	AuthTime time.Time // zero when the token does not say, and always for programs
	IssuedAt time.Time
	Expires  time.Time
	Act      []string // who acts for this principal, nearest first: client ids
}

// Has reports whether the principal has the role.
func (p Principal) Has(role string) bool { return slices.Contains(p.Roles, role) }

// MFA reports whether a person proved a second factor. Programs never did.
func (p Principal) MFA() bool { return p.Kind == Human && p.ACR == "mfa" }

// FreshWithin reports whether a person signed in at most d before now.
func (p Principal) FreshWithin(d time.Duration, now time.Time) bool {
	if p.Kind != Human || p.AuthTime.IsZero() {
		return false
	}
	age := now.Sub(p.AuthTime)
	return age >= -time.Minute && age <= d // the issuer's clock may be a minute ahead
}

// RevocationKeys are the names under which this caller can be revoked: the
// person, every program on the way, the session and the token. Session and
// token ids appear only as digests. A logout of all of a person's sessions
// concerns those that Began before it.
func (p Principal) RevocationKeys() []string {
	keys := parties(p.ID, p.Client, p.Act)
	if p.Session != "" {
		keys = append(keys, "sid:"+Fingerprint(p.Issuer, p.Session))
	}
	if p.TokenID != "" {
		keys = append(keys, "jti:"+Fingerprint(p.Issuer, p.TokenID))
	}
	return keys
}

// Began is when the caller's session began: when they signed in, or, where the
// token does not say that, when it was issued.
func (p Principal) Began() time.Time {
	if p.AuthTime.IsZero() {
		return p.IssuedAt
	}
	return p.AuthTime
}

// parties are the names of whoever takes part in a call.
func parties(id, client string, act []string) []string {
	keys := []string{"sub:" + id, "logout:" + id, "client:" + client}
	for _, a := range act {
		if a != client {
			keys = append(keys, "client:"+a)
		}
	}
	return keys
}

// Fingerprint is a short digest of an identifier within its issuer, for
// places where the identifier itself must not appear.
func Fingerprint(issuer, id string) string {
	sum := sha256.Sum256([]byte(issuer + "\n" + id))
	return hex.EncodeToString(sum[:16])
}
