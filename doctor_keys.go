package custody

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/custodyhq/custody/store"
)

// keys looks at the directory, and then at what the database names, if it can
// be asked: that it cannot is said beside the database.
func (e *examination) keys(ctx context.Context, s *sheet) {
	dir := cmp.Or(e.cfg.KeyDir, defaultKeyDir)
	keys, err := ReadKeys(dir)
	switch {
	case errors.Is(err, ErrNoKeys):
		s.problem("directory", err.Error(), "set "+EnvKeyDir+" to the directory with this installation's keys, or restore it from its backup; for a new installation `custody migrate up` makes them")
	case err != nil:
		s.problem("directory", err.Error(), "mend that, or restore the directory from its backup")
	default:
		s.well("directory", fmt.Sprintf("%s; %s signs, %s seals", dir, keys.Mandate.Active(), keys.Vault.Active()))
	}
	if !filepath.IsAbs(dir) && e.cfg.Production {
		s.hint("directory", dir+" depends on where the process is started", "set "+EnvKeyDir+" to an absolute path")
	}
	for _, name := range strangers(dir) {
		s.hint("directory", name+" is not a key, and nothing reads it", "move it away: what lies here is backed up and copied as if it were keys")
	}
	if e.cfg.validateDatabase() != nil {
		return
	}
	if c, err := e.condition(ctx); err == nil && c.Whole && len(c.Keys) > 0 {
		inUse(s, dir, keys, c.Keys)
	}
}

// inUse compares the directory with what the database names. keys is nil if the
// directory could not be read.
func inUse(s *sheet, dir string, keys *Keys, named []store.KeyUse) {
	const remedy = "restore the key directory from its backup, or copy that of another machine; without kek keys content stays unreadable"
	if keys == nil {
		s.problem("in use", missing(dir, named).Error(), remedy)
		return
	}
	if !s.tell("in use", keys.lacks(dir, named), remedy) {
		return
	}
	for _, active := range []store.KeyUse{{Kind: mandateKeys, ID: keys.Mandate.Active()}, {Kind: vaultKeys, ID: keys.Vault.Active()}} {
		if !slices.Contains(named, active) {
			s.hint("in use", active.Kind+"/"+active.ID+" is new: no process has used it yet", "copy it to every machine first; then restart the processes one after the other")
		}
	}
}
