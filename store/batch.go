package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/custodyhq/custody/security"
)

// seen is what the first round trip read, and what the changes of this batch
// have made of it so far.
type seen struct {
	now     int64
	locked  map[security.ID]*Locked
	broken  map[security.ID]error // locked rows that cannot be read
	asked   map[security.ID]*Asked
	revoked map[string]int64 // what began until then; 0: everything
	keyed   []*Change        // that have a key, sorted by it
	owner   map[keyName]*keyOwner
}

type keyName struct{ scope, key string }

type keyOwner struct {
	object security.ID
	body   string
	fresh  bool // taken in this transaction, and not used yet
	failed bool // given back: what it was taken for was refused
}

func (k *Key) name() keyName { return keyName{k.Scope, k.Key} }

// lock is the first round trip. The order of its statements matters: keys
// before locks before what the locks protect, and the clock last.
func (c *committer) lock(ctx context.Context, items []*Change) (*seen, error) {
	s := &seen{locked: make(map[security.ID]*Locked, len(items))}
	b := &pgx.Batch{}
	b.Queue("begin")
	s.queueKeys(b, items)
	runs := make([]security.ID, 0, len(items))
	var asks []security.ID
	var keys []string
	for _, ch := range items {
		ch.err, ch.again = nil, false
		if !ch.New {
			runs = append(runs, ch.Run)
		}
		if !ch.Ask.IsZero() {
			asks = append(asks, ch.Ask)
		}
		keys = append(keys, ch.Revoked...)
	}
	if len(runs) > 0 {
		s.queueRuns(b, runs)
	}
	if len(asks) > 0 {
		s.queueAsked(b, asks)
	}
	if len(keys) > 0 {
		s.queueRevoked(b, keys)
	}
	b.Queue(sqlClock).QueryRow(func(r pgx.Row) error { return r.Scan(&s.now) })
	if err := c.conn.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	return s, c.learnLogs(ctx, s)
}

// learnLogs reads the names of the ledgers, if a run belongs to one that
// another process made since they were last read: Append must not have to.
func (c *committer) learnLogs(ctx context.Context, s *seen) error {
	for _, l := range s.locked {
		if c.names(l.Log) == "" {
			return c.db.learnLogs(ctx, c.conn)
		}
	}
	return nil
}

// queueKeys takes the idempotency keys of the batch, in sorted order: else two
// processes with the same two keys deadlock. A key that somebody else is just
// committing makes this wait for them.
func (s *seen) queueKeys(b *pgx.Batch, items []*Change) {
	for _, ch := range items {
		if ch.Key.Key != "" {
			s.keyed = append(s.keyed, ch)
		}
	}
	if len(s.keyed) == 0 {
		return
	}
	slices.SortStableFunc(s.keyed, func(a, b *Change) int {
		return cmp.Or(strings.Compare(a.Key.Scope, b.Key.Scope), strings.Compare(a.Key.Key, b.Key.Key))
	})
	s.owner = make(map[keyName]*keyOwner, len(s.keyed))
	scopes, keys, bodies, objects := keyColumns(s.keyed)
	b.Queue(sqlTakeKeys, scopes, keys, bodies, objects).Query(func(rows pgx.Rows) error {
		var n keyName
		_, err := pgx.ForEachRow(rows, []any{&n.scope, &n.key}, func() error { s.owner[n] = &keyOwner{fresh: true}; return nil })
		return err
	})
	b.Queue(sqlReadKeys, scopes, keys).Query(func(rows pgx.Rows) error {
		var n keyName
		var body []byte
		var object security.ID
		_, err := pgx.ForEachRow(rows, []any{&n.scope, &n.key, &body, (*[16]byte)(&object)}, func() error {
			o := s.owner[n]
			if o == nil {
				o = &keyOwner{}
				s.owner[n] = o
			}
			o.object, o.body = object, string(body)
			return nil
		})
		return err
	})
}

func keyColumns(keyed []*Change) (scopes, keys pgtype.FlatArray[string], bodies pgtype.FlatArray[[]byte], objects pgtype.FlatArray[pgtype.UUID]) {
	return col(keyed, func(ch **Change) string { return (*ch).Key.Scope }), col(keyed, func(ch **Change) string { return (*ch).Key.Key }),
		col(keyed, func(ch **Change) []byte { return (*ch).Key.Body }), col(keyed, func(ch **Change) pgtype.UUID { return uuid((*ch).Key.Object) })
}

