package sensitive

import "strings"

// usSSN applies the rules of the US Social Security Administration since 2011: no
// area 000, 666 or 9xx, no group 00, no serial 0000. Three numbers were printed in
// advertisements and forms and are nobody's.
func usSSN(f form) bool {
	area := f.number(0, 3)
	return area != 0 && area != 666 && area < 900 && f.number(3, 5) != 0 && f.number(5, 9) != 0 && !f.same() &&
		!f.is("078051120") && !f.is("219099999") && !f.is("123456789")
}

// usITIN applies the ranges of the US Internal Revenue Service (Publication
// 1915): 9 first, and 50-65, 70-88, 90-92 or 94-99 in the middle.
func usITIN(f form) bool {
	g := f.number(3, 5)
	return f.c[0] == '9' && (50 <= g && g <= 65 || 70 <= g && g <= 88 || 90 <= g && g <= 92 || 94 <= g)
}

// usEIN knows the prefixes that the US Internal Revenue Service does not give out.
func usEIN(f form) bool {
	p := " " + string(f.c[:2]) + " "
	return !strings.Contains(" 00 07 08 09 17 18 19 28 29 49 69 70 78 79 89 96 97 ", p) && !f.same() && f.number(2, 9) != 0
}

// usRouting checks a number of the American Bankers Association: weights 3-7-1,
// modulo 10, and a first pair of a Federal Reserve district or use.
func usRouting(f form) bool {
	p := f.number(0, 2)
	return (p <= 12 && p > 0 || 21 <= p && p <= 32 || 61 <= p && p <= 72 || p == 80) && weighted(f.c[:], "371371371")%10 == 0
}

// usNPI checks a provider's number (45 CFR 162.406): Luhn's sum with 80840 before
// it, which adds 24.
func usNPI(f form) bool {
	return (f.c[0] == '1' || f.c[0] == '2') && (luhnSum(f.c[:f.n])+24)%10 == 0
}

// usMedicare checks what stands where in a Medicare Beneficiary Identifier (CMS,
// Understanding the MBI format): no S, L, O, I, B, Z, and no 0 first.
func usMedicare(f form) bool {
	for _, c := range f.c[:f.n] {
		if strings.IndexByte("SLOIBZ", c) >= 0 {
			return false
		}
	}
	return f.c[0] != '0'
}

// caSIN checks a Canadian number: Luhn's sum; 8 is not given out first.
func caSIN(f form) bool { return f.c[0] != '8' && luhn(f.c[:f.n]) && !f.same() }

// brCPF checks the two digits of a Brazilian number: weights from 10 and from 11
// down, modulo 11 (Receita Federal). Rows of one digit pass the sum and are
// nobody's.
func brCPF(f form) bool {
	return f.n == 11 && !f.same() && brDigit(f.c[:9], 10, 99) == f.at(9) && brDigit(f.c[:10], 11, 99) == f.at(10)
}

// brCNPJ is the same for companies, with weights that begin again at 9 after 2.
// Since 2026 the first twelve may be letters, which count as their ASCII code
// less 48 (Receita Federal, Instrução Normativa 2229/2024).
func brCNPJ(f form) bool {
	return f.n == 14 && !f.same() && f.digits(12, 14) && brDigit(f.c[:12], 5, 9) == f.at(12) && brDigit(f.c[:13], 6, 9) == f.at(13)
}

func brDigit(d []byte, weight, top int) int {
	sum := 0
	for _, c := range d {
		sum += int(c-'0') * weight
		if weight--; weight == 1 {
			weight = top
		}
	}
	if sum %= 11; sum < 2 {
		return 0
	}
	return 11 - sum
}
