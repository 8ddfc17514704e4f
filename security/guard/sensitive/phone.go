package sensitive

import "strings"

// A plan is a country code with the shortest and longest number that follows it
// (ITU-T E.164 and the national plans that ITU publishes).
type plan struct{ min, max uint8 }

// plans holds the codes in use, by their value.
var plans = func() (by [1000]plan) {
	for field := range strings.FieldsSeq(planText) {
		codes, lengths, _ := strings.Cut(field, ":")
		low, high, _ := strings.Cut(lengths, "-")
		for code := range strings.SplitSeq(codes, ",") {
			by[decimal(code)] = plan{uint8(decimal(low)), uint8(decimal(high))}
		}
	}
	return by
}()

func decimal(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

const planText = `
1,7:10-10 20:8-10 27:9-9 30:10-10 31:9-11 32:8-9 33,34:9-9 36:8-9 39:6-12 40:9-9 41:9-12 43:7-13 44:9-10 45,47:8-8 46:7-10 48:9-9 49:6-13
51:8-9 52:10-11 53:6-8 54,55:10-11 56:9-11 57,58:10-10 60:8-10 61:9-9 62:8-12 63,64:8-10 65:8-8 66:8-9 81:9-10 82:8-11 84:9-10 86:9-11 90,91:10-10 92:9-10 93,94:9-9 95:7-10 98:10-10
211,212:9-9 213:8-9 216:8-8 218:9-9 220:7-7 221:9-9 222,223:8-8 224:8-9 225:10-10 226,227,228:8-8 229:8-10 230:7-8 231:7-9 232:8-8 233:9-9 234:8-10 235,236:8-8 237:9-9 238,239:7-7
240:9-9 241:7-8 242,243,244:9-9 245:7-9 246:7-7 247:5-5 248:7-7 249,250,251:9-9 252:7-9 253:8-8 254,255,256:9-9 257:8-8 258:8-9 260,261,262:9-9 263:9-10 264:8-9 265:7-9 266:8-8 267:7-8 268:8-8 269:7-7
290:5-5 291,297:7-7 298,299:6-6 350:8-8 351:9-9 352:6-11 353:7-9 354:7-9 355:8-9 356,357:8-8 358:6-12 359:7-9 370,371:8-8 372:7-8 373,374:8-8 375:9-9 376:6-9 377:8-9 378:6-10 380:9-9 381:8-9 382:8-9 383:8-9 385:8-9 386:8-8 387:8-9 389:8-8
420,421:9-9 423:7-9 500:5-5 501:7-7 502,503,504,505,506:8-8 507:7-8 508:6-9 509:8-8 590:9-9 591:8-8 592:7-7 593:8-9 594,595,596:9-9 597:6-7 598:8-8 599:7-8
670:7-8 672:6-6 673,674,675:7-8 676,677,678:5-7 679,680:7-7 681:6-6 682:5-5 685:5-7 686:8-8 687:6-6 688:5-6 689:6-8 691,692:7-7
800,808:8-8 850:8-10 852,853:8-8 855:8-9 856:8-10 870:9-9 878:10-10 880:8-10 886:8-9 960:7-7 961:7-8 962,963:8-9 964:8-10 965:8-8 966:8-9 967:7-9 968:8-8 970,971,972:8-9 973,974:8-8 975:7-8 976:8-8 977:8-10 979,992:9-9 993:8-8 994,995,996,998:9-9`

// digitsOfPhone are the digits of a telephone number and where it could end: after
// each row of digits.
type digitsOfPhone struct {
	d    [24]byte
	n    int
	ends [24]int // ends[n] is the end after n digits if a row ends there, or 0
}

// phoneAt reads rows of digits with at most three signs between them, as telephone
// numbers are written: ") ", " / ". A zero in brackets is not dialled from abroad
// and left out where there was something before it.
func phoneAt(t string, i int) (p digitsOfPhone) {
	for i < len(t) && p.n < 16 {
		switch {
		case isDigit(t[i]):
			for i < len(t) && isDigit(t[i]) && p.n < 16 {
				p.d[p.n] = t[i]
				p.n++
				i++
			}
			if i == len(t) || !isDigit(t[i]) {
				p.ends[p.n] = i
			}
		case strings.HasPrefix(t[i:], "(0)") && p.n > 0:
			i += 3
		case strings.IndexByte(" -./()", t[i]) >= 0:
			for n := 0; n < 3 && i < len(t) && strings.IndexByte(" -./()", t[i]) >= 0 && !strings.HasPrefix(t[i:], "(0)"); n++ {
				i++
			}
			if i >= len(t) || !isDigit(t[i]) && !strings.HasPrefix(t[i:], "(0)") {
				return p
			}
		default:
			return p
		}
	}
	return p
}

// phone finds an international number whose country code begins at i, with its +
// or 00 at start: a code in use and a length that its plan has.
func (s *scan) phone(start, i int) int {
	t := s.t
	if !s.looksFor(Personal) || i >= len(t) || t[i] < '1' || t[i] > '9' || !s.begins(start, 0) || start > 0 && (t[start-1] == '+' || t[start-1] == ')' || t[start-1] == ']') {
		return 0
	}
	p := phoneAt(t, i)
	code, size := p.country()
	if size == 0 {
		return 0
	}
	for n := min(p.n, size+int(plans[code].max), 15); n >= max(size+int(plans[code].min), 8); n-- {
		if end := p.ends[n]; end > 0 && s.ends(end) && (code != 1 || northAmerican(p.d[1:11])) {
			if code == 1 && s.o.SkipTests && fictional(p.d[1:11]) {
				return 0
			}
			return s.report(kindPhone, Shaped, start, end)
		}
	}
	return 0
}

// country finds the code at the beginning of the digits, and its length.
func (p *digitsOfPhone) country() (code, size int) {
	if p.n < 8 {
		return 0, 0
	}
	for size = 1; size <= 3; size++ {
		code = code*10 + int(p.d[size-1]-'0')
		if plans[code].max > 0 {
			return code, size
		}
	}
	return 0, 0
}

// northAmerican checks an area and an exchange, which begin with 2 to 9, and that
// neither is a service such as 911 (NANPA).
func northAmerican(d []byte) bool {
	return d[0] >= '2' && d[3] >= '2' && string(d[1:3]) != "11" && string(d[4:6]) != "11"
}

// fictional reports whether the number is one of those that are kept for films:
// 555-0100 to 555-0199.
func fictional(d []byte) bool { return string(d[3:8]) == "55501" }

// A homePlan is how a country's numbers are written at home: what they begin with
// and how many digits they have.
type homePlan struct {
	country, first string
	min, max       int
}

var homePlans = [...]homePlan{
	{"us", "23456789", 10, 10},
	{"ca", "23456789", 10, 10},
	{"uk", "0", 10, 11},
	{"ie", "0", 9, 10},
	{"de", "0", 7, 13},
	{"at", "0", 7, 13},
	{"ch", "0", 10, 10},
	{"fr", "0", 10, 10},
	{"be", "0", 9, 10},
	{"nl", "0", 10, 10},
	{"es", "6789", 9, 9},
	{"it", "03", 8, 11},
	{"pt", "239", 9, 9},
	{"pl", "12345678", 9, 9},
	{"se", "0", 8, 10},
	{"no", "23456789", 8, 8},
	{"dk", "23456789", 8, 8},
	{"fi", "0", 7, 11},
	{"tr", "05", 10, 11},
	{"in", "06789", 10, 11},
	{"br", "123456789", 10, 11},
	{"mx", "23456789", 10, 10},
	{"au", "0", 10, 10},
	{"nz", "0", 9, 11},
	{"jp", "0", 10, 11},
	{"kr", "0", 9, 11},
	{"cn", "01", 10, 12},
	{"za", "0", 10, 10},
	{"ru", "8", 11, 11},
	{"sg", "3689", 8, 8},
}

// kindHome are the rows of the home plans.
var kindHome = func() (rows [len(homePlans)]int) {
	for i, p := range homePlans {
		rows[i] = kindNamed(p.country + "-phone")
	}
	return rows
}()

// homeKinds is all of them.
var homeKinds = func() (s Set) {
	for _, row := range kindHome {
		s.put(row)
	}
	return s
}()

// homePhone finds a number as a chosen country writes it, beside a word that says
// that it is one.
func (s *scan) homePhone(i int) int {
	if !s.phones || !s.begins(i, 0) {
		return 0
	}
	p := phoneAt(s.t, i)
	for n := min(p.n, 13); n >= 7; n-- {
		end := p.ends[n]
		if end == 0 || !s.ends(end) {
			continue
		}
		for k := range homePlans {
			if s.o.Kinds.has(kindHome[k]) && homePlans[k].has(&p, n) && s.near(kindHome[k], i, end) {
				return s.report(kindHome[k], Context, i, end)
			}
		}
	}
	return 0
}

func (h *homePlan) has(p *digitsOfPhone, n int) bool {
	if n < h.min || n > h.max || strings.IndexByte(h.first, p.d[0]) < 0 {
		return false
	}
	return h.country != "us" && h.country != "ca" || northAmerican(p.d[:10])
}

// bracketed finds a number that begins with a bracket: (415) 555-2671 needs no
// word beside it where the United States or Canada are chosen.
func (s *scan) bracketed(i int) int {
	if !s.phones || !s.looksFor(Personal) || i+1 >= len(s.t) || !isDigit(s.t[i+1]) {
		return 0
	}
	if end := s.northAmericanBracket(i); end > 0 {
		return end
	}
	return s.homePhone(i + 1)
}

func (s *scan) northAmericanBracket(i int) int {
	us, ca := kindHome[0], kindHome[1]
	if !s.o.Kinds.has(us) && !s.o.Kinds.has(ca) {
		return 0
	}
	for _, text := range [...]string{"(ddd) ddd-dddd", "(ddd)ddd-dddd", "(ddd) ddd dddd"} {
		f, end := match(s.t, i, text)
		if end == 0 || !s.ends(end) || !northAmerican(f.c[:10]) || s.o.SkipTests && fictional(f.c[:10]) {
			continue
		}
		if s.o.Kinds.has(us) {
			return s.report(us, Shaped, i, end)
		}
		return s.report(ca, Shaped, i, end)
	}
	return 0
}
