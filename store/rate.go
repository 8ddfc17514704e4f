package store

import (
	"context"
	"crypto/sha256"
	"time"
)

// RateWindow is the time in which a limit admits its number of requests.
const RateWindow = time.Minute

const (
	rateConns = 4 // of the pool for limits
	rateKept  = 10 * RateWindow
	rateSweep = 1000 // rows that one sweep deletes, every rateRest
	rateRest  = 10 * time.Second
)

// A RateKey names who asks for what: the digest of a principal, an agent and a
// route. Its rows hold no names.
type RateKey [sha256.Size]byte

// A Rate is the answer to one request.
type Rate struct {
	Admitted  bool
	Remaining int           // requests that would be admitted now
	Vacant    time.Duration // until a place is free again, at most RateWindow
	Note      bool          // a refusal that the ledger should hear of: the key's first in a minute
}

// Admit counts a request, or refuses it if quota requests of this key were
// admitted, by any process, within the last RateWindow. A refused request does
// not count. An error means that the request must not be served.
//
// It is a sliding window: no 60 seconds ever see more than quota admissions, and
// a quota that is free may be used at once. The usual GCRA gives up one of the
// two: with a burst of quota it admits nearly twice as many in a minute (the
// burst and what flows back meanwhile), without one it refuses the second of two
// requests that come together. A row holds, for each second that admitted
// something, how many and when the last one was, and the second counts until its
// last one is a window old: 61 seconds at most, whatever the quota. So an
// admission counts for at least the window and for less than a second more.
//
// The row's lock makes it exact between processes, and the clock is the
// database's. PostgreSQL empties the table when it recovers from a crash: the
// windows begin anew, nothing is refused that should not be.
func (db *DB) Admit(ctx context.Context, key RateKey, quota int) (Rate, error) {
	return db.admit(ctx, key, quota, nil)
}

// admit is Admit at a time of the test's choosing, in microseconds since 1970.
func (db *DB) admit(ctx context.Context, key RateKey, quota int, now *int64) (r Rate, err error) {
	db.sweepRates(ctx)
	var vacant int64
	err = db.rates.QueryRow(ctx, `select admitted, remaining, coalesce(vacant, 0), note from admit($1, $2, $3, $4)`,
		key[:], quota, RateWindow.Microseconds(), now).Scan(&r.Admitted, &r.Remaining, &vacant, &r.Note)
	r.Vacant = time.Duration(vacant) * time.Microsecond
	return r, err
}

// sweepRates deletes rows that have not counted for a while, unless this process
// has just done so. Rows that somebody uses are passed over. A failure is the
// next sweep's: what is old harms nobody.
func (db *DB) sweepRates(ctx context.Context) {
	last, now := db.swept.Load(), time.Now().UnixNano()
	if now-last < int64(rateRest) || !db.swept.CompareAndSwap(last, now) {
		return
	}
	_, _ = db.rates.Exec(ctx, `delete from rate where key = any(array(select key from rate
where at_us < (extract(epoch from clock_timestamp()) * 1000000)::bigint - $1 limit $2 for update skip locked))`, rateKept.Microseconds(), rateSweep)
}

// rateSettings keep a request from waiting long for a limit.
func rateSettings() map[string]string {
	return map[string]string{"lock_timeout": "2s", "statement_timeout": "5s", "idle_in_transaction_session_timeout": "5s"}
}
