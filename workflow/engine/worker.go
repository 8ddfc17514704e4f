package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/store"
)

// job is all that River's table may hold of a run. The id is hex text: as an
// array of numbers it would cost 250 bytes in River's index.
type job struct {
	Run   string `json:"run"`
	Epoch int32  `json:"epoch"`
}

// Kind names the job.
func (job) Kind() string { return "drive" }

const (
	schema        = "river"
	snooze        = 2 * time.Second // before another process may take a job that this one cannot do
	fetchCooldown = time.Millisecond
	fetchPoll     = 100 * time.Millisecond
)

// quiet is River's driver without NOTIFY: a client over it inserts without one
// inside our transaction. The store sends one after the commit.
type quiet struct{ *riverpgxv5.Driver }

// SupportsListener tells River not to notify.
func (quiet) SupportsListener() bool { return false }

// SupportsListenNotify tells River not to notify.
func (quiet) SupportsListenNotify() bool { return false }

// Jobs returns the function by which the store puts jobs into River's queue
// inside its own transaction.
func Jobs() (func(context.Context, pgx.Tx, []store.Job) error, error) {
	client, err := river.NewClient(quiet{riverpgxv5.New(nil)}, &river.Config{Schema: schema})
	if err != nil {
		return nil, fmt.Errorf("river: %w", err)
	}
	return func(ctx context.Context, tx pgx.Tx, jobs []store.Job) error {
		params := make([]river.InsertManyParams, len(jobs))
		for i, j := range jobs {
			params[i].Args = job{Run: hex.EncodeToString(j.Run[:]), Epoch: j.Epoch}
		}
		_, err := client.InsertManyFastTx(ctx, tx, params)
		return err
	}, nil
}

// newWorker makes the client that works. River's own rescue and retries are
// off: a job says "look at this run", and who may do so is decided by epochs.
func newWorker(e *Engine) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{engine: e})
	client, err := river.NewClient(riverpgxv5.New(e.db.Pool()), &river.Config{
		ID: e.db.Process().String(), Schema: schema, Workers: workers, Logger: slog.New(newHush(e.cfg.Log.Handler())),
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: e.cfg.Workers}},
		FetchCooldown: fetchCooldown, FetchPollInterval: fetchPoll,
		JobTimeout: -1, RescueStuckJobsAfter: 1000 * time.Hour, FetchOnlyKnownKinds: true,
		ReindexerSchedule:           river.NeverSchedule(), // needs the owner's rights
		CompletedJobRetentionPeriod: time.Hour, DiscardedJobRetentionPeriod: time.Hour, CancelledJobRetentionPeriod: time.Hour,
	})
	if err != nil {
		return nil, fmt.Errorf("river: %w", err)
	}
	return client, nil
}

// worker takes River's jobs.
type worker struct {
	river.WorkerDefaults[job]
	engine *Engine
}

// Timeout switches River's off: a run is driven as long as it takes.
func (w *worker) Timeout(*river.Job[job]) time.Duration { return -1 }

// Work drives a run. The job is done when the run was moved or is in other
// hands. Else it goes back into the queue: the run needs a kind of step that
// this process lacks, the database was away, the process stops. Nobody holds a
// run that was never claimed, so without its job nobody would ever look at it
// again. For one that was claimed the job is a second look beside recovery's,
// which ends at the fence.
func (w *worker) Work(ctx context.Context, j *river.Job[job]) error {
	var run security.ID
	if n, err := hex.Decode(run[:], []byte(j.Args.Run)); err != nil || n != len(run) {
		return river.JobCancel(errors.New("not a run's id"))
	}
	err := w.engine.drive(w.engine.stop, run, j.Args.Epoch)
	if err == nil || errors.Is(err, ErrFenced) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if !errors.Is(err, ErrKinds) && w.engine.stop.Err() == nil {
		w.engine.cfg.Log.ErrorContext(ctx, "a driver gave up; its run will be taken up again", slog.String("run", run.Name("run")), slog.Any("error", err))
	}
	return river.JobSnooze(snooze)
}
