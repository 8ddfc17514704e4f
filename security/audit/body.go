package audit

import (
	"errors"
	"fmt"

	"github.com/custodyhq/custody/security"
)

// A Body is what an entry says: the Fact, when it happened, and the version of
// the format.
type Body struct {
	V    int
	AtUS int64 // microseconds since 1970
	Fact
}

// ErrBody is returned for a body that is not canonical or lacks a field that
// every entry has. Its message names the byte, never the content.
var ErrBody = errors.New("not an entry's body in its canonical form")

// required are the fields that every body has, one bit each.
var required = [...]string{"action", "at_us", "attempt", "call", "key", "outcome", "run", "step", "v"}

// ParseBody reads a canonical body. There is one text for one meaning: white
// space, another order of keys, a key twice, another escape, a float or a
// literal is ErrBody. Fields that this version does not know must be canonical
// and are passed over, so that a later version can add some.
func ParseBody(body string) (Body, error) {
	var b Body
	var seen uint
	r := reader{text: body}
	r.object(func(key string) {
		for i, name := range required {
			if name == key {
				seen |= 1 << i
			}
		}
		b.field(&r, key)
	})
	if r.at != len(body) {
		r.fail()
	}
	switch {
	case r.failed:
		return Body{}, fmt.Errorf("%w: byte %d", ErrBody, r.at)
	case seen != 1<<len(required)-1:
		return Body{}, fmt.Errorf("%w: a field that every entry has is missing", ErrBody)
	case b.V != 1:
		return Body{}, fmt.Errorf("%w: its version is unknown", ErrBody)
	}
	return b, nil
}

// field reads one field of the outermost object.
func (b *Body) field(r *reader, key string) {
	if s := b.text(key); s != nil {
		*s = r.str()
		return
	}
	switch key {
	case "v":
		b.V = int(r.integer())
	case "at_us":
		b.AtUS = r.integer()
	case "attempt":
		b.Attempt = int(r.integer())
	case "status":
		b.Status = int(r.integer())
	case "count":
		b.Count = r.integer()
	case "due_us":
		b.Due = r.integer()
	case "action":
		b.Action = Action(r.str())
	case "act":
		b.Act = r.texts()
	case "approval":
		b.Approval = r.approval()
	case "authn":
		b.Authn = r.authn()
	case "decision":
		b.Decision = r.decision()
	case "findings":
		r.array(func() { b.Findings = append(b.Findings, r.finding()) })
	case "model":
		b.Model = r.model()
	case "payloads":
		r.array(func() { b.Payloads = append(b.Payloads, r.payload()) })
	case "texts":
		b.Texts = r.texts()
	case "unmet":
		b.Unmet = r.texts()
	default:
		r.skip(maxDepth)
	}
}

// text is where a field that is a string belongs, nil for any other.
func (b *Body) text(key string) *string {
	switch key {
	case "actor":
		return &b.Actor
	case "actor_kind":
		return &b.ActorKind
	case "adopted":
		return &b.Adopted
	case "build":
		return &b.Build
	case "call":
		return &b.Call
	case "client":
		return &b.Client
	case "code":
		return &b.Code
	case "item":
		return &b.Item
	case "key":
		return &b.Key
	case "name":
		return &b.Name
	case "outcome":
		return &b.Outcome
	case "reason":
		return &b.Reason
	case "request":
		return &b.Request
	case "retry_of":
		return &b.RetryOf
	case "rubric":
		return &b.Rubric
	case "run":
		return &b.Run
	case "state":
		return &b.State
	case "step":
		return &b.Step
	case "target":
		return &b.Target
	case "tenant":
		return &b.Tenant
	case "workflow":
		return &b.Workflow
	}
	return nil
}

func (r *reader) approval() *Approval {
	a := new(Approval)
	r.object(func(key string) {
		switch key {
		case "decision":
			a.Decision = r.str()
		case "digest":
			a.Digest = r.str()
		case "id":
			a.ID = r.str()
		case "quorum":
			a.Quorum = int(r.integer())
		case "vote":
			a.Vote = r.str()
		case "voters":
			a.Voters = r.texts()
		default:
			r.skip(maxDepth)
		}
	})
	return a
}

func (r *reader) authn() *Authn {
	a := new(Authn)
	r.object(func(key string) {
		switch key {
		case "acr":
			a.ACR = r.str()
		case "amr":
			a.AMR = r.texts()
		case "auth_time":
			a.AuthTime = r.integer()
		case "mandate":
			a.Mandate = r.str()
		case "token_exp":
			a.TokenExp = r.integer()
		default:
			r.skip(maxDepth)
		}
	})
	return a
}

func (r *reader) decision() *Decision {
	d := new(Decision)
	r.object(func(key string) {
		switch key {
		case "effect":
			d.Effect = r.str()
		case "missing":
			d.Missing = r.texts()
		case "policies":
			d.Policies = r.texts()
		default:
			r.skip(maxDepth)
		}
	})
	return d
}

func (r *reader) finding() (f security.Finding) {
	r.object(func(key string) {
		switch key {
		case "action":
			f.Action = r.str()
		case "end":
			f.End = int(r.integer())
		case "evidence":
			r.array(func() { f.Evidence = append(f.Evidence, r.evidence()) })
		case "kind":
			f.Kind = r.str()
		case "pardon":
			f.Pardon = r.str()
		case "path":
			f.Path = r.str()
		case "read":
			f.Read = r.str()
		case "rule":
			f.Rule = r.str()
		case "score":
			f.Score = int(r.integer())
		case "start":
			f.Start = int(r.integer())
		case "text":
			f.Text = r.str()
		default:
			r.skip(maxDepth)
		}
	})
	return f
}

func (r *reader) evidence() (e security.Evidence) {
	r.object(func(key string) {
		switch key {
		case "name":
			e.Name = r.str()
		case "weight":
			e.Weight = int(r.integer())
		default:
			r.skip(maxDepth)
		}
	})
	return e
}

func (r *reader) model() *Model {
	m := new(Model)
	r.object(func(key string) {
		switch key {
		case "finish":
			m.Finish = r.str()
		case "id":
			m.ID = r.str()
		case "microusd":
			m.Micros = r.integer()
		case "model":
			m.Model = r.str()
		case "provider":
			m.Provider = r.str()
		case "response_model":
			m.ResponseModel = r.str()
		case "tokens_in":
			m.In, m.UsageKnown = r.integer(), true
		case "tokens_out":
			m.Out, m.UsageKnown = r.integer(), true
		default:
			r.skip(maxDepth)
		}
	})
	return m
}

func (r *reader) payload() (p Payload) {
	r.object(func(key string) {
		switch key {
		case "bytes":
			p.Bytes = int(r.integer())
		case "commit":
			p.Commit = r.hash()
		case "id":
			p.ID = r.str()
		case "kind":
			p.Kind = r.str()
		case "sealed":
			p.Sum = r.hash()
		default:
			r.skip(maxDepth)
		}
	})
	return p
}
