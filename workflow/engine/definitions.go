package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// ErrKinds is returned for a definition that needs a kind of step, or a
// version of one, that this process does not have.
var ErrKinds = errors.New("this process lacks a kind of step that the workflow needs")

// maxDefinitions bounds the cache. A definition is immutable, so what falls out
// is only parsed again.
const maxDefinitions = 1000

// definitions keeps parsed definitions by tenant, name and digest.
type definitions struct {
	engine *Engine
	parse  sync.Mutex // one at a time: many submissions of a new version ask together
	mu     sync.Mutex
	known  map[[3]string]*workflow.Definition
}

// get returns a registered version, the current one if digest is empty.
func (c *definitions) get(ctx context.Context, tenant, name, digest string) (*workflow.Definition, store.Definition, error) {
	if digest == "" {
		var err error
		if digest, err = c.engine.db.Current(ctx, tenant, name); err != nil {
			return nil, store.Definition{}, err
		}
	}
	if d := c.cached(tenant, name, digest); d != nil {
		return d, store.Definition{Tenant: tenant, Name: name, Digest: digest}, nil
	}
	c.parse.Lock()
	defer c.parse.Unlock()
	if d := c.cached(tenant, name, digest); d != nil {
		return d, store.Definition{Tenant: tenant, Name: name, Digest: digest}, nil
	}
	row, err := c.engine.db.Definition(ctx, tenant, name, digest)
	if err != nil {
		return nil, row, err
	}
	d, err := workflow.Parse([]byte(row.Source), c.engine.cfg.Kinds)
	if err != nil || d.Digest() != row.Digest {
		return nil, row, fmt.Errorf("%w: %s at %s", ErrKinds, name, row.Digest)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxDefinitions || c.known == nil {
		c.known = map[[3]string]*workflow.Definition{}
	}
	c.known[[3]string{tenant, name, row.Digest}] = d
	return d, row, nil
}

func (c *definitions) cached(tenant, name, digest string) *workflow.Definition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[[3]string{tenant, name, digest}]
}
