package egress

import (
	"unicode"
	"unicode/utf8"

	"github.com/custodyhq/custody/security/guard/reading"
)

// A token is a word of a folded text. Scripts that write no spaces between words
// have one for each character.
type token struct {
	hash   uint64
	lo, hi int32
}

// tokens cuts a folded text into words, appended to out. Everything but letters,
// digits and marks stands between words.
func tokens(out []token, text []byte) []token {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if !wordByte(c) {
				i++
				continue
			}
		} else if r, n := utf8.DecodeRune(text[i:]); !wordRune(r) {
			i += n
			continue
		}
		lo := i
		h := uint64(14695981039346656037) // FNV-1a
		for i < len(text) {
			c := text[i]
			if c < utf8.RuneSelf {
				if !wordByte(c) {
					break
				}
				h = (h ^ uint64(c)) * 1099511628211
				i++
				continue
			}
			r, n := utf8.DecodeRune(text[i:])
			if !wordRune(r) || unspaced(r) && i > lo {
				break
			}
			h = (h ^ uint64(r)) * 1099511628211
			i += n
			if unspaced(r) {
				break
			}
		}
		out = append(out, token{hash: mix(h), lo: int32(lo), hi: int32(i)})
	}
	return out
}

// wordsOf are the words of a text as readings have them.
func wordsOf(text string) []token { return tokens(nil, []byte(reading.Fold(text))) }

// mix spreads a hash over all its bits, so that sums of hashes differ.
func mix(h uint64) uint64 {
	h ^= h >> 32
	h *= 0x9E3779B97F4A7C15
	return h ^ h>>29
}

func wordByte(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) }

// unspaced are letters of scripts without spaces between words.
func unspaced(r rune) bool {
	return r >= 0x0E00 && (r <= 0x0EFF || r >= 0x1000 && r <= 0x109F || r >= 0x1780 && r <= 0x17FF || r >= 0x3040 && r <= 0x30FF ||
		r >= 0x3400 && r <= 0x9FFF || r >= 0xF900 && r <= 0xFAFF || r >= 0x20000 && r <= 0x3FFFF)
}

// shingles are the hashes of every k words in a row: out[i] is that of the words
// from i on.
func shingles(out []uint64, words []token, k int) []uint64 {
	if len(words) < k {
		return out
	}
	// A polynomial in base, modulo 2^64: the first word leaves with base^k.
	const base = 0x9E3779B97F4A7C15
	power := uint64(1)
	for range k {
		power *= base
	}
	var h uint64
	for i, w := range words {
		h = h*base + w.hash
		if i >= k {
			h -= power * words[i-k].hash
		}
		if i >= k-1 {
			out = append(out, mix(h))
		}
	}
	return out
}
