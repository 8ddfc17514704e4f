package api

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
)

// stepUpAge is how fresh a sign-in must be where only a person may act.
const stepUpAge = 5 * time.Minute

// fingerprintMark begins a session's or a token's fingerprint, to tell it from
// the thing itself.
const fingerprintMark = "fp_"

// A Revocation takes a right away at once, also from runs under way.
type Revocation struct {
	ID        string         `json:"id" doc:"rev_…"`
	Kind      string         `json:"kind" enum:"sub,sid,jti,client,run,key"`
	Value     string         `json:"value" doc:"as it is compared; a session or a token as fp_ and its fingerprint"`
	Reason    string         `json:"reason"`
	By        string         `json:"by" doc:"subj_…, or provider for a back-channel logout"`
	CreatedAt string         `json:"created_at" format:"date-time"`
	Before    *string        `json:"before" format:"date-time" doc:"it concerns only sessions that began until then; null: everything"`
	LiftedAt  *string        `json:"lifted_at" format:"date-time" doc:"null: it is in force"`
	Receipt   *store.Receipt `json:"receipt,omitempty" doc:"only in the answer to a request that caused an entry"`
}

// NewRevocation says what to revoke.
type NewRevocation struct {
	Kind   string `json:"kind" enum:"sub,sid,jti,client,run,key" doc:"a person or program, a session, a token, a client of the provider, a run, a key that signs mandates and votes"`
	Value  string `json:"value" minLength:"1" maxLength:"255" doc:"sub: subj_…; sid, jti: the claim as one's own issuer wrote it, or fp_ and its fingerprint; client: its client id; run: run_…; key: its id"`
	Reason string `json:"reason" minLength:"1" maxLength:"500" pattern:"^[^\\x00]*[^\\x00\\s][^\\x00]*$" doc:"for people; kept beside the revocation, not in the ledger"`
}

func (a *API) revocationRoutes() {
	register(a, operation{
		method: http.MethodGet, path: "/v1/revocations", id: "listRevocations", who: action(policy.RevocationRead),
		summary: "Revocations in force, newest first",
	}, a.listRevocations)
	register(a, operation{
		method: http.MethodPost, path: "/v1/revocations", id: "revoke", who: action(policy.RevocationAdd), status: http.StatusCreated,
		summary: "Take a right away at once, also from runs under way",
	}, a.revoke)
	register(a, operation{
		method: http.MethodDelete, path: "/v1/revocations/{revocation}", id: "liftRevocation", who: action(policy.RevocationLift),
		summary: "Lift a revocation",
	}, a.lift)
}

func showRevocation(r store.Revocation) Revocation {
	kind, value, _ := strings.Cut(r.Key, ":")
	switch kind {
	case "logout":
		kind = "sub"
	case "sid", "jti":
		value = fingerprintMark + value
	}
	return Revocation{
		ID: r.ID.Name("rev"), Kind: kind, Value: value, Reason: r.Reason, By: r.By,
		CreatedAt: stamp(r.AtUS), Before: stampOf(r.BeforeUS), LiftedAt: stampOf(r.LiftedUS),
	}
}

func (a *API) listRevocations(ctx context.Context, c caller, in *struct {
	Paging
	Kind string `query:"kind" enum:"sub,sid,jti,client,run,key" doc:"only of this kind"`
},
) (*output[Revocation], error) {
	if err := a.allow(ctx, c, policy.RevocationRead, policy.Target{Tenant: c.Tenant}, "revocations"); err != nil {
		return nil, err
	}
	filter := filterOf("revocations", in.Kind)
	var before security.ID
	if err := in.place(filter, (*idText)(&before)); err != nil {
		return nil, err
	}
	var kinds []string
	switch in.Kind {
	case "":
	case "sub":
		kinds = []string{"sub", "logout"}
	default:
		kinds = []string{in.Kind}
	}
	rows, err := a.cfg.Store.Revocations(ctx, c.Tenant, kinds, before, in.limit()+1)
	if err != nil {
		return nil, err
	}
	return listed(rows, in.limit(), filter, showRevocation, func(r store.Revocation) any { return idText(r.ID) }), nil
}

// revocationOut is the answer to a revocation.
type revocationOut struct {
	Once
	Status   int
	Location string `header:"Location"`
	Body     Revocation
}

func (a *API) revoke(ctx context.Context, c caller, in *struct {
	Change
	Body NewRevocation
},
) (*revocationOut, error) {
	key, wrong := keyOf(c, in.Body)
	owner, err := a.ownerOf(ctx, c, key)
	if err != nil {
		return nil, err
	}
	if err := a.allow(ctx, c, policy.RevocationAdd, policy.Target{Tenant: c.Tenant, Owner: owner}, "revocations"); err != nil {
		return nil, err
	}
	if err := a.stepUp(ctx, c, "revocations"); err != nil {
		return nil, err
	}
	if wrong == nil {
		wrong, err = a.unknownValue(ctx, c, key)
	}
	if wrong != nil || err != nil {
		return nil, errors.Join(wrong, err)
	}
	r := store.Revocation{Key: key, ID: security.NewID(), Tenant: c.Tenant, By: c.ID, Reason: in.Body.Reason}
	if in.DryRun {
		r.AtUS = time.Now().UnixMicro()
		if there, err := a.cfg.Store.RevocationOf(ctx, c.Tenant, key); err == nil && there.LiftedUS == 0 {
			r = there
		}
		return &revocationOut{Status: http.StatusOK, Body: showRevocation(r)}, nil
	}
	return a.revokeOnce(ctx, c, r, store.Key{
		Scope: c.Tenant + "/" + c.ID, Key: in.Key, Body: asked256("revoke", in.Body.Kind, in.Body.Value, in.Body.Reason), Object: r.ID,
	})
}