// queueRuns locks the runs. A row that cannot be read fails the changes of its
// own run and nobody else's.
func (s *seen) queueRuns(b *pgx.Batch, runs []security.ID) {
	b.Queue(sqlLock, uuids(runs)).Query(func(rows pgx.Rows) error {
		var scanner rowScanner
		for rows.Next() {
			l := &Locked{}
			err := scanner.scan(rows, &l.Run)
			if err != nil && !errors.Is(err, errUnreadable) {
				return err
			}
			if err != nil {
				s.fail(l.ID, err)
			}
			l.Version++ // what it will be when this batch has written it
			s.locked[l.ID] = l
		}
		return rows.Err()
	})
}

func (s *seen) fail(run security.ID, err error) {
	if s.broken == nil {
		s.broken = map[security.ID]error{}
	}
	s.broken[run] = err
}

func (s *seen) queueRevoked(b *pgx.Batch, keys []string) {
	s.revoked = map[string]int64{}
	slices.Sort(keys)
	b.Queue(sqlRevoked, slices.Compact(keys)).Query(func(rows pgx.Rows) error {
		var k string
		var before int64
		_, err := pgx.ForEachRow(rows, []any{&k, &before}, func() error { s.revoked[k] = before; return nil })
		return err
	})
}

// apply runs one change on its locked row. A change that refuses leaves the
// row as it was and gives its key back, so that a corrected request can use it.
func (c *committer) apply(s *seen, w *writes, ch *Change) {
	if ch.Key.Key != "" && !s.mine(ch) {
		return
	}
	l := s.locked[ch.Run]
	if ch.New {
		l = &Locked{New: true}
	}
	if l == nil {
		ch.again = true
		s.release(w, ch)
		return
	}
	l.NowUS, l.revoked, l.logs = s.now, s.revoked, c.names
	l.Asked, l.buf = s.copyOf(ch.Ask), c.buf
	before := l.snapshot()
	if ch.err = s.broken[ch.Run]; ch.err == nil {
		ch.err = safely(ch, l)
	}
	c.buf = l.buf
	if ch.err == nil && l.weight(&before) > maxBatchBytes {
		ch.err = ErrTooLarge
	}
	if ch.err != nil {
		*l = before
		s.release(w, ch)
		return
	}
	s.learn(l, &before)
	s.locked[ch.Run] = l
}

// release gives a key back in the same transaction.
func (s *seen) release(w *writes, ch *Change) {
	if o := s.owner[ch.Key.name()]; o != nil {
		o.failed = true
		w.released = append(w.released, ch.Key)
	}
}

// mine reports whether the change may use its key, and otherwise says why not.
func (s *seen) mine(ch *Change) bool {
	o := s.owner[ch.Key.name()]
	switch {
	case o == nil || o.failed: // its first user gave it back, in this batch or in this instant
		ch.again = true
	case o.body != string(ch.Key.Body):
		ch.err = ErrMismatch
	case o.fresh && o.object == ch.Key.Object:
		o.fresh = false // the same change twice is done once
		return true
	default:
		ch.err = &Replayed{Object: o.object}
	}
	return false
}

// copyOf gives an apply an approval of its own to look at.
func (s *seen) copyOf(ask security.ID) *Asked {
	a := s.asked[ask]
	if a == nil {
		return nil
	}
	c := *a
	c.Votes = slices.Clone(a.Votes)
	return &c
}

// learn shows the votes and decisions of a change to the later changes of this
// batch: they were made under the same lock.
func (s *seen) learn(l, before *Locked) {
	for _, v := range l.votes[len(before.votes):] {
		if a := s.asked[v.Approval]; a != nil {
			a.Votes = append(a.Votes, v)
		}
	}
	for _, d := range l.settled[len(before.settled):] {
		if a := s.asked[d.id]; a != nil {
			a.State = d.state
			if d.used && a.UsedUS == 0 {
				a.UsedUS = d.at
			}
		}
	}
}

// safely keeps one faulty apply from ending the process for everybody.
func safely(ch *Change, l *Locked) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("apply panicked: %v\n%s", r, debug.Stack())
		}
	}()
	return ch.Apply(l)
}
