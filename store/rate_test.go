package store

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const second = int64(time.Second / time.Microsecond)

// at asks at a time of the test's choosing.
func (b *bed) at(key RateKey, quota int, now int64) Rate {
	b.t.Helper()
	r, err := b.admit(b.t.Context(), key, quota, &now)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func TestAWindowAdmitsItsQuotaAndTellsWhenTheNextPlaceIsFree(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	key, start := RateKey{1}, int64(1_800_000_000)*second+300_000
	for i := range 3 {
		now := start + int64(i)*second
		r := b.at(key, 3, now)
		if !r.Admitted || r.Remaining != 2-i || r.Vacant != time.Duration(start+60*second-now)*time.Microsecond {
			t.Errorf("request %d: %+v", i, r)
		}
	}
	first := b.at(key, 3, start+3*second)
	if first.Admitted || first.Vacant != 57*time.Second || first.Remaining != 0 || !first.Note {
		t.Errorf("over the quota: %+v", first)
	}
	if r := b.at(key, 3, start+4*second); r.Admitted || r.Note {
		t.Errorf("the second refusal in a minute: %+v", r)
	}
	if r := b.at(key, 3, start+60*second-1); r.Admitted || r.Vacant != time.Microsecond {
		t.Errorf("a microsecond before a place is free: %+v", r)
	}
	if r := b.at(key, 3, start+60*second); !r.Admitted || r.Remaining != 0 || r.Vacant != time.Second {
		t.Errorf("once it is free: %+v", r)
	}
	if r := b.at(RateKey{2}, 3, start); !r.Admitted || r.Remaining != 2 {
		t.Errorf("another key: %+v", r)
	}
}

// A model of the window with every admission on its own.
type plainWindow []int64

func (w plainWindow) within(now, span int64) (n int) {
	for _, at := range w {
		if at > now-span {
			n++
		}
	}
	return n
}

// No 60 seconds may ever see more than the quota, and nothing is refused that
// fits into 61.
func TestNoWindowEverSeesMoreThanTheQuota(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, quota := range []int{1, 7, 60} {
		key, now := RateKey{byte(quota)}, int64(1_800_000_000)*second
		var admitted plainWindow
		free := int64(0)
		for range 600 {
			now += rnd.Int64N(4*60*second) / int64(quota) / (1 + rnd.Int64N(20))
			r := b.at(key, quota, now)
			if r.Admitted != (now >= free) && free != 0 {
				t.Fatalf("seed %d: at %d admitted is %t, a place was said to be free at %d", seed, now, r.Admitted, free)
			}
			free = 0
			if !r.Admitted {
				free = now + r.Vacant.Microseconds()
				if n := admitted.within(now, 61*second); n < quota {
					t.Fatalf("seed %d: refused with %d of %d in 61 seconds", seed, n, quota)
				}
				continue
			}
			admitted = append(admitted, now)
			if n := admitted.within(now, 60*second); n > quota {
				t.Fatalf("seed %d: %d admissions in 60 seconds, %d are the quota", seed, n, quota)
			}
		}
		var ends int
		if err := b.raw().QueryRow(t.Context(), `select cardinality(ends) from custody.rate where key = $1`, key[:]).Scan(&ends); err != nil || ends > 61 {
			t.Errorf("a row has %d seconds, %v", ends, err)
		}
	}
}

func TestAThousandRequestsAtTwoProcessesGetExactlyTheQuota(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	other := join(t, b.url, Config{})
	var admitted, noted atomic.Int64
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			for range 50 {
				r, err := []*bed{b, other}[i%2].Admit(t.Context(), RateKey{1}, 60)
				if err != nil {
					t.Error(err)
				}
				if r.Admitted {
					admitted.Add(1)
				}
				if r.Note {
					noted.Add(1)
				}
			}
		})
	}
	group.Wait()
	if admitted.Load() != 60 || noted.Load() != 1 {
		t.Errorf("%d of 60 were admitted, %d refusals are to be noted", admitted.Load(), noted.Load())
	}
}

func TestASmallerQuotaWaitsUntilItFits(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	key, start := RateKey{1}, int64(1_800_000_000)*second
	for i := range 5 {
		b.at(key, 5, start+int64(i)*second)
	}
	r := b.at(key, 2, start+10*second)
	if r.Admitted || r.Remaining != 0 || r.Vacant != 53*time.Second { // four of five must have left
		t.Errorf("%+v", r)
	}
	if r := b.at(key, 2, start+63*second); !r.Admitted {
		t.Errorf("then: %+v", r)
	}
}

func TestAClockThatIsSetBackFreesNoPlaceAndBlocksNoneForLong(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	key, start := RateKey{1}, int64(1_800_000_000)*second
	b.at(key, 1, start)
	if r := b.at(key, 1, start-3600*second); r.Admitted || r.Vacant != time.Minute {
		t.Errorf("an hour back: %+v", r)
	}
	b.at(key, 2, start-3600*second)
	if r := b.at(key, 1, start-3540*second); !r.Admitted {
		t.Errorf("a minute later: %+v", r)
	}
}

func TestOldRatesAreDeletedAndUsedOnesAreNot(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	old := time.Now().Add(-time.Hour).UnixMicro()
	b.at(RateKey{1}, 5, old)
	b.swept.Store(0)
	if _, err := b.Admit(t.Context(), RateKey{2}, 5); err != nil {
		t.Fatal(err)
	}
	b.swept.Store(0)
	if r, err := b.Admit(t.Context(), RateKey{2}, 5); err != nil || r.Remaining != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	if n := b.count(`select count(*) from custody.rate`); n != 1 {
		t.Errorf("%d rows", n)
	}
}
