package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// resolve finds out what became of a COMMIT that nobody answered. The batch's
// locks may still be held by a backend that has not noticed yet, so it waits
// for them; then either what the batch wrote is there or it never will be.
// Transaction ids are no help: after a crash PostgreSQL hands an unflushed one
// out again.
func (c *committer) resolve(ctx context.Context, w *writes, cause error) error {
	c.lost.Add(1)
	_ = c.conn.Close(ctx)
	ctx = context.WithoutCancel(ctx)
	for c.db.stop.Err() == nil {
		found, err := c.look(ctx, w)
		if err == nil && found {
			return nil
		}
		if err == nil {
			return fmt.Errorf("a commit was lost and did not persist: %w", cause)
		}
		c.db.weather(ctx, err)
		pause(c.db.stop, weatherPause)
	}
	return ErrClosed
}

// look takes everything that the lost batch held, in a new transaction and in
// the same order (keys before runs, or it would deadlock with other batches),
// and looks for one of its rows: they are all there or none is.
func (c *committer) look(ctx context.Context, w *writes) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	conn, err := c.db.dial(ctx, resolveSettings())
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(ctx) }()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if len(w.keyed) > 0 {
		scopes, keys, bodies, objects := keyColumns(w.keyed)
		if _, err := tx.Exec(ctx, sqlTakeKeys, scopes, keys, bodies, objects); err != nil {
			return false, err
		}
	}
	if _, err := tx.Exec(ctx, sqlWait, w.runs()); err != nil {
		return false, err
	}
	return w.persisted(ctx, tx)
}

// persisted looks for the first entry of the batch, which names the batch: its
// hash covers when it was made. A batch without entries is known by the whole
// row of a run with the version that it would have given it. If somebody has
// changed the run since, the batch counts as lost, and its changes decide anew
// on the row as it is now.
func (w *writes) persisted(ctx context.Context, tx pgx.Tx) (bool, error) {
	if len(w.entries) > 0 {
		e := &w.entries[0]
		var hash []byte
		err := tx.QueryRow(ctx, `select hash from entry where stream = $1 and seq = $2`, e.stream, e.seq).Scan(&hash)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		return err == nil && string(hash) == string(e.hash[:]), err
	}
	if len(w.changed) == 0 {
		return w.madeAny(ctx, tx)
	}
	var r Run
	err := r.scan(tx.QueryRow(ctx, `select `+runColumns+` from run where id = $1`, w.changed[0].ID))
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil && r.is(&w.changed[0].Run), err
}

// madeAny looks for a run that only this batch can have made.
func (w *writes) madeAny(ctx context.Context, tx pgx.Tx) (found bool, err error) {
	if len(w.made) > 0 {
		err = tx.QueryRow(ctx, `select exists (select from run where id = $1)`, w.made[0].ID).Scan(&found)
	}
	return found, err
}

// is reports whether two rows are the same as far as a change can change them.
func (r *Run) is(l *Run) bool {
	return r.Version == l.Version && r.State == l.State && r.Epoch == l.Epoch && r.Holder == l.Holder && r.Nudged == l.Nudged &&
		r.Seq == l.Seq && r.Head == l.Head && r.DueUS == l.DueUS && r.CancelUS == l.CancelUS && r.ClosedUS == l.ClosedUS &&
		string(r.Progress.encode(nil)) == string(l.Progress.encode(nil))
}
