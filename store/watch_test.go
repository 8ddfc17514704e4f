package store

import (
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
)

func hears(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(20 * time.Second):
		t.Fatalf("never: %s", what)
	}
}

func silentNow(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return false
	default:
		return true
	}
}

func TestAWatchHearsOfItsRunWhoeverChangesIt(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	other := join(t, b.url, Config{})
	id, quiet := b.submit(), b.submit()
	for name, writer := range map[string]*bed{"this process": b, "another process": other} {
		w, second, beside := b.Watch(id, b.run(id).Seq), b.Watch(id, b.run(id).Seq), b.Watch(quiet, 1)
		if !silentNow(w.Changed) {
			t.Errorf("%s: it heard before anything happened", name)
		}
		writer.write(step(id, "x"))
		hears(t, name+" changed it", w.Changed)
		hears(t, name+" changed it", second.Changed)
		if !silentNow(beside.Changed) || !silentNow(w.Closed) {
			t.Errorf("%s: it heard of what did not happen", name)
		}
		for _, w := range []*Watch{w, second, beside, w} { // twice does no harm
			w.Close()
		}
	}
	if n := len(b.watch.watches); n != 0 {
		t.Errorf("%d watches are left", n)
	}
}

func TestAWatchHearsTheEndOnce(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	other := join(t, b.url, Config{})
	for name, writer := range map[string]*bed{"this process": b, "another process": other} {
		id := b.submit()
		w := b.Watch(id, 1)
		writer.write(ending(id))
		hears(t, name+" closed it", w.Closed)
		hears(t, name+" closed it", w.Changed)
		late := b.Watch(id, 2) // a run that has ended
		hears(t, "the end of a run that has ended", late.Closed)
		if !silentNow(late.Changed) {
			t.Error("it heard of entries that it knows")
		}
		w.Close()
		late.Close()
	}
}

// A watcher that begins behind what is there is told without anything new.
func TestAWatchThatIsBehindIsToldSo(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	b.write(step(id, "x"))
	w := b.Watch(id, 1)
	defer w.Close()
	hears(t, "the entry that it does not know", w.Changed)
}

func TestAWatchSurvivesAnOutage(t *testing.T) {
	t.Parallel()
	net := &cable{}
	b := open(t, Config{Dial: net.dial})
	other := join(t, b.url, Config{})
	id := b.submit()
	w := b.Watch(id, 1)
	defer w.Close()
	net.set(true)
	other.write(step(id, "x"))
	net.set(false)
	hears(t, "what happened during the outage", w.Changed)
}

func TestAWatchOfARunThatIsNotThereIsQuiet(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	w := b.Watch(security.NewID(), 0)
	b.submit()
	b.watch.look(t.Context())
	if !silentNow(w.Changed) || !silentNow(w.Closed) {
		t.Error("it heard something")
	}
	w.Close()
}
