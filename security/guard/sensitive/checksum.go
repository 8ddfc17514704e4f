package sensitive

// luhn is the check of ISO/IEC 7812-1, annex B: every second digit from the right
// doubled. It finds every single wrong digit.
func luhn(d []byte) bool { return luhnSum(d)%10 == 0 }

func luhnSum(d []byte) int {
	sum := 0
	for i := range d {
		x := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	return sum
}

// weighted is the sum of the digits times their weights, which are given as
// characters: '0' and up.
func weighted(d []byte, weights string) int {
	sum := 0
	for i := range len(weights) {
		sum += int(d[i]-'0') * int(weights[i]-'0')
	}
	return sum
}

// mod1110 is the hybrid system MOD 11,10 of ISO/IEC 7064 over the digits, of
// which the last is the check digit.
func mod1110(d []byte) bool {
	p := 10
	for _, c := range d[:len(d)-1] {
		s := (int(c-'0') + p) % 10
		if s == 0 {
			s = 10
		}
		p = s * 2 % 11
	}
	return (p+int(d[len(d)-1]-'0'))%10 == 1
}

// mod97 is the remainder of the digits by 97, with letters as 10 to 35 (ISO/IEC
// 7064, MOD 97-10, as ISO 13616 uses it).
func mod97(mod int, d []byte) int {
	for _, c := range d {
		if isDigit(c) {
			mod = (mod*10 + int(c-'0')) % 97
		} else {
			mod = (mod*100 + int(c-'A') + 10) % 97
		}
	}
	return mod
}

// The tables of Verhoeff's dihedral check (J. Verhoeff, Error Detecting Decimal
// Codes, 1969): the product in the group of the pentagon, and the permutation
// that each place repeats once more.
const (
	dihedral = "0123456789123406789523401789563401289567401239567859876043216598710432765982104387659321049876543210"
	shuffle  = "1576283094"
)

// verhoeff finds every single wrong digit and every swapped pair.
func verhoeff(d []byte) bool {
	c := 0
	for i := range d {
		x := int(d[len(d)-1-i] - '0')
		for range i % 8 {
			x = int(shuffle[x] - '0')
		}
		c = int(dihedral[c*10+x] - '0')
	}
	return c == 0
}

// date reports whether day and month exist; the year decides about 29 February
// where leap is set.
func date(day, month, year int, leap bool) bool {
	if month < 1 || month > 12 || day < 1 {
		return false
	}
	days := int("\x1f\x1d\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"[month-1])
	if month == 2 && leap && (year%4 != 0 || year%100 == 0 && year%400 != 0) {
		days = 28
	}
	return day <= days
}
