package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// A lease is only about this process's own clock, so its tests have one.

func TestALeaseVouchesForWhatBeganUnderIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		beats []time.Duration // when renewals are sent, seconds after the first
		begun time.Duration   // when the commit is begun
		asked time.Duration   // when the request would leave
		want  bool
	}{
		"fresh":                            {[]time.Duration{0, 2, 4}, 4, 5, true},
		"just fresh":                       {[]time.Duration{0}, 0, 7, true},
		"stale":                            {[]time.Duration{0}, 0, 8, false},
		"renewed in time":                  {[]time.Duration{0, 7}, 1, 9, true},
		"renewed too late":                 {[]time.Duration{0, 8}, 1, 9, false},
		"renewed too late, begun after it": {[]time.Duration{0, 8}, 8, 9, true},
		"renewed too late, and again":      {[]time.Duration{0, 8, 10}, 1, 11, false},
		"never renewed":                    {nil, 0, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := lease{}
				l.clock.fill()
				start, term := time.Now(), 0
				for s := time.Duration(0); s <= c.asked; s++ {
					for _, b := range c.beats {
						if b == s {
							l.renewed(time.Now())
						}
					}
					if s == c.begun {
						term = l.current()
					}
					if s < c.asked {
						time.Sleep(time.Until(start.Add((s + 1) * time.Second)))
					}
				}
				if got := l.holds(term); got != c.want {
					t.Errorf("holds: %v", got)
				}
			})
		})
	}
}

// C4, observer_gap: who was without the database itself says nothing about
// others.
func TestC4OnlyARegularHeartMayJudge(t *testing.T) {
	t.Parallel()
	every := func(step, until time.Duration) (out []time.Duration) {
		for at := time.Duration(0); at <= until; at += step {
			out = append(out, at)
		}
		return out
	}
	for name, c := range map[string]struct {
		beats []time.Duration
		now   time.Duration
		want  bool
	}{
		"regular for long":             {every(2, 20), 20, true},
		"regular for ten seconds":      {every(2, 10), 10, true},
		"not long enough":              {every(2, 8), 9, false},
		"a gap of three":               {[]time.Duration{0, 3, 6, 9, 12}, 12, true},
		"a gap of four":                {[]time.Duration{0, 2, 6, 8, 10, 12}, 12, false},
		"a gap of four, long ago":      {append([]time.Duration{0, 4}, every(2, 22)[3:]...), 22, true},
		"the last one is four ago":     {every(2, 12), 16, false},
		"the last one is three ago":    {every(2, 12), 15, true},
		"no heartbeat was answered":    {nil, 20, false},
		"after an outage, not at once": {append(every(2, 10), 20, 22, 24), 24, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := lease{}
				l.clock.fill()
				start := time.Now()
				for _, at := range c.beats {
					time.Sleep(time.Until(start.Add(at * time.Second)))
					l.renewed(time.Now())
				}
				time.Sleep(time.Until(start.Add(c.now * time.Second)))
				if got := l.mayJudge(); got != c.want {
					t.Errorf("may judge: %v", got)
				}
			})
		})
	}
}
