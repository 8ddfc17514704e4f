package engine

import (
	"context"
	"strconv"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// A Publication registers a version of a workflow.
type Publication struct {
	Source  []byte // YAML or JSON
	Current bool   // make it the current version
	Key     string // Idempotency-Key; empty: none
	Request string // Request-Id
	DryRun  bool   // validate only
}

// Published is what came of a publication.
type Published struct {
	Definition *workflow.Definition
	Row        store.Definition
	Created    bool          // this publication, or the first one under its key, made the version
	Replayed   bool          // an earlier publication under the same key did it
	Receipt    store.Receipt // zero if replayed
}

// Publish parses a definition and registers it under its digest. It may be
// repeated; under the same key it does nothing again. The error is
// workflow.Problems for a definition that does not hold, and store.ErrMismatch
// for a key that was used with something else.
func (e *Engine) Publish(ctx context.Context, who security.Principal, p Publication) (Published, error) {
	def, err := workflow.Parse(p.Source, e.cfg.Kinds)
	if err != nil {
		return Published{}, err
	}
	out := Published{Definition: def}
	if p.DryRun {
		return out, nil
	}
	key := store.Key{
		Scope: who.Tenant + "/" + who.ID, Key: p.Key, Object: security.NewID(),
		Body: digestOf("publish", string(p.Source), strconv.FormatBool(p.Current)),
	}
	if err = e.db.Done(ctx, key); err == nil {
		err = e.register(ctx, who, p, key, &out)
	}
	if replay, ok := errorAs[*store.Replayed](err); ok {
		out.Replayed, out.Created, out.Receipt, err = true, replay.Object != security.ID{}, store.Receipt{}, nil
	}
	if err != nil {
		return Published{}, err
	}
	out.Row, err = e.db.Definition(ctx, who.Tenant, def.Name, def.Digest())
	return out, err
}

// register writes the entry, then the version: a crash in between leaves an
// entry about a version that the same request will register.
func (e *Engine) register(ctx context.Context, who security.Principal, p Publication, key store.Key, out *Published) (err error) {
	def := out.Definition
	if out.Receipt, err = e.db.Record(ctx, audit.Fact{
		Action: audit.WorkflowRegistered, Outcome: "ok", Tenant: who.Tenant, Actor: who.ID, ActorKind: string(who.Kind), Client: who.Client,
		Workflow: def.Digest(), Name: def.Name, Request: p.Request, Build: e.cfg.Build,
	}); err != nil {
		return err
	}
	out.Created, err = e.db.RegisterOnce(ctx, store.Definition{
		Tenant: who.Tenant, Name: def.Name, Digest: def.Digest(), Source: string(p.Source), Title: def.Description, Author: who.ID,
	}, p.Current, key)
	return err
}

// Definition returns a registered version, parsed and as stored; the current
// one if digest is empty. Its errors are store.ErrNotFound and ErrKinds.
func (e *Engine) Definition(ctx context.Context, tenant, name, digest string) (*workflow.Definition, store.Definition, error) {
	def, row, err := e.defs.get(ctx, tenant, name, digest)
	if err != nil || row.Source != "" {
		return def, row, err
	}
	row, err = e.db.Definition(ctx, tenant, name, def.Digest())
	return def, row, err
}
