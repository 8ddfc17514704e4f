package engine

import (
	"context"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// A Publication registers a version of a workflow.
type Publication struct {
	Source  []byte // YAML or JSON
	Current bool   // make it the current version
	Request string // Request-Id
	DryRun  bool   // validate only
}

// Published is what came of a publication.
type Published struct {
	Definition *workflow.Definition
	Row        store.Definition
	Created    bool
	Receipt    store.Receipt
}

// Publish parses a definition and registers it under its digest. It may be
// repeated. The error is workflow.Problems for a definition that does not hold.
func (e *Engine) Publish(ctx context.Context, who security.Principal, p Publication) (Published, error) {
	def, err := workflow.Parse(p.Source, e.cfg.Kinds)
	if err != nil {
		return Published{}, err
	}
	out := Published{Definition: def}
	if p.DryRun {
		return out, nil
	}
	if out.Receipt, err = e.db.Record(ctx, audit.Fact{
		Action: audit.WorkflowRegistered, Outcome: "ok", Tenant: who.Tenant, Actor: who.ID, ActorKind: string(who.Kind), Client: who.Client,
		Workflow: def.Digest(), Name: def.Name, Request: p.Request, Build: e.cfg.Build,
	}); err != nil {
		return Published{}, err
	}
	out.Created, err = e.db.Register(ctx, store.Definition{
		Tenant: who.Tenant, Name: def.Name, Digest: def.Digest(), Source: string(p.Source), Title: def.Description, Author: who.ID,
	}, p.Current)
	if err != nil {
		return Published{}, err
	}
	out.Row, err = e.db.Definition(ctx, who.Tenant, def.Name, def.Digest())
	return out, err
}

// Definition returns a registered version, parsed and as stored; the current
// one if digest is empty. Its errors are store.ErrNotFound and ErrKinds.
func (e *Engine) Definition(ctx context.Context, tenant, name, digest string) (*workflow.Definition, store.Definition, error) {
	def, row, err := e.defs.get(ctx, tenant, name, digest)
	if err != nil || row.Source != "" {
		return def, row, err
	}
	row, err = e.db.Definition(ctx, tenant, name, digest)
	return def, row, err
}
