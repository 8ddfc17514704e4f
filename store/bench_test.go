package store

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// BenchmarkCommit is 100 drivers that commit one entry after another, each on a
// run of its own.
func BenchmarkCommit(b *testing.B) {
	s := open(b, Config{})
	runs := make([]security.ID, 100)
	for i := range runs {
		runs[i] = s.submit()
	}
	var next atomic.Int64
	b.SetParallelism(50) // times GOMAXPROCS, 2 where this was measured
	before := s.Figures()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		n := next.Add(1)
		ch := step(runs[int(n)%len(runs)], "s"+strconv.FormatInt(n, 10))
		for pb.Next() {
			if err := s.Write(b.Context(), ch); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	f := s.Figures()
	b.ReportMetric(float64(f.Changes-before.Changes)/float64(f.Batches-before.Batches), "changes/batch")
}

// BenchmarkVerify compares a verification of 50,000 entries with a plain SELECT
// of them: the metric is the ratio of the two.
func BenchmarkVerify(b *testing.B) {
	s := open(b, Config{})
	var wg sync.WaitGroup
	for range 1000 {
		id := s.submit()
		wg.Go(func() {
			s.write(Change{Run: id, Apply: func(l *Locked) error {
				for i := range 49 {
					l.Append(audit.Fact{
						Action: audit.StepResult, Outcome: "ok", Step: "s" + strconv.Itoa(i), Attempt: 1, Actor: "subj_alice", ActorKind: "human",
						Key: l.Name() + "/s" + strconv.Itoa(i), Call: security.NewID().Name("call"), Workflow: "sha256:d", Client: "custody-cli",
					})
				}
				return nil
			}})
		})
	}
	wg.Wait()
	conn := s.raw()
	var plain, verify time.Duration
	for b.Loop() {
		began := time.Now()
		rows, err := conn.Query(b.Context(), `select stream, seq, control, body, prev, hash, tenant, action, outcome, step, actor, workflow, at_us from entry`)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for rows.Next() {
			n++
		}
		if n != 50_000 || rows.Err() != nil {
			b.Fatal(n, rows.Err())
		}
		plain += time.Since(began)
		began = time.Now()
		if _, err := s.Verify(b.Context()); err != nil {
			b.Fatal(err)
		}
		verify += time.Since(began)
	}
	b.ReportMetric(float64(verify)/float64(plain), "verify/select")
	b.ReportMetric(verify.Seconds()/float64(b.N)*1e6/50_000, "us/entry")
}
