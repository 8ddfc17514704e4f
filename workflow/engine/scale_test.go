package engine

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Waiting costs nothing: no goroutine, no job, no holder. Not parallel: it
// counts goroutines.
func TestThousandsOfRunsWait(t *testing.T) {
	count := int64(5000)
	if testing.Short() {
		count = 2000
	}
	b := setup(t, map[string]kind{"m": {model, ok}})
	b.flow("steps:\n  - {id: a, uses: approval, with: {approvers: {roles: [legal]}, show: x}}\n  - {id: b, uses: m}\n")
	before := runtime.NumGoroutine()
	var left atomic.Int64
	left.Store(count)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := b.engine.Submit(context.Background(), alice(), Submission{Workflow: "w", Input: []byte(`{}`)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var waiting, held, jobs int64
	eventually(t, "all runs wait and all jobs are done", func() bool {
		must(t, b.pool.QueryRow(context.Background(), `select (select count(*) from custody.run where state = 'waiting'),
(select count(*) from custody.run where holder is not null), (select count(*) from river.river_job where state <> 'completed')`).Scan(&waiting, &held, &jobs))
		return waiting == count && jobs == 0
	})
	equal(t, "held", held, 0)
	equal(t, "drivers", b.engine.Driving(), 0)
	eventually(t, "few goroutines", func() bool { return runtime.NumGoroutine() <= before+20 })
}
