package reading

// A slipTable finds words in spite of one slip: it holds each word as it is and
// without each of its letters. Sums of letters times the power of their place make
// the sum without a letter cheap.
type slipTable struct {
	sieve [1 << 8]uint64
	keys  []uint32
	ids   []uint16
}

func newSlipTable(size int) *slipTable {
	return &slipTable{keys: make([]uint32, size), ids: make([]uint16, size)}
}

// slipPowers are the powers of an odd number, and slipInverse its inverse modulo
// 2^64, by Newton's method.
var (
	slipPowers = func() (p [longestKnown + 3]uint64) {
		p[0] = 1
		for i := 1; i < len(p); i++ {
			p[i] = p[i-1] * slipBase
		}
		return p
	}()
	slipInverse = func() uint64 {
		x := uint64(slipBase)
		for range 5 {
			x *= 2 - slipBase*x
		}
		return x
	}()
)

const slipBase = 0x9E3779B97F4A7C15

// slipSum sums the letters of a word of at most longestKnown+1.
func slipSum(w []byte) (sum uint64) {
	for i, c := range w {
		sum += letterWeights[c&31] * slipPowers[i]
	}
	return sum
}

// eachSlip calls see with the sum of the word without each of its letters, until
// see returns false.
func eachSlip(w []byte, sum uint64, see func(uint64) bool) {
	before := uint64(0)
	for i, c := range w {
		own := letterWeights[c&31] * slipPowers[i]
		if !see(before + (sum-before-own)*slipInverse) {
			return
		}
		before += own
	}
}

// learn enters a word under an id above 0. What is there before stays.
func (t *slipTable) learn(w []byte, id uint16) {
	sum := slipSum(w)
	t.put(sum, id)
	eachSlip(w, sum, func(h uint64) bool { t.put(h, id); return true })
}

func (t *slipTable) put(sum uint64, id uint16) {
	bit, _, key := place(sum)
	mask := uint32(len(t.keys) - 1) //nolint:gosec // a table is small
	bit &= 1<<14 - 1
	t.sieve[bit>>6] |= 1 << (bit & 63)
	slot := key >> 3 & mask
	for ; t.keys[slot] != 0; slot = (slot + 1) & mask {
		if t.keys[slot] == key {
			return
		}
	}
	t.keys[slot], t.ids[slot] = key, id
}

// get returns the id of a sum, 0 if there is none.
func (t *slipTable) get(sum uint64) uint16 {
	bit, _, key := place(sum)
	mask := uint32(len(t.keys) - 1) //nolint:gosec // a table is small
	bit &= 1<<14 - 1
	if t.sieve[bit>>6]&(1<<(bit&63)) == 0 {
		return 0
	}
	slot := key >> 3 & mask
	for ; t.keys[slot] != 0; slot = (slot + 1) & mask {
		if t.keys[slot] == key {
			return t.ids[slot]
		}
	}
	return 0
}
