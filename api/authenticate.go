package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/oidc"
)

// authenticating lets nobody past without a token, except to the public paths
// and to paths outside /v1 that do not exist (/metrics does). It comes before routing, so that
// an unknown id, a malformed body or a wrong method is a 401 as well.
func (a *API) authenticating(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case a.public[path]:
			next.ServeHTTP(w, r)
			return
		case path != "/v1" && !strings.HasPrefix(path, "/v1/") && path != metricsPath:
			a.notFound(w, r) // whatever the router would make of such a path
			return
		}
		x := exchangeOf(r.Context())
		who, err := a.verify(r.Context(), r.Header.Values("Authorization"), x.id)
		a.cfg.Observer.SignedIn(reason(err))
		if err != nil {
			writeProblem(w, r, a.problemOf(r.Context(), x, err))
			return
		}
		x.who = who
		next.ServeHTTP(w, r)
	})
}

// errNoToken means that nothing was sent that could be a token.
var errNoToken = errors.New("no bearer token was sent")

// verify returns whom the request speaks for.
func (a *API) verify(ctx context.Context, headers []string, request string) (security.Principal, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	raw, err := bearer(headers)
	if err != nil {
		return security.Principal{}, err
	}
	who, err := a.cfg.Verifier.Verify(ctx, raw)
	if err != nil {
		return security.Principal{}, a.rejected(ctx, err, request)
	}
	revoked, err := a.cfg.Store.Revoked(ctx, who.Tenant, who.RevocationKeys(), who.Began())
	if err != nil {
		return security.Principal{}, unavailable()
	}
	if len(revoked) > 0 {
		return security.Principal{}, a.rejected(ctx, &oidc.TokenError{Code: "revoked", Description: "the caller, the session or the token was revoked"}, request)
	}
	return who, nil
}

// bearer finds the token (RFC 6750, section 2.1; the scheme's name is of any
// case, RFC 9110, section 11.1).
func bearer(headers []string) (string, error) {
	if len(headers) == 0 {
		return "", errNoToken
	}
	if len(headers) > 1 {
		return "", &oidc.TokenError{Code: "shape", Description: "more than one Authorization header was sent"}
	}
	name, token, ok := strings.Cut(headers[0], " ")
	token = strings.Trim(token, " ")
	if !ok || token == "" || !strings.EqualFold(name, "Bearer") {
		return "", errNoToken
	}
	return token, nil
}

// rejected notes a token that was refused in the ledger: one entry in ten
// seconds for each reason, because anybody can send bad tokens and nothing is
// ever deleted there.
func (a *API) rejected(ctx context.Context, err error, request string) error {
	refused := (*oidc.TokenError)(nil)
	if !errors.As(err, &refused) || !a.failed.first(refused.Code) {
		return err
	}
	_, failed := a.cfg.Store.Record(ctx, audit.Fact{
		Action: audit.AuthDenied, Outcome: "denied", Tenant: "main", Code: refused.Code, Request: request,
	})
	if failed != nil { // it stays a refusal, and is noted the next time
		a.failed.forget(refused.Code)
	}
	return err
}

// challenge is the WWW-Authenticate header (RFC 6750, section 3; RFC 9470;
// RFC 9728, section 5.1).
func (a *API) challenge(more string) http.Header {
	c := `Bearer realm="custody", resource_metadata="` + a.cfg.URL + metadataPath + `"`
	return http.Header{"Www-Authenticate": {c + more}}
}
