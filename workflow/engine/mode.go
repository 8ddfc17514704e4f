package engine

import (
	"context"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/waiver"
	"github.com/custodyhq/custody/store"
)

// configOrder names the order that stands in the server's own config.
const configOrder = "config"

// observing begins what a finding says of the order that pardoned it.
const observing = "observe:"

// A Mode is what the firewall does in a tenant now, and who said so.
type Mode struct {
	Mode  waiver.Mode
	Order store.Order // zero: nobody ordered anything, or the server's config did
	Until time.Time   // zero: it has no end
	// Config says that the config of this process orders it. An order to enforce
	// does not end that: whoever runs the server does.
	Config bool
}

// name is how a finding names the order that pardoned it; "" if none did.
func (m Mode) name() string {
	switch {
	case m.Mode != waiver.Observe:
		return ""
	case m.Config:
		return observing + configOrder
	}
	return observing + m.Order.ID.Name("mod")
}

// configured is the mode that this process's own config orders, if it does now.
func (e *Engine) configured(now time.Time) (Mode, bool) {
	return Mode{Mode: waiver.Observe, Until: e.cfg.Observe, Config: true}, e.cfg.Observe.After(now)
}

// Mode says what the firewall does in a tenant. An order whose signature, key or
// entry in the ledger does not hold is none: the firewall enforces.
func (e *Engine) Mode(ctx context.Context, tenant string) (Mode, error) {
	now := time.Now()
	if m, ok := e.configured(now); ok {
		return m, nil
	}
	row, told, err := e.db.LastOrder(ctx, tenant)
	if err != nil || row.ID.IsZero() {
		return Mode{Mode: waiver.Enforce}, err
	}
	said, err := waiver.OpenOrder(e.cfg.Keys, row.Signed, tenant)
	if err != nil || said.ID != row.ID.Name("mod") || !sameOrder(said, told) {
		return Mode{Mode: waiver.Enforce}, nil //nolint:nilerr // somebody wrote it there: it orders nothing
	}
	good, err := e.keyHolds(ctx, tenant, row.Signed, said.AtUS)
	switch {
	case err != nil || !good:
		return Mode{Mode: waiver.Enforce}, err
	case said.Holds(now):
		return Mode{Mode: waiver.Observe, Order: row, Until: time.UnixMicro(said.Until)}, nil
	case said.Mode == waiver.Observe:
		return Mode{Mode: waiver.Enforce}, nil // it has ended: nobody ordered to enforce
	}
	return Mode{Mode: waiver.Enforce, Order: row}, nil
}

// sameOrder compares an order with what the ledger's newest entry tells.
func sameOrder(o waiver.Order, told audit.Body) bool {
	return told.Tenant == o.Tenant && told.Target == o.ID && told.Outcome == string(o.Mode) && told.Due == o.Until && told.Actor == o.By
}

// keyHolds reports whether the key that signed a statement then is not revoked.
func (e *Engine) keyHolds(ctx context.Context, tenant string, s security.Signed, atUS int64) (bool, error) {
	revoked, err := e.db.Revoked(ctx, tenant, []string{security.KeyRevocation(s.Key)}, time.UnixMicro(atUS))
	return len(revoked) == 0, err
}

// A NewMode says what the firewall is to do in the caller's tenant.
type NewMode struct {
	Mode    waiver.Mode
	Until   time.Time // only to observe: it enforces again from then on
	Reason  string
	Request string // Request-Id
	DryRun  bool
}

// SetMode orders that the firewall observes for a while, or that it enforces
// again. Its errors are *Denied, ErrUntil and ErrKeyRevoked.
func (e *Engine) SetMode(ctx context.Context, who security.Principal, n NewMode) (Mode, store.Receipt, error) {
	now := time.Now()
	until := n.Until
	if n.Mode != waiver.Observe {
		n.Mode, until = waiver.Enforce, now.Add(time.Second)
	}
	if err := e.mayWaive(ctx, who, now, until, waiver.MaxObserve); err != nil {
		return Mode{}, store.Receipt{}, err
	}
	row := store.Order{ID: security.NewID(), Tenant: who.Tenant, Mode: string(n.Mode), By: who.ID, Reason: n.Reason, AtUS: now.UnixMicro()}
	out := Mode{Mode: n.Mode}
	if n.Mode == waiver.Observe {
		row.UntilUS, out.Until = until.UnixMicro(), until
	}
	said := waiver.Order{ID: row.ID.Name("mod"), Tenant: who.Tenant, Mode: n.Mode, By: who.ID, AtUS: row.AtUS, Until: row.UntilUS}
	var err error
	if row.Signed, err = said.Sign(e.cfg.Keys); err != nil {
		return Mode{}, store.Receipt{}, err
	}
	if out.Order = row; n.DryRun {
		return out, store.Receipt{}, nil
	}
	receipt, err := e.db.OrderMode(ctx, row, e.saidBy(who, n.Request))
	if m, ok := e.configured(now); ok && err == nil {
		out = m
	}
	return out, receipt, err
}

// observes writes into every tenant's ledger that this process's own config
// lets the firewall only observe. Without that entry it does not start.
func (e *Engine) observes(ctx context.Context) error {
	if !e.cfg.Observe.After(time.Now()) {
		return nil
	}
	tenants, err := e.db.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		_, err := e.db.Record(ctx, audit.Fact{
			Action: audit.GuardModeChanged, Outcome: string(waiver.Observe), Tenant: tenant, Target: configOrder, Due: e.cfg.Observe.UnixMicro(),
			Actor: "custody", ActorKind: string(security.Service), Build: e.cfg.Build,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
