package reading

import (
	"unicode"
	"unicode/utf8"
)

// begin empties the frame above a layer for a decoder to write to.
func (s *Scanner) begin(layer int) *frame {
	f := &s.frames[layer+1]
	f.raw = f.raw[:0]
	f.up.reset()
	f.direct = false
	return f
}

// beginRaw is begin for a decoder that reads the layer before it was folded.
func (s *Scanner) beginRaw(layer int) *frame {
	f := s.begin(layer)
	f.direct = true
	return f
}

// emit writes a byte that came from n bytes at from.
func (f *frame) emit(b byte, from, n int) {
	f.up.add(len(f.raw), from, 1, n, 1)
	f.raw = append(f.raw, b)
}

// emitRune writes a character that came from n bytes at from.
func (f *frame) emitRune(r rune, from, n int) {
	if r < utf8.RuneSelf {
		f.emit(byte(r), from, n)
		return
	}
	at := len(f.raw)
	f.raw = utf8.AppendRune(f.raw, r)
	f.up.add(at, from, len(f.raw)-at, n, 1)
}

// copy writes bytes as they are.
func (f *frame) copy(b []byte, from int) {
	if len(b) > 0 {
		f.up.add(len(f.raw), from, 1, 1, len(b))
		f.raw = append(f.raw, b...)
	}
}

// What offer asks of a decoding.
type ask uint8

const (
	text      ask = iota // it reads like text, or like something encoded
	language             // its letters follow each other as in a language
	certainly            // nothing: the decoder knows
)

// offer shows what a decoder wrote to the frame above a layer, if it is as asked
// and new, and then what is encoded in it in turn. It reports whether the
// decoding was good.
func (s *Scanner) offer(layer int, name string, want ask) bool {
	f := &s.frames[layer+1]
	if s.stopped || len(f.raw) < 4 {
		return false
	}
	s.work += 3 * len(f.raw)
	if want == text && s.unpack(f) {
		name += " > deflate"
	}
	if want != certainly && !worth(f.raw, want) {
		return false
	}
	if s.readings >= maxReadings || len(f.raw)+64 > s.budget {
		s.signs.Truncated = true
		s.stopped = true
		return false
	}
	s.budget -= len(f.raw) + 64
	s.readings++
	f.folder.fold(f.raw)
	if s.old(f.text) {
		return true
	}
	parent := &s.frames[layer].reading
	f.links[1] = link{trail: &f.up, next: parent.path}
	if f.direct {
		f.links[1].next = parent.path.next
	}
	f.links[0] = link{trail: &f.folder.trail, next: &f.links[1]}
	f.reading = Reading{Text: f.text, Cased: f.cased, Name: s.name(parent, name), Layer: layer + 1, path: &f.links[0]}
	s.show(layer + 1)
	return true
}

// A pairOfNames is a reading and one made from it.
type pairOfNames struct{ outer, inner string }

// name joins the names of nested readings, and remembers what it joined.
func (s *Scanner) name(parent *Reading, inner string) string {
	if parent.Layer == 0 {
		return inner
	}
	key := pairOfNames{parent.Name, inner}
	if n, ok := s.names[key]; ok {
		return n
	}
	if s.names == nil || len(s.names) >= 1024 {
		s.names = map[pairOfNames]string{}
	}
	n := parent.Name + " > " + inner
	s.names[key] = n
	return n
}

// old reports whether a reading was shown before, and remembers it.
func (s *Scanner) old(b []byte) bool {
	h := fingerprint(b)
	for _, o := range s.shown {
		if o == h {
			return true
		}
	}
	if len(s.shown) < 256 {
		s.shown = append(s.shown, h)
	}
	return false
}

// fingerprint is FNV-1a over words of eight bytes. A collision hides a reading,
// so the length is part of it; whoever can make 2^32 readings of one text is
// stopped by the budget before.
func fingerprint(b []byte) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037) ^ uint64(len(b))
	for len(b) >= 8 {
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		h = (h ^ w) * prime
		h ^= h >> 29
		b = b[8:]
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * prime
	}
	return h ^ h>>32
}

// worth reports whether bytes are text that somebody could have written, or
// something encoded in its turn.
func worth(b []byte, want ask) bool {
	letters, others, odd, n, longest, run := 0, 0, 0, 0, 0, 0
	for i := 0; i < len(b); {
		r, k := rune(b[i]), 1
		if r >= utf8.RuneSelf {
			if r, k = utf8.DecodeRune(b[i:]); r == utf8.RuneError && k == 1 {
				return false
			}
		}
		i += k
		n++
		run++
		switch {
		case r < utf8.RuneSelf && wordOf[r]&(inLower|inUpper) != 0:
			letters++
		case r == ' ' || r == '\n':
			letters++
			run = 0
		case r < ' ' && r != '\t' && r != '\r' || r == 0x7F || 0x80 <= r && r < 0xA0 || r == utf8.RuneError:
			odd++
		case r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsMark(r)):
			letters++
			others++
		case r >= utf8.RuneSelf:
			others++
		}
		longest = max(longest, run)
	}
	if odd*20 > n {
		return want == text && wide(b)
	}
	if want == text && (longest >= 16 || n >= 40 && letters*2 < n) && encoded(b) {
		return true
	}
	if want == text && n >= 16 && odd == 0 && letters*20 >= n*7 && (b[0] != '{' || b[1] != '"') {
		return true // chance writes no row of printable characters; a JWT is JSON
	}
	if letters*10 < n*6 || letters < 5 || others > 0 && n < 10 && others < n {
		return false
	}
	if others*2 > n || want == text && n >= 16 && letters*20 >= n*17 {
		return true
	}
	return natural(b, want)
}

// natural reports whether Latin letters follow each other as in a language.
func natural(b []byte, want ask) bool {
	pairs, likely, _ := measure(b[:min(len(b), 4096)]).parts()
	if want == language {
		return pairs >= 6 && 10*likely >= 14*pairs
	}
	return pairs >= 4 && 10*likely >= 8*pairs
}

// wide reports whether every other byte is nothing: characters of two bytes.
func wide(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	k := 0
	if b[0] != 0 {
		k = 1
	}
	for i, c := range b {
		if (c == 0) != (i&1 == k) {
			return false
		}
	}
	return true
}

// encoded reports whether a text could be encoded itself: it consists of the
// characters that encodings use, without blanks.
func encoded(b []byte) bool {
	word, digit, upper, other := 0, 0, 0, 0
	for _, c := range b {
		switch k := wordOf[c]; {
		case k&inDigit != 0:
			digit++
		case k&inUpper != 0:
			upper++
		case k&inLower != 0:
			word++
		case k == inBase || c == '%' || c == '&' || c == '\\' || c == ';' || c == '#' || c == '-' || c == '_' || c == ' ' || c == '\n' || c == '.' || c == '/':
		default:
			other++
		}
	}
	return other*50 <= len(b) && ((digit+upper)*10 >= len(b) || word == 0)
}
