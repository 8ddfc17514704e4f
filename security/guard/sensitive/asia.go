package sensitive

import "strings"

// auTFN checks an Australian tax file number: modulo 11.
func auTFN(f form) bool {
	return (weighted(f.c[:], "14375869")+f.at(8)*10)%11 == 0 && !f.same()
}

// auABN checks an Australian business number: one off the first digit, then the
// weights below, modulo 89 (Australian Business Register).
func auABN(f form) bool {
	sum := -10
	for i, w := range [...]int{10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19} {
		sum += f.at(i) * w
	}
	return sum%89 == 0 && f.c[0] != '0'
}

// auMedicare checks an Australian Medicare number: 2 to 6 first, weights 1-3-7-9,
// modulo 10 at the ninth place; then the issue, and perhaps a person's place.
func auMedicare(f form) bool {
	return '2' <= f.c[0] && f.c[0] <= '6' && weighted(f.c[:], "13791379")%10 == f.at(8) && f.c[9] != '0'
}

// inAadhaar checks an Indian number: Verhoeff's sum, not 0 or 1 first (UIDAI).
func inAadhaar(f form) bool { return f.c[0] >= '2' && verhoeff(f.c[:f.n]) && !f.same() }

// inPAN knows the fourth letter of an Indian tax number, which says whose it is
// (Income Tax Department).
func inPAN(f form) bool { return strings.IndexByte("ABCFGHJLPT", f.c[3]) >= 0 && f.number(5, 9) > 0 }

// inGSTIN checks an Indian goods tax number: a state, a PAN, Z, and a sum in base
// 36 whose products give their two digits.
func inGSTIN(f form) bool {
	pan := f
	copy(pan.c[:], f.c[2:12])
	state := f.number(0, 2)
	if f.c[13] != 'Z' || !inPAN(pan) || state < 1 || state > 38 && state < 97 {
		return false
	}
	const base36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	sum := 0
	for i, c := range f.c[:14] {
		x := strings.IndexByte(base36, c) * (1 + i%2)
		sum += x/36 + x%36
	}
	return base36[(36-sum%36)%36] == f.c[14]
}

// sgNRIC checks the letter of a Singaporean number: weights 2-7-6-5-4-3-2, modulo
// 11, with 4 more for T and G, 3 for M.
func sgNRIC(f form) bool {
	d := weighted(f.c[1:], "2765432")
	switch f.c[0] {
	case 'S':
		return "JZIHGFEDCBA"[d%11] == f.c[8]
	case 'T':
		return "JZIHGFEDCBA"[(d+4)%11] == f.c[8]
	case 'F':
		return "XWUTRQPNMLK"[d%11] == f.c[8]
	case 'G':
		return "XWUTRQPNMLK"[(d+4)%11] == f.c[8]
	case 'M':
		return "XWUTRQPNJLK"[(d+3)%11] == f.c[8]
	}
	return false
}

// zaID checks a South African number: a date of birth, citizenship, Luhn's sum.
func zaID(f form) bool {
	return f.c[10] <= '2' && date(f.number(4, 6), f.number(2, 4), 0, false) && luhn(f.c[:f.n])
}

// krRRN checks a Korean number: a date of birth, a digit for century and sex, and
// weights 2 to 9 and again from 2, modulo 11. Since October 2020 the last six
// digits are random, so the sum binds only those who were born before.
func krRRN(f form) bool {
	sex := f.at(6)
	if !date(f.number(4, 6), f.number(2, 4), 0, false) {
		return false
	}
	if recent := sex == 3 || sex == 4 || sex == 7 || sex == 8; recent && f.number(0, 4) >= 2010 {
		return true
	}
	return (11-weighted(f.c[:], "234567892345")%11)%10 == f.at(12)
}

// trID checks the two digits of a Turkish number: seven times the odd places less
// the even ones, and the sum of all, each modulo 10.
func trID(f form) bool {
	odd, even := weighted(f.c[:], "101010101"), weighted(f.c[:], "01010101")
	return f.c[0] != '0' && ((odd*7-even)%10+10)%10 == f.at(9) && (odd+even+f.at(9))%10 == f.at(10)
}

// thID checks a Thai number: weights 13 to 2, modulo 11.
func thID(f form) bool {
	sum := 0
	for i := range 12 {
		sum += f.at(i) * (13 - i)
	}
	return f.c[0] != '0' && (11-sum%11)%10 == f.at(12)
}

// twoDigits asks of a number without any check that it has two digits at least
// and is not one digit over and over.
func twoDigits(f form) bool {
	n := 0
	for _, c := range f.c[:f.n] {
		if isDigit(c) {
			n++
		}
	}
	return n >= 2 && !f.same()
}
