package reading

import "unicode/utf8"

// hidden reports whether a character shows nothing: the default ignorables of
// Unicode, among them tags, variation selectors and direction controls.
func hidden(r rune) bool {
	switch {
	case r == 0xAD, r == 0x34F, r == 0x61C, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5,
		0x180B <= r && r <= 0x180F, 0x200B <= r && r <= 0x200F, 0x202A <= r && r <= 0x202E,
		0x2060 <= r && r <= 0x206F, r == 0x3164, 0xFE00 <= r && r <= 0xFE0F, r == 0xFEFF, r == 0xFFA0,
		0xFFF0 <= r && r <= 0xFFFB, 0x1BCA0 <= r && r <= 0x1BCA3, 0x1D173 <= r && r <= 0x1D17A, 0xE0000 <= r && r <= 0xE0FFF:
		return true
	}
	return false
}

// drop leaves an invisible character out, and counts it unless it stands where
// writers put it.
func (f *folder) drop(r rune, i int) {
	f.quiet++
	prev, k := utf8.DecodeLastRune(f.src[:i])
	if k <= 1 && prev == utf8.RuneError {
		prev = 0
	}
	switch {
	case 0xE0020 <= r && r <= 0xE007F:
		if f.flag {
			return
		}
		f.has.tags++
		f.signs.Tags++
		f.disguise = true
		return
	case 0xE0100 <= r && r <= 0xE01EF, 0xFE00 <= r && r <= 0xFE0F:
		f.has.selectors++
		if f.quiet <= 1 && (prev >= 0x203C || prev == 0xA9 || prev == 0xAE || prev == '#' || prev == '*' || '0' <= prev && prev <= '9') {
			return
		}
	case 0x202A <= r && r <= 0x202E, 0x2066 <= r && r <= 0x2069, r == 0x200E, r == 0x200F, r == 0x61C:
		f.direction(r)
		return
	case r == 0xAD:
		ordinary := f.softAt >= 2
		f.softAt = 0
		if ordinary && f.quiet <= 1 {
			return
		}
	case r == 0x200C || r == 0x200D:
		f.has.bits++
		if f.quiet <= 2 && (prev >= 0x590 || hidden(prev)) {
			return // Persian, Hindi, emoji
		}
	case r == 0x200B:
		f.has.bits++
		if f.quiet <= 1 && prev >= 0xE00 {
			return // between words of Thai, Khmer, Japanese
		}
	case r == 0xFEFF:
		f.has.bits++
		if i == 0 {
			return
		}
	default:
		f.has.bits++
	}
	f.signs.Invisible++
	f.disguise = true
}

// direction counts a direction control unless it is beside right-to-left text.
func (f *folder) direction(r rune) {
	switch {
	case r == 0x202D || r == 0x202E:
		f.has.override = true
	case r == 0x200E || r == 0x200F:
		f.has.bits++
		if f.quiet <= 2 {
			return
		}
	case r >= 0x2066 || r == 0x61C || f.rightly || r == 0x202C && !f.has.override:
		return
	}
	f.signs.Bidi++
	f.disguise = true
}
