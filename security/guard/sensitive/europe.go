package sensitive

import "strings"

// ukNHS checks a number of the British health service: weights 10 to 2, modulo 11;
// one whose check digit would be 10 is not given out (NHS Data Dictionary).
func ukNHS(f form) bool {
	sum := 0
	for i := range 9 {
		sum += f.at(i) * (10 - i)
	}
	check := (11 - sum%11) % 11
	return check == f.at(9) && !f.same()
}

// ukNINO knows which letters a British insurance number begins and ends with
// (HMRC, manual NIM39110).
func ukNINO(f form) bool {
	return strings.IndexByte("DFIQUV", f.c[0]) < 0 && strings.IndexByte("DFIOQUV", f.c[1]) < 0 && f.c[8] <= 'D' &&
		!strings.Contains("BG GB NK KN TN NT ZZ", string(f.c[:2]))
}

// deTaxID checks a German Steuer-IdNr (section 139b AO): no 0 first, MOD 11,10,
// and among the first ten digits one stands two or three times, the others at
// most once; three never stand in a row.
func deTaxID(f form) bool {
	if f.c[0] == '0' || !mod1110(f.c[:11]) {
		return false
	}
	var count [10]int
	for i := range 10 {
		count[f.at(i)]++
		if i > 1 && f.c[i] == f.c[i-1] && f.c[i] == f.c[i-2] {
			return false
		}
	}
	twice := 0
	for _, n := range count {
		if n > 3 {
			return false
		}
		if n > 1 {
			twice++
		}
	}
	return twice == 1
}

// dePension checks a German pension insurance number: an office, a date of birth,
// a letter, a serial and the sum of digit sums with the weights below, modulo 10
// (VKVV, section 4).
func dePension(f form) bool {
	letter := int(f.c[8]-'A') + 1
	d := [12]int{}
	for i, k := 0, 0; i < 11; i++ {
		if i == 8 {
			d[k], d[k+1] = letter/10, letter%10
			k += 2
			continue
		}
		d[k] = f.at(i)
		k++
	}
	sum := 0
	for i, w := range "212571212121" {
		sum += digitSum(d[i] * int(w-'0'))
	}
	return sum%10 == f.at(11) && date(f.number(2, 4), f.number(4, 6), 0, false)
}

// deHealth checks the unchangeable part of a German health insurance number: the
// letter as two digits, then Luhn's way from the left, modulo 10 (section 290 SGB
// V).
func deHealth(f form) bool {
	letter := int(f.c[0]-'A') + 1
	sum := letter/10 + digitSum(letter%10*2)
	for i := 1; i <= 8; i++ {
		sum += digitSum(f.at(i) * (1 + (i-1)%2))
	}
	return sum%10 == f.at(9)
}

func digitSum(n int) int { return n/10 + n%10 }

// deIDCard checks the number of a German identity card: weights 7-3-1, letters as
// 10 to 35, modulo 10 (ICAO Doc 9303, part 3). Vowels and look-alikes are not used.
func deIDCard(f form) bool {
	sum := 0
	for i, c := range f.c[:9] {
		if strings.IndexByte("0123456789CFGHJKLMNPRTVWXYZ", c) < 0 {
			return false
		}
		v := int(c - '0')
		if c > '9' {
			v = int(c-'A') + 10
		}
		sum += v * int("731"[i%3]-'0')
	}
	return sum%10 == f.at(9) && strings.IndexByte("LMNPRTVWXY", f.c[0]) >= 0
}

// deVAT checks a German VAT number: DE, no 0 first, MOD 11,10.
func deVAT(f form) bool {
	return f.c[0] == 'D' && f.c[1] == 'E' && f.c[2] != '0' && mod1110(f.c[2:11])
}

// frNIR checks a French number of the INSEE register: sex, year, month (also 20
// and 30 to 42, where it is not known), department with 2A and 2B for Corsica,
// and 97 less the remainder of the first thirteen by 97.
func frNIR(f form) bool {
	n := f
	if c := f.c[6]; isUpper(c) {
		if c > 'B' || f.c[5] != '2' {
			return false
		}
		n.c[6] = "98"[c-'A'] // 2A counts as 19, 2B as 18
		n.c[5] = '1'
	}
	month := n.number(3, 5)
	return strings.IndexByte("123478", n.c[0]) >= 0 && (1 <= month && month <= 12 || month == 20 || 30 <= month && month <= 42) &&
		97-n.number(0, 13)%97 == n.number(13, 15)
}

const spanish = "TRWAGMYFPDXBNJZSQVHLCKE"

// esNIF checks the letter of a Spanish number: the remainder by 23 (Real Decreto
// 1553/2005).
func esNIF(f form) bool { return spanish[f.number(0, 8)%23] == f.c[8] && f.number(0, 8) > 0 }

// esNIE is the same for foreigners, with X, Y, Z for 0, 1, 2.
func esNIE(f form) bool {
	return f.c[0] >= 'X' && spanish[(int(f.c[0]-'X')*10_000_000+f.number(1, 8))%23] == f.c[8]
}

// The values of characters at odd places of an Italian fiscal code, digits and
// letters alike by their number (Decreto ministeriale 23/12/1976).
const itOdd = "\x01\x00\x05\x07\x09\x0d\x0f\x11\x13\x15\x02\x04\x12\x14\x0b\x03\x06\x08\x0c\x0e\x10\x0a\x16\x19\x18\x17"

