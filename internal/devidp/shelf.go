package devidp

import (
	"crypto/rand"
	"errors"
	"sync"
	"time"
)

// maxShelf bounds what a forgetful client can make us remember.
const maxShelf = 1000

var errFull = errors.New("too many sign-ins are under way; try again later")

// A shelf keeps things for a while under names that nobody can guess. It is
// safe for concurrent use.
type shelf[T any] struct {
	now   func() time.Time
	mu    sync.Mutex
	items map[string]kept[T]
}

type kept[T any] struct {
	item T
	till time.Time
}

func newShelf[T any](now func() time.Time) *shelf[T] {
	return &shelf[T]{now: now, items: map[string]kept[T]{}}
}

// put keeps the item and returns its name.
func (s *shelf[T]) put(item T, ttl time.Duration) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for name, k := range s.items {
		if !now.Before(k.till) {
			delete(s.items, name)
		}
	}
	if len(s.items) >= maxShelf {
		return "", errFull
	}
	name := rand.Text()
	s.items[name] = kept[T]{item, now.Add(ttl)}
	return name, nil
}

// take returns the item and forgets it: of two who ask, one gets it.
func (s *shelf[T]) take(name string) (item T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.items[name]
	delete(s.items, name)
	if !ok || !s.now().Before(k.till) {
		return item, false
	}
	return k.item, true
}

// forgetOldest makes room.
func (s *shelf[T]) forgetOldest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest, till := "", time.Time{}
	for name, k := range s.items {
		if oldest == "" || k.till.Before(till) {
			oldest, till = name, k.till
		}
	}
	delete(s.items, oldest)
}

// edit lets f look at the item, and change what it points to, while nobody
// else does. f returns false to have it forgotten. An item whose time is over
// is still shown, with expired set, until put sweeps it away.
func (s *shelf[T]) edit(name string, f func(item T, expired bool) (keep bool)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.items[name]
	if ok && !f(k.item, !s.now().Before(k.till)) {
		delete(s.items, name)
	}
	return ok
}

// find is the name of the first item for which is holds.
func (s *shelf[T]) find(is func(T) bool) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, k := range s.items {
		if is(k.item) && s.now().Before(k.till) {
			return name, true
		}
	}
	return "", false
}
