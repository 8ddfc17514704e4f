package waiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/custodyhq/custody/security"
)

// The bounds of a waiver.
const (
	MaxTexts   = 64                   // of one release
	MaxRelease = 366 * 24 * time.Hour // from the making to the end
	MaxObserve = 30 * 24 * time.Hour
)

// A Mode is what the firewall does with what it finds.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Observe Mode = "observe" // it only notes
)

// ErrWaiver is returned for a statement that is not a waiver of ours.
var ErrWaiver = errors.New("not a waiver that we signed")

// A Release lets certain texts pass until its end. It does nothing in runs of
// the person who made it: two people are needed.
type Release struct {
	V      int      `json:"v"`
	What   string   `json:"what"`
	ID     string   `json:"id"` // rel_…
	Tenant string   `json:"tenant"`
	Texts  []string `json:"texts"` // keyed fingerprints, vault.Keyring.Fingerprint
	By     string   `json:"by"`    // subj_…
	AtUS   int64    `json:"at_us"` // microseconds since 1970
	Until  int64    `json:"until_us"`
}

// An Order sets the mode of the firewall for a tenant. One to observe ends by
// itself.
type Order struct {
	V      int    `json:"v"`
	What   string `json:"what"`
	ID     string `json:"id"` // mod_…
	Tenant string `json:"tenant"`
	Mode   Mode   `json:"mode"`
	By     string `json:"by"`       // subj_…
	AtUS   int64  `json:"at_us"`    // microseconds since 1970
	Until  int64  `json:"until_us"` // 0 only to enforce
}

// What keeps one sort of statement from passing for the other.
const (
	whatRelease = "release"
	whatOrder   = "order"
)

// Sign makes a statement of the release.
func (r Release) Sign(keys *security.Keys) (security.Signed, error) {
	r.V, r.What = 1, whatRelease
	return sign(keys, r)
}

// Sign makes a statement of the order.
func (o Order) Sign(keys *security.Keys) (security.Signed, error) {
	o.V, o.What = 1, whatOrder
	return sign(keys, o)
}

func sign(keys *security.Keys, v any) (security.Signed, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return security.Signed{}, err
	}
	return keys.Sign(security.ForWaiver, body), nil
}

// OpenRelease returns the release if we signed it for this tenant.
func OpenRelease(keys *security.Keys, s security.Signed, tenant string) (Release, error) {
	var r Release
	if err := open(keys, s, &r); err != nil {
		return Release{}, err
	}
	if r.V != 1 || r.What != whatRelease || r.Tenant != tenant {
		return Release{}, fmt.Errorf("%w: it is about something else", ErrWaiver)
	}
	return r, nil
}

// OpenOrder returns the order if we signed it for this tenant.
func OpenOrder(keys *security.Keys, s security.Signed, tenant string) (Order, error) {
	var o Order
	if err := open(keys, s, &o); err != nil {
		return Order{}, err
	}
	if o.V != 1 || o.What != whatOrder || o.Tenant != tenant {
		return Order{}, fmt.Errorf("%w: it is about something else", ErrWaiver)
	}
	return o, nil
}

func open(keys *security.Keys, s security.Signed, into any) error {
	if err := keys.Verify(security.ForWaiver, s); err != nil {
		return fmt.Errorf("%w: %w", ErrWaiver, err)
	}
	if json.Unmarshal(s.Body, into) != nil {
		return fmt.Errorf("%w: unreadable", ErrWaiver)
	}
	return nil
}

// Pardons reports whether the release lets a text with one of these
// fingerprints pass now, in a run of this caller. Nobody pardons themselves.
func (r Release) Pardons(fingerprints []string, caller string, now time.Time) bool {
	return caller != "" && r.By != caller && now.UnixMicro() < r.Until && r.Names(fingerprints)
}

// Names reports whether the release is about a text with one of these
// fingerprints.
func (r Release) Names(fingerprints []string) bool {
	return slices.ContainsFunc(fingerprints, func(f string) bool { return slices.Contains(r.Texts, f) })
}

// Holds reports whether the firewall only observes by this order now.
func (o Order) Holds(now time.Time) bool { return o.Mode == Observe && now.UnixMicro() < o.Until }