// itFiscalCode checks an Italian fiscal code: the letter of the month, the day (40
// more for women), digits replaced by letters where two people would share one,
// and the letter at the end.
func itFiscalCode(f form) bool {
	sum := 0
	for i, c := range f.c[:15] {
		v := int(c - '0')
		if c > '9' {
			v = int(c - 'A')
		}
		if i%2 == 0 {
			v = int(itOdd[v])
		}
		sum += v
	}
	tens, ones := itDigit(f.c[9]), itDigit(f.c[10])
	day := (tens*10 + ones) % 40
	for _, i := range [...]int{6, 7, 12, 13, 14} {
		if itDigit(f.c[i]) < 0 {
			return false
		}
	}
	return tens >= 0 && ones >= 0 && 1 <= day && day <= 31 && tens < 8 &&
		strings.IndexByte("ABCDEHLMPRST", f.c[8]) >= 0 && byte(sum%26)+'A' == f.c[15]
}

// itDigit is the digit that a character stands for in a fiscal code, or -1.
func itDigit(c byte) int {
	if isDigit(c) {
		return int(c - '0')
	}
	return strings.IndexByte("LMNPQRSTUV", c)
}

// itVAT checks an Italian VAT number, with or without IT before it: Luhn's sum and
// an office that exists.
func itVAT(f form) bool {
	d := f.c[:f.n]
	if f.n == 13 {
		if f.c[0] != 'I' || f.c[1] != 'T' {
			return false
		}
		d = d[2:]
	}
	office := decimal(string(d[7:10]))
	return luhn(d) && (1 <= office && office <= 121 || office == 888 || office == 999) && string(d[:7]) != "0000000"
}

// plPESEL checks a Polish number: weights 1-3-7-9, modulo 10, and the date of
// birth with its century in the month.
func plPESEL(f form) bool {
	month := f.number(2, 4)
	year := [...]int{1900, 2000, 2100, 2200, 1800}[month/20%5] + f.number(0, 2)
	return weighted(f.c[:], "13791379131")%10 == 0 && date(f.number(4, 6), month%20, year, true)
}

// plNIP checks a Polish tax number: modulo 11, where 10 is not given out.
func plNIP(f form) bool {
	return weighted(f.c[:], "657234567")%11 == f.at(9) && f.number(0, 3) >= 101 && !f.same()
}

// nlBSN checks a Dutch number: the test by eleven with 1 off for the last digit.
func nlBSN(f form) bool {
	return (weighted(f.c[:], "98765432")-f.at(8))%11 == 0 && f.number(0, 9) > 9_999_999
}

// beNational checks a Belgian number: 97 less the remainder of the first nine
// digits, with a 2 before them from the year 2000 on; a date of birth whose month
// or day may be unknown, and 20 or 40 more for those who are not residents.
func beNational(f form) bool {
	n, check := f.number(0, 9), f.number(9, 11)
	if 97-n%97 != check && 97-(2_000_000_000+n)%97 != check {
		return false
	}
	month, day := f.number(2, 4)%20, f.number(4, 6)
	return f.number(2, 4) < 60 && month <= 12 && day <= 31 && f.number(6, 9) > 0 && f.number(6, 9) < 999
}

// ptNIF checks a Portuguese number: weights 9 to 2, modulo 11, 10 as 0.
func ptNIF(f form) bool {
	check := 11 - weighted(f.c[:], "98765432")%11
	if check > 9 {
		check = 0
	}
	return check == f.at(8) && strings.IndexByte("1235689", f.c[0]) >= 0 && !f.same()
}

// chAHV checks a Swiss number: 756 and the check digit of an EAN-13.
func chAHV(f form) bool {
	return f.number(0, 3) == 756 && weighted(f.c[:], "1313131313131")%10 == 0
}

// sePersonal checks a Swedish number of ten or twelve digits: Luhn's sum over the
// last ten and a date, with 60 more in the day for a coordination number.
func sePersonal(f form) bool {
	d := f
	if f.n == 12 {
		if c := f.number(0, 2); c < 18 || c > 20 {
			return false
		}
		copy(d.c[:], f.c[2:12])
		d.n = 10
	}
	return luhn(d.c[:10]) && date(d.number(4, 6)%60, d.number(2, 4), 0, false)
}

// noBirth checks a Norwegian number: two digits modulo 11, and a date with 40 more
// in the day for a D-number, in the month for a help number, 80 for a test one.
func noBirth(f form) bool {
	return weighted(f.c[:], "3761894521")%11 == 0 && weighted(f.c[:], "54327654321")%11 == 0 &&
		date(f.number(0, 2)%40, f.number(2, 4)%40, 0, false)
}

// dkCPR has nothing to check but the date: the sum modulo 11 was given up in 2007.
func dkCPR(f form) bool { return date(f.number(0, 2), f.number(2, 4), 0, false) }

// fiHETU checks a Finnish code: a date, a sign for the century, and the remainder
// of the nine digits by 31 as a letter or digit.
func fiHETU(f form) bool {
	n := 6
	if f.n == 11 { // the sign is a letter
		if strings.IndexByte("ABCDEFYXWVU", f.c[6]) < 0 {
			return false
		}
		n = 7
	}
	serial := f.number(n, n+3)
	return date(f.number(0, 2), f.number(2, 4), 0, false) && serial >= 2 &&
		"0123456789ABCDEFHJKLMNPRSTUVWXY"[(f.number(0, 6)*1000+serial)%31] == f.c[n+3]
}
