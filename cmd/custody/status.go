package main

import (
	"context"
	"time"
)

type statusCommand struct{}

// Help shows an example.
func (statusCommand) Help() string {
	return "Example:\n\n    custody --as oscar status\n\nIt needs the role operator."
}

// Run shows the processes.
func (statusCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	st, err := cl.Status(ctx)
	if err != nil || s.JSON {
		return s.result(st, err)
	}
	s.print("server     %s, %s", s.server(), st.Version)
	s.print("ledger     tier %s, %d entries in %d streams, %.1f MiB", st.Tier, st.Ledger.Entries, st.Ledger.Streams, float64(st.Ledger.Bytes)/(1<<20))
	s.print("runs       %d queued, %d running, %d waiting, %d succeeded, %d failed, %d cancelled",
		st.Runs.Queued, st.Runs.Running, st.Runs.Waiting, st.Runs.Succeeded, st.Runs.Failed, st.Runs.Cancelled)
	oldest := ""
	if st.Runs.Queued > 0 {
		oldest = ", the oldest run queued since " + roughly(time.Duration(st.Queue.OldestAge*float64(time.Second)))
	}
	s.print("queue      %d due, %d later%s", st.Queue.Due, st.Queue.Later, oldest)
	for _, p := range st.Processes {
		here := ""
		if p.ID == st.Process {
			here = "  (answers; drives " + number(int64(st.Driving)) + ")"
		}
		beat := time.Duration(p.HeartbeatAge * float64(time.Second))
		s.print("process    %s  %s  started %s  heartbeat %s ago%s", p.ID, p.Version, s.when(p.StartedAt.Time), roughly(beat), here)
	}
	s.print("commits    %d in %d batches, %d lost", st.Figures.Changes, st.Figures.Batches, st.Figures.Lost)
	return nil
}
