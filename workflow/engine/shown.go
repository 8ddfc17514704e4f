package engine

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/workflow"
)

// A part is one thing that voters see.
type part struct {
	name    string
	content []byte
}

// shown binds what an approval shows. An object of expressions is shown part
// by part under its names, anything else as one part called "shown".
func (d *driver) shown(step int) ([]part, error) {
	bound, err := d.def.Bind(step, d.values)
	if err != nil {
		return nil, err
	}
	with, ok := bound.With.(map[string]any)
	if !ok {
		return nil, errors.New("nothing to show")
	}
	tree, ok := with["show"].(map[string]any)
	if !ok {
		tree = map[string]any{"shown": with["show"]}
	}
	var parts []part
	for name, v := range tree {
		value, err := workflow.Bound{With: v, Params: bound.Params}.Resolve()
		if err != nil {
			return nil, err
		}
		content, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{name, content})
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return parts, nil
}

func shownKind(step string) string { return "shown:" + step }

// sameShown compares what the voters saw with what the steps below will use.
func (d *driver) sameShown(step int, doc approval.Document, found shelf) error {
	shown, err := d.shown(step)
	if err != nil {
		return err
	}
	if len(shown) != len(doc.Shown) {
		return errors.New("other things were shown")
	}
	for i, s := range doc.Shown {
		id, err := payloadID(s)
		if err != nil {
			return err
		}
		opened, err := d.key.Open(d.run.Tenant, d.id, id, shownKind(d.def.Steps[step].ID), found.payloads[id].Cipher)
		if err != nil {
			return errUnreadable
		}
		if s.Name != shown[i].name || hex.EncodeToString(opened.Commit[:]) != s.Commit || string(opened.Content) != string(shown[i].content) {
			return errors.New("what was shown is not what would be used now")
		}
	}
	return nil
}
