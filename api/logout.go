package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/store"
)

const logoutPath = "/oidc/backchannel-logout"

// byProvider is who revokes when a provider says that somebody signed out.
const byProvider = "provider"

func (a *API) logoutRoutes() {
	register(a, operation{
		method: http.MethodPost, path: logoutPath, id: "backchannelLogout", who: whoPublic, status: http.StatusOK,
		summary: "The provider says that somebody signed out (OpenID Connect Back-Channel Logout 1.0)",
	}, a.backchannelLogout)
	a.operation(http.MethodPost, logoutPath).RequestBody.Content["application/x-www-form-urlencoded"].Schema = &huma.Schema{
		Type: huma.TypeObject, Required: []string{"logout_token"},
		Properties: map[string]*huma.Schema{"logout_token": {Type: huma.TypeString, Description: "a signed JWT of type logout+jwt"}},
	}
}

type logoutOut struct {
	Cache string `header:"Cache-Control"`
}

// backchannelLogout revokes the session that has ended, or all sessions of a
// person until now. The token is all the authority there is. It counts once: a
// token that was caught on the way must not end later sessions, too.
func (a *API) backchannelLogout(ctx context.Context, c caller, in *struct {
	Type    string `header:"Content-Type"`
	RawBody []byte `contentType:"application/x-www-form-urlencoded"`
},
) (*logoutOut, error) {
	if mediaOf(in.Type) != "application/x-www-form-urlencoded" {
		return nil, newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type", "the body must be application/x-www-form-urlencoded")
	}
	form, err := url.ParseQuery(string(in.RawBody))
	if err != nil || len(form["logout_token"]) != 1 {
		return nil, newProblem(http.StatusBadRequest, "malformed", "the form must hold one logout_token")
	}
	said, err := a.cfg.Verifier.VerifyLogout(ctx, form.Get("logout_token"))
	if err != nil {
		return nil, badLogout(a.rejected(ctx, err, c.request))
	}
	r := store.Revocation{ID: security.NewID(), Tenant: said.Tenant, By: byProvider, Reason: "signed out at the provider", Key: "logout:" + said.ID, BeforeUS: said.IssuedAt.UnixMicro()}
	if said.Session != "" {
		r.Key, r.BeforeUS = "sid:"+security.Fingerprint(said.Issuer, said.Session), 0
	}
	seen := "jti:" + security.Fingerprint(said.Issuer, said.TokenID)
	_, _, _, err = a.cfg.Store.RevokeOnce(ctx, r, store.Key{Scope: said.Tenant + "/logout", Key: seen, Body: asked256(seen), Object: r.ID},
		audit.Fact{ActorKind: string(security.Service), Code: "backchannel_logout", Request: c.request})
	if replay := (*store.Replayed)(nil); errors.As(err, &replay) {
		err = a.rejected(ctx, &oidc.TokenError{Code: "replay", Description: "the logout token was used before"}, c.request)
		return nil, badLogout(err)
	}
	return &logoutOut{Cache: "no-store"}, err
}

// badLogout is 400 where an access token would be 401 (section 2.8).
func badLogout(err error) error {
	token := (*oidc.TokenError)(nil)
	if errors.As(err, &token) {
		return newProblem(http.StatusBadRequest, "malformed", token.Description)
	}
	return err
}
