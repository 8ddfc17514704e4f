package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/security/waiver"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow/engine"
)

// A Mode is what the firewall does with what it finds.
type Mode struct {
	Mode    string         `json:"mode" enum:"enforce,observe" doc:"observe: what would stop a text is only noted"`
	Until   *string        `json:"until" format:"date-time" doc:"it enforces again from then on; null: it enforces"`
	Source  string         `json:"source" enum:"default,order,config" doc:"order: the role security ordered it; config: the server's configuration does"`
	Order   *string        `json:"order" doc:"mod_…, as the findings that it pardoned name it"`
	By      string         `json:"by,omitempty" doc:"subj_…"`
	Reason  string         `json:"reason,omitempty"`
	Since   *string        `json:"since" format:"date-time"`
	Receipt *store.Receipt `json:"receipt,omitempty" doc:"only in the answer to an order"`
}

// NewMode orders what the firewall does.
type NewMode struct {
	Mode   string     `json:"mode" enum:"enforce,observe"`
	Until  *time.Time `json:"until,omitempty" format:"date-time" doc:"needed to observe, at most 30 days ahead; not taken to enforce"`
	Reason string     `json:"reason" minLength:"1" maxLength:"500" pattern:"^[^\\x00]*[^\\x00\\s][^\\x00]*$" doc:"for people; kept beside the order, not in the ledger"`
}

func (a *API) modeRoutes() {
	register(a, operation{
		method: http.MethodGet, path: "/v1/guard/mode", id: "getGuardMode", who: action(policy.ModeRead),
		summary: "Whether the firewall enforces or only observes",
	}, a.getMode)
	register(a, operation{
		method: http.MethodPut, path: "/v1/guard/mode", id: "setGuardMode", who: action(policy.ModeWrite),
		summary: "Let the firewall only observe for a while, or enforce again",
	}, a.setMode)
}

func showMode(m engine.Mode) Mode {
	out := Mode{Mode: string(m.Mode), Source: "default"}
	if !m.Until.IsZero() {
		out.Until = stampOf(m.Until.UnixMicro())
	}
	switch {
	case m.Config:
		out.Source = "config"
	case !m.Order.ID.IsZero():
		order := m.Order.ID.Name("mod")
		out.Source, out.Order, out.By, out.Reason, out.Since = "order", &order, m.Order.By, m.Order.Reason, stampOf(m.Order.AtUS)
	}
	return out
}

// modeOut is the mode. Its ETag changes with every order and when one ends.
type modeOut struct {
	Status int
	ETag   string `header:"ETag"`
	Body   *Mode
}

func newModeOut(m engine.Mode) *modeOut {
	body := showMode(m)
	tag := body.Source + "-" + body.Mode
	if body.Order != nil {
		tag += "-" + *body.Order
	}
	return &modeOut{http.StatusOK, quoted(tag), &body}
}

func (a *API) getMode(ctx context.Context, c caller, in *struct {
	None string `header:"If-None-Match"`
},
) (*modeOut, error) {
	if err := a.allow(ctx, c, policy.ModeRead, policy.Target{Tenant: c.Tenant}, "guard mode"); err != nil {
		return nil, err
	}
	m, err := a.cfg.Engine.Mode(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	out := newModeOut(m)
	if in.None != "" && matches(in.None, out.ETag) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

// fitsMode holds the mode against If-Match, which may be empty.
func (a *API) fitsMode(ctx context.Context, tenant, match string) error {
	if match == "" {
		return nil
	}
	m, err := a.cfg.Engine.Mode(ctx, tenant)
	if err == nil && !matches(match, newModeOut(m).ETag) {
		return newProblem(http.StatusPreconditionFailed, "precondition-failed", "the mode is another by now: read it again")
	}
	return err
}

func (a *API) setMode(ctx context.Context, c caller, in *struct {
	Rehearsal
	Match string `header:"If-Match" doc:"the ETag of the mode that is thought to hold"`
	Body  NewMode
},
) (*modeOut, error) {
	if err := a.allow(ctx, c, policy.ModeWrite, policy.Target{Tenant: c.Tenant}, "guard mode"); err != nil {
		return nil, err
	}
	if err := a.stepUp(ctx, c, "guard mode"); err != nil {
		return nil, err
	}
	n := engine.NewMode{Mode: waiver.Mode(in.Body.Mode), Reason: in.Body.Reason, Request: c.request, DryRun: in.DryRun}
	if in.Body.Until != nil {
		n.Until = *in.Body.Until
	}
	if n.Mode == waiver.Enforce && in.Body.Until != nil {
		return nil, invalid("/until", "it enforces without an end: leave this out")
	}
	if err := a.fitsMode(ctx, c.Tenant, in.Match); err != nil {
		return nil, err
	}
	m, receipt, err := a.cfg.Engine.SetMode(ctx, c.Principal, n)
	switch {
	case errors.Is(err, engine.ErrUntil):
		return nil, invalid("/until", "to observe, an end in the future is needed, at most 30 days ahead")
	case err != nil:
		return nil, a.refusal(ctx, c, err, "guard mode")
	}
	out := newModeOut(m)
	if receipt.Stream != "" {
		out.Body.Receipt = &receipt
	}
	return out, nil
}