// revokeOnce revokes, or answers what the same key did before: the same status,
// and the revocation as it is now.
func (a *API) revokeOnce(ctx context.Context, c caller, r store.Revocation, key store.Key) (*revocationOut, error) {
	made, receipt, isNew, err := a.cfg.Store.RevokeOnce(ctx, r, key, a.fact(c, audit.Fact{}))
	var replay *store.Replayed
	switch {
	case errors.As(err, &replay) && !replay.Object.IsZero():
		made, err = a.cfg.Store.Revocation(ctx, c.Tenant, replay.Object)
		isNew = true
	case replay != nil:
		made, err = a.cfg.Store.RevocationOf(ctx, c.Tenant, r.Key)
	}
	if err != nil {
		return nil, err
	}
	out := &revocationOut{Once: replayedHeader(replay != nil), Status: http.StatusOK, Body: showRevocation(made)}
	if isNew {
		out.Status, out.Location = http.StatusCreated, "/v1/revocations/"+out.Body.ID
	}
	if receipt.Stream != "" {
		out.Body.Receipt = &receipt
	}
	return out, nil
}

// keyOf is the name under which the thing is compared. A fault says what is
// wrong with the value, and never repeats it.
func keyOf(c caller, n NewRevocation) (key string, wrong error) {
	bad := func(detail string) (string, error) { return n.Kind + ":", badValue(detail) }
	switch n.Kind {
	case "sid", "jti":
		return tokenKey(c.Issuer, n)
	case "sub":
		if _, err := security.ParseID("subj", n.Value); err != nil {
			return bad("the id of a person or program is needed: subj_…, as in the ledger")
		}
	case "run":
		if _, err := security.ParseID("run", n.Value); err != nil {
			return bad("the id of a run is needed: run_…")
		}
	default:
		if strings.ContainsFunc(n.Value, isControl) {
			return bad("a name without control characters is needed")
		}
	}
	return n.Kind + ":" + n.Value, nil
}

// tokenKey is keyOf for sessions and tokens, which are compared by their
// fingerprint.
func tokenKey(issuer string, n NewRevocation) (string, error) {
	if fp, marked := strings.CutPrefix(n.Value, fingerprintMark); marked {
		if raw, err := hex.DecodeString(fp); err != nil || len(raw) != 16 || fp != strings.ToLower(fp) {
			return n.Kind + ":", badValue("fp_ is followed by 32 hex digits in lower case")
		}
		return n.Kind + ":" + fp, nil
	}
	return n.Kind + ":" + security.Fingerprint(issuer, n.Value), nil
}

func badValue(detail string) error {
	p := newProblem(http.StatusUnprocessableEntity, "invalid-input", "this cannot be revoked")
	p.Errors = []Fault{{Pointer: "/value", Code: "value", Detail: detail}}
	return p
}

// ownerOf is the caller if the key is a session or a token of theirs: that of
// the present request, or one in which they submitted a run.
func (a *API) ownerOf(ctx context.Context, c caller, key string) (string, error) {
	kind, fp, _ := strings.Cut(key, ":")
	if kind != "sid" && kind != "jti" || fp == "" {
		return "", nil
	}
	if slices.Contains(c.RevocationKeys(), key) {
		return c.ID, nil
	}
	if policy.Do(c.Principal, policy.RevocationAdd, policy.Target{Tenant: c.Tenant}).Allowed() {
		return "", nil
	}
	carried, err := a.cfg.Store.Carried(ctx, c.Tenant, c.ID, kind, fp)
	if carried {
		return c.ID, err
	}
	return "", err
}

// unknownValue refuses a revocation of what is not there: it would give a false
// peace of mind.
func (a *API) unknownValue(ctx context.Context, c caller, key string) (wrong, err error) {
	kind, value, _ := strings.Cut(key, ":")
	known, err := a.cfg.Store.Known(ctx, c.Tenant, kind, value)
	if err == nil && !known {
		return badValue("there is none of this name"), nil
	}
	return nil, err
}

// Removed is the answer to a DELETE.
type Removed struct {
	Receipt *store.Receipt `json:"receipt,omitempty" doc:"the entry that recorded it; absent in a rehearsal"`
}

type removedOut struct{ Body Removed }

func (a *API) lift(ctx context.Context, c caller, in *struct {
	Rehearsal
	Revocation string `path:"revocation" doc:"rev_…"`
},
) (*removedOut, error) {
	if err := a.allow(ctx, c, policy.RevocationLift, policy.Target{Tenant: c.Tenant}, "revocations"); err != nil {
		return nil, err
	}
	if err := a.stepUp(ctx, c, "revocations"); err != nil {
		return nil, err
	}
	id, err := security.ParseID("rev", in.Revocation)
	if err != nil {
		return nil, store.ErrNotFound
	}
	if in.DryRun {
		r, err := a.cfg.Store.Revocation(ctx, c.Tenant, id)
		if err == nil && r.LiftedUS != 0 {
			err = store.ErrNotFound
		}
		return &removedOut{}, err
	}
	receipt, err := a.cfg.Store.Lift(ctx, c.Tenant, id, a.fact(c, audit.Fact{}))
	return &removedOut{Removed{Receipt: &receipt}}, err
}
