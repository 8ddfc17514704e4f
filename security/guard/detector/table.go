package detector

// A table maps hashes to small values by open addressing. It is built once and
// then only read, so any number of goroutines may ask it.
type table struct {
	keys   []uint64
	values []uint16
	mask   uint64
	used   int
	sieve  [4096]uint64 // one bit a key: most absent keys end here
}

// newTable has room for n keys at half load.
func newTable(n int) *table {
	size := 16
	for size < 2*n {
		size *= 2
	}
	return &table{keys: make([]uint64, size), values: make([]uint16, size), mask: uint64(size - 1)}
}

// put sets the value of a key that is not zero.
func (t *table) put(key uint64, value uint16) {
	if 2*(t.used+1) > len(t.keys) {
		t.grow()
	}
	i := key >> 20 & t.mask
	for t.keys[i] != 0 && t.keys[i] != key {
		i = (i + 1) & t.mask
	}
	if t.keys[i] == 0 {
		t.used++
	}
	t.keys[i], t.values[i] = key, value
	t.sieve[key>>52] |= 1 << (key >> 46 & 63)
}

func (t *table) grow() {
	old := *t
	*t = *newTable(len(old.keys))
	for i, k := range old.keys {
		if k != 0 {
			t.put(k, old.values[i])
		}
	}
}

// get returns the value of a key, 0 for none.
func (t *table) get(key uint64) uint16 {
	if !t.may(key) {
		return 0
	}
	return t.find(key)
}

// may tells whether a key may be there.
func (t *table) may(key uint64) bool {
	return t.sieve[key>>52]>>(key>>46&63)&1 != 0
}

func (t *table) find(key uint64) uint16 {
	i := key >> 20 & t.mask
	for t.keys[i] != key {
		if t.keys[i] == 0 {
			return 0
		}
		i = (i + 1) & t.mask
	}
	return t.values[i]
}

// scramble makes the key of a table out of a hash: cheaper than mix, good enough
// for the upper bits, which are the ones that tables use.
func scramble(h uint64) uint64 { return (h ^ h>>32) * spread1 }

// mix spreads a hash over all its bits (the finaliser of MurmurHash3, a public
// domain constant).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
