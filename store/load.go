package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
)

// load is a driver's wish to see its run.
type load struct {
	run  security.ID
	done chan loaded
}

type loaded struct {
	Loaded
	err error
}

const (
	maxLoads = 500
	sqlLoad  = `select r.*, m.body, m.key, m.sig, m.kek, m.run_key, m.input, p.cipher
from (select ` + runColumns + ` from run where id = any($1::uuid[])) r
join mandate m on m.run_id = r.id left join payload p on p.run_id = r.id and p.id = m.input`
)

// Load returns a run with what lies beside it. Drivers of this process that
// ask at the same time are served by one statement.
func (db *DB) Load(ctx context.Context, run security.ID) (Loaded, error) {
	l := &load{run: run, done: make(chan loaded, 1)}
	select {
	case db.loads <- l:
	case <-ctx.Done():
		return Loaded{}, ctx.Err()
	case <-db.stop.Done():
		return Loaded{}, ErrClosed
	}
	select {
	case r := <-l.done:
		return r.Loaded, r.err
	case <-ctx.Done():
		return Loaded{}, ctx.Err()
	case <-db.stop.Done():
		return Loaded{}, ErrClosed
	}
}

// loader serves Load on a connection of its own.
func (db *DB) loader(ctx context.Context) {
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx))
		}
	}()
	for {
		wanted := make([]*load, 0, 16)
		select {
		case <-ctx.Done():
			return
		case l := <-db.loads:
			wanted = append(wanted, l)
		}
		for len(wanted) < maxLoads && len(db.loads) > 0 {
			wanted = append(wanted, <-db.loads)
		}
		var err error
		var found map[security.ID]loaded
		for range 2 { // a connection that broke while idle says so only when it is used
			if conn == nil || conn.IsClosed() {
				conn, err = db.dial(ctx, db.batchSettings())
			}
			if err == nil {
				found, err = readLoads(ctx, conn, wanted)
			}
			if err == nil || conn != nil && !conn.IsClosed() {
				break
			}
		}
		for _, l := range wanted {
			r, ok := found[l.run]
			switch {
			case err != nil:
				r = loaded{err: err}
			case !ok:
				r = loaded{err: ErrNotFound}
			}
			l.done <- r
		}
	}
}

// readLoads reads the wanted runs. A row that cannot be read fails for those
// who want that run.
func readLoads(ctx context.Context, conn *pgx.Conn, wanted []*load) (map[security.ID]loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	ids := make([]security.ID, len(wanted))
	for i, l := range wanted {
		ids[i] = l.run
	}
	found := make(map[security.ID]loaded, len(ids))
	rows, err := conn.Query(ctx, sqlLoad, uuids(ids))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var scanner rowScanner
	for rows.Next() {
		var l loaded
		m := &l.Mandate
		l.err = scanner.scan(rows, &l.Run, &m.Signed.Body, &m.Signed.Key, &m.Signed.Sig, &m.Key.Key, &m.Key.Bytes, (*[16]byte)(&m.Input), &l.Input)
		if l.err != nil && !errors.Is(l.err, errUnreadable) {
			return nil, l.err
		}
		found[l.Run.ID] = l
	}
	return found, rows.Err()
}
