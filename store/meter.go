package store

import (
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// A Meter is told what this process has committed, after the commit: what it
// counts is what the ledger says. Its methods are called by the goroutines that
// commit, for every entry, so they must be quick. They must be safe for
// concurrent use.
type Meter interface {
	// Wrote is called for every entry.
	Wrote(w Written)
	// Batch is called for every batch of changes of runs, with the time from its
	// first statement until its fate was known.
	Batch(changes int, took time.Duration)
}

// Written is what may be told of an entry: names and codes, and no content. What
// is counted by is never an id: Run is for the run's trace.
type Written struct {
	Run      security.ID // zero in control streams
	Action   audit.Action
	Outcome  string
	Code     string
	State    string             // of the run, in run.closed
	Workflow string             // name; empty in control streams
	Findings []security.Finding // for their kinds and actions only; not to be changed
	At       time.Time          // of the entry, on the database's clock
	Age      time.Duration      // run.closed: since the run was submitted
}

// meter tells the meter what was written. A batch that is applied twice is
// written once, and told once.
func (db *DB) meter(rows []row) {
	if db.cfg.Meter == nil {
		return
	}
	for i := range rows {
		e := &rows[i]
		w := Written{
			Action: audit.Action(e.action), Outcome: e.outcome, Code: e.code, State: e.state, Workflow: e.naming, Findings: e.findings,
			At: time.UnixMicro(e.at), Age: e.age,
		}
		if !e.control {
			w.Run = e.stream
		}
		db.cfg.Meter.Wrote(w)
	}
}

func (db *DB) meterBatch(changes int, began time.Time) {
	if db.cfg.Meter != nil {
		db.cfg.Meter.Batch(changes, time.Since(began))
	}
}
