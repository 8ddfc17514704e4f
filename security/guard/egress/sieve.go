package egress

// A sieve finds at which places of a text one of many strings may begin, in one
// pass: it knows the pairs of bytes that they begin with.
type sieve struct {
	first [65536 / 64]uint64     // pairs that begin one
	by    map[uint16][]candidate // the strings of a pair
}

// A candidate is one of the strings, and whatever its owner knows it by.
type candidate struct {
	text string
	id   int
}

func newSieve() *sieve { return &sieve{by: map[uint16][]candidate{}} }

// add adds a string of two bytes or more.
func (v *sieve) add(text string, id int) {
	pair := uint16(text[0])<<8 | uint16(text[1])
	v.first[pair>>6] |= 1 << (pair & 63)
	v.by[pair] = append(v.by[pair], candidate{text: text, id: id})
}

// next is the first place from a place on at which a string stands, and which one:
// -1 if none does.
func (v *sieve) next(text []byte, from int) (at int, found candidate) {
	for i := from; i+1 < len(text); i++ {
		pair := uint16(text[i])<<8 | uint16(text[i+1])
		if v.first[pair>>6]&(1<<(pair&63)) == 0 {
			continue
		}
		for _, c := range v.by[pair] {
			if len(text)-i >= len(c.text) && string(text[i:i+len(c.text)]) == c.text {
				return i, c
			}
		}
	}
	return -1, candidate{}
}
