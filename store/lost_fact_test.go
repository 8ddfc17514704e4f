package store

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/custodyhq/custody/security/audit"
)

// A thief of commits breaks the connection of the control streams once, when
// its next COMMIT comes by: before it leaves, or after it was done.
type thief struct{ armed atomic.Int64 }

func (th *thief) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return robbed{noCancel{conn}, th}, err
}

type robbed struct {
	net.Conn
	thief *thief
}

func (r robbed) Write(b []byte) (int, error) {
	if !bytes.Contains(b, []byte("Q\x00\x00\x00\x0bcommit\x00")) {
		return r.Conn.Write(b)
	}
	fault := Fault(r.thief.armed.Swap(int64(NoFault)))
	if fault == NoFault {
		return r.Conn.Write(b)
	}
	if fault == LoseAnswer {
		_, _ = r.Conn.Write(b)
		_, _ = r.Read(make([]byte, 1)) // it was done
	}
	_ = r.Close()
	return 0, errCut
}

// A fact and what it is about are written together or not at all, and whoever
// asks again after an error does not do it twice. That the record and the rows
// beside it agree is verified when the test ends.
func TestALostCommitOfAFactIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	th := &thief{}
	b := open(t, Config{Dial: th.dial})
	for _, d := range []Definition{{Tenant: "main", Name: "w", Digest: "sha256:1", Source: "1"}, {Tenant: "main", Name: "w", Digest: "sha256:2", Source: "2"}} {
		if _, err := b.Register(t.Context(), d, true); err != nil {
			t.Fatal(err)
		}
	}
	const current = `select count(*) from custody.workflow where digest = 'sha256:1'`
	for name, fault := range map[string]Fault{"before it left": LoseRequest, "after it was done": LoseAnswer} {
		r := revocationOfKey("sub:" + name)
		key := Key{Scope: "main/subj_carol", Key: name, Body: []byte("b"), Object: r.ID}
		revoke := func() error {
			_, _, _, err := b.RevokeOnce(t.Context(), r, key, audit.Fact{})
			return err
		}
		lift := func() error { _, err := b.Lift(t.Context(), "main", r.ID, audit.Fact{}); return err }
		choose := func() error {
			_, err := b.Choose(t.Context(), Choice{Tenant: "main", Name: "w", Digest: "sha256:1"}, audit.Fact{})
			return err
		}
		hit := func() error {
			_, err := b.Record(t.Context(), audit.Fact{Action: audit.LimitHit, Outcome: "denied", Tenant: "main", Target: name})
			return err
		}
		replayed := func(err error) bool { return errors.As(err, new(*Replayed)) }
		for _, c := range []struct {
			what  string
			do    func() error
			done  string // how often it is there
			again func(error) bool
		}{
			{"a revocation", revoke, `select count(*) from custody.revocation where id = '` + hexID(r.ID) + `'`, replayed},
			{"a lift", lift, `select count(*) from custody.revocation where lifted_us > 0 and id = '` + hexID(r.ID) + `'`, func(err error) bool { return errors.Is(err, ErrNotFound) }},
			{"a choice", choose, current, func(err error) bool { return err == nil }},
			{"a note of a limit", hit, `select count(*) from custody.entry where body like '%"` + name + `"%limit%' or body like '%limit%"` + name + `"%'`, nil},
		} {
			th.armed.Store(int64(fault))
			if err := c.do(); !errors.Is(err, errCut) {
				t.Fatalf("%s, %s: %v", c.what, name, err)
			}
			want := int64(0)
			if fault == LoseAnswer {
				want = 1
			}
			if got := b.count(c.done); got != want {
				t.Errorf("%s, %s: it is there %d times", c.what, name, got)
			}
			if c.again == nil {
				continue
			}
			if err := c.do(); fault == LoseAnswer && !c.again(err) || fault == LoseRequest && err != nil {
				t.Errorf("%s, %s, once more: %v", c.what, name, err)
			}
			if got := b.count(c.done); got != 1 {
				t.Errorf("%s, %s, once more: it is there %d times", c.what, name, got)
			}
		}
		if _, err := b.Choose(t.Context(), Choice{Tenant: "main", Name: "w", Digest: "sha256:2"}, audit.Fact{}); err != nil {
			t.Fatal(err)
		}
	}
	for action, want := range map[audit.Action]int64{audit.RevocationAdded: 2, audit.RevocationLifted: 2, audit.WorkflowChosen: 5} {
		if got := b.count(`select count(*) from custody.entry where action = $1`, string(action)); got != want {
			t.Errorf("%d entries of %s, want %d", got, action, want)
		}
	}
}
