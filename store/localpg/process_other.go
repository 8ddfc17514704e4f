//go:build !linux && !darwin

package localpg

import (
	"context"
	"errors"
)

// errSystem is what the starter says where it has never run.
var errSystem = errors.New("localpg: starting a PostgreSQL is not supported on this system: install one and set CUSTODY_DATABASE_URL")

// A folder is never made here.
type folder struct{}

func (*folder) leave(context.Context) error { return nil }

func openLocal(context.Context, settings) (*Server, error) { return nil, errSystem }
