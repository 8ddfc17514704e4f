package guard

import (
	"net/netip"
	"strings"
)

// personal looks for data about people: what is written so that it can be
// checked. Names and addresses need a language model and are not its business.
//
// One check digit passes one row of digits in ten, so such a row also needs its
// printed grouping or a word nearby that says what it is. IBAN (mod 97 and a
// table of lengths) and cards (an issuer's range and the Luhn sum) stand alone.
func (s *scan) personal(r *reading) {
	t := r.text
	for i := 0; i < len(t); {
		c := t[i]
		var n int
		switch {
		case c == '@':
			n = s.email(r, i)
		case c == '+' || c == '(':
			n = s.phone(r, i)
		case '0' <= c && c <= '9':
			n = s.digits(r, i)
		case 'A' <= c && c <= 'Z':
			n = s.capitals(r, i)
		}
		i += max(n, 1)
	}
}

func (s *scan) person(r *reading, rule, label, what string, i, j int) int {
	s.sensitiveAt(r, sight{rule: "personal." + rule, kind: "personal", why: "The text contains " + what + ".", label: label}, i, j)
	return j - i
}

// email finds local@domain (RFC 5321, section 4.5.3.1 for the lengths). Domains
// that are reserved for examples (RFC 2606) are nobody's.
func (s *scan) email(r *reading, at int) int {
	t := r.text
	lo := at
	for lo > 0 && at-lo < 64 && (isWordByte(t[lo-1]) || t[lo-1] >= 128 || strings.IndexByte(".%+-'", t[lo-1]) >= 0) {
		lo--
	}
	lo = at - len(strings.TrimLeft(t[lo:at], ".'-"))
	hi := at + 1
	for hi < len(t) && hi-at < 254 && (isWordByte(t[hi]) || t[hi] == '-' || t[hi] == '.' || t[hi] >= 128) {
		hi++
	}
	domain := strings.TrimRight(t[at+1:hi], ".-_")
	dot := strings.LastIndexByte(domain, '.')
	if lo == at || dot < 1 || domain[0] == '.' || domain[0] == '-' || strings.Contains(domain, "..") || !topLevel(domain[dot+1:]) || reserved(domain) {
		return 0
	}
	n := s.person(r, "email", "email", "an e-mail address", lo, at+1+len(domain))
	return n - (at - lo)
}

func topLevel(s string) bool {
	if len(s) < 2 || len(s) > 24 {
		return false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; s[i] < 128 && (c < 'a' || c > 'z') && !strings.HasPrefix(s, "xn--") {
			return false
		}
	}
	return true
}

func reserved(domain string) bool {
	d := "." + strings.ToLower(domain)
	for _, end := range []string{".example", ".invalid", ".test", ".localhost", ".example.com", ".example.org", ".example.net", ".local", ".internal"} {
		if strings.HasSuffix(d, end) {
			return true
		}
	}
	return false
}

// A run is a row of digits with single separators, as numbers are printed.
type run struct {
	digits  []byte
	groups  []int // how many digits each group has
	lo, hi  int
	bracket bool
}

// row reads a run of at most max digits from i on.
func rowOfDigits(t string, i, limit int) run {
	r := run{lo: i, hi: i}
	group, bracket := 0, false
	for j := i; j < len(t) && len(r.digits) < limit; j++ {
		c := t[j]
		if '0' <= c && c <= '9' {
			r.digits = append(r.digits, c)
			group++
			r.hi = j + 1
			r.bracket = r.bracket || bracket
			continue
		}
		if strings.IndexByte(" -./()", c) < 0 || group == 0 && c != '(' && (j == i || t[j-1] != ')') || j > r.hi+1 {
			break
		}
		if c == '(' || c == ')' {
			bracket = true
		}
		if group > 0 {
			r.groups = append(r.groups, group)
			group = 0
		}
	}
	if group > 0 {
		r.groups = append(r.groups, group)
	}
	return r
}

func (r run) is(groups ...int) bool {
	if len(r.groups) != len(groups) {
		return false
	}
	for i, n := range groups {
		if r.groups[i] != n {
			return false
		}
	}
	return true
}

// phone finds international numbers (ITU-T E.164: + and 8 to 15 digits of a
// country code in use), and the North American form with its brackets.
func (s *scan) phone(r *reading, i int) int {
	t := r.text
	if i > 0 && (isWordByte(t[i-1]) || t[i-1] == '+') {
		return 0
	}
	if t[i] == '(' {
		n := rowOfDigits(t, i, 11)
		if !n.is(3, 3, 4) || n.digits[0] < '2' || n.digits[3] < '2' || wordAfter(t, n.hi) {
			return 0
		}
		return s.person(r, "phone", "phone", "a telephone number", i, n.hi)
	}
	if i+1 >= len(t) || t[i+1] < '1' || t[i+1] > '9' {
		return 0
	}
	n := rowOfDigits(t, i+1, 16)
	if len(n.digits) < 8 || len(n.digits) > 15 || wordAfter(t, n.hi) || len(n.groups) > 7 || !countryCode(n.digits) {
		return 0
	}
	return s.person(r, "phone", "phone", "a telephone number", i, n.hi)
}

func wordAfter(t string, i int) bool {
	return i < len(t) && (isWordByte(t[i]) || t[i] == '@') || i+1 < len(t) && t[i] == '.' && isWordByte(t[i+1])
}

// countryCode reports whether digits begin with a code that ITU-T has assigned
// (E.164, annex: one digit for zones 1 and 7, two, or three).
func countryCode(d []byte) bool {
	if d[0] == '1' {
		return len(d) == 11 && d[1] >= '2' && d[4] >= '2'
	}
	if d[0] == '7' {
		return len(d) == 11
	}
	two := string(d[:2])
	if strings.Contains(" 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 ", " "+two+" ") {
		return len(d) >= 9
	}
	return strings.Contains(" 21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 80 85 88 96 97 99 ", " "+two+" ")
}

// digits tries what begins with a digit: card, social security number, address
// of the Internet.
func (s *scan) digits(r *reading, i int) int {
	t := r.text
	if i > 0 && (isWordByte(t[i-1]) || i > 1 && (t[i-1] == '.' || t[i-1] == '-') && isWordByte(t[i-2])) {
		return skipNumber(t, i)
	}
	n := rowOfDigits(t, i, 20)
	d := n.digits
	clear := !wordAfter(t, n.hi)
	switch {
	case clear && len(d) >= 13 && len(d) <= 19 && card(d) && cardGroups(n):
		return s.person(r, "card", "card", "a payment card number", i, n.hi)
	case clear && n.is(3, 2, 4) && ssn(d):
		return s.person(r, "us-ssn", "ssn", "a US social security number", i, n.hi)
	case clear && len(d) == 9 && len(n.groups) == 1 && ssn(d) && s.near(t, i, n.hi, "ssn", "social security"):
		return s.person(r, "us-ssn", "ssn", "a US social security number", i, n.hi)
	case clear && len(d) == 11 && germanTax(d) && s.near(t, i, n.hi, "steuer", "tax id", "idnr", "tin"):
		return s.person(r, "de-tax-id", "tax-id", "a German tax number", i, n.hi)
	case clear && len(d) == 10 && nhs(d) && s.near(t, i, n.hi, "nhs"):
		return s.person(r, "uk-nhs", "health-id", "a British health service number", i, n.hi)
	case clear && (n.is(3, 3, 4) || len(d) >= 9 && len(d) <= 12) && s.near(t, i, n.hi, "phone", "telefon", "tel:", "tel.", "tel ", "mobile", "handy", "fax", "call me", "cell"):
		return s.person(r, "phone", "phone", "a telephone number", i, n.hi)
	}
	if j := s.address(r, i); j > 0 {
		return j
	}
	return skipNumber(t, i)
}

// skipNumber measures the word at i, so that no part of it is tried again.
func skipNumber(t string, i int) int {
	j := i
	for j < len(t) && isWordByte(t[j]) {
		j++
	}
	return j - i
}

// near reports whether one of the words stands in the name of the value, in the
// 40 bytes before i, or in the 20 after j.
func (s *scan) near(t string, i, j int, words ...string) bool {
	around := strings.ToLower(s.key + " " + t[max(0, i-40):i] + " " + t[j:min(len(t), j+20)])
	for _, w := range words {
		if strings.Contains(around, w) {
			return true
		}
	}
	return false
}

// card checks the issuer's range, the length and the Luhn sum (ISO/IEC 7812-1,
// annex B). Rows of one digit are nobody's.
func card(d []byte) bool {
	two := int(d[0]-'0')*10 + int(d[1]-'0')
	four := two*100 + int(d[2]-'0')*10 + int(d[3]-'0')
	n := len(d)
	var known bool
	switch {
	case d[0] == '4':
		known = n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		known = n == 16
	case two == 34 || two == 37:
		known = n == 15
	case two == 36 || two == 38 || two == 39 || four >= 3000 && four <= 3059:
		known = n == 14 || n == 16
	case four == 6011 || two == 65 || four >= 6440 && four <= 6499 || four >= 3528 && four <= 3589 || two == 62:
		known = n >= 16
	case two == 50 || two == 67 || four == 6304 || four == 6390:
		known = n >= 13
	}
	return known && luhn(d) && strings.Trim(string(d), string(d[:1])) != ""
}

// cardGroups refuses groupings that no card is printed in.
func cardGroups(n run) bool {
	if len(n.groups) == 1 {
		return true
	}
	if n.bracket || len(n.groups) > 5 {
		return false
	}
	for _, g := range n.groups {
		if g < 3 || g > 7 {
			return false
		}
	}
	return true
}

func luhn(d []byte) bool {
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
	return sum%10 == 0
}

// ssn applies the rules of the US Social Security Administration since 2011: no
// area 000, 666 or 9xx, no group 00, no serial 0000; two numbers were printed in
// advertisements.
func ssn(d []byte) bool {
	s := string(d)
	return s[:3] != "000" && s[:3] != "666" && s[0] != '9' && s[3:5] != "00" && s[5:] != "0000" &&
		s != "078051120" && s != "219099999" && s != "123456789"
}

// germanTax checks the Steuer-IdNr: ISO 7064 MOD 11,10, first digit not 0, and
// among the first ten one digit stands twice or three times and one or two are
// missing.
func germanTax(d []byte) bool {
	if d[0] == '0' {
		return false
	}
	var count [10]int
	product := 10
	for _, c := range d[:10] {
		count[c-'0']++
		sum := (int(c-'0') + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	repeated := 0
	for _, n := range count {
		if n > 3 {
			return false
		}
		if n > 1 {
			repeated++
		}
	}
	return repeated == 1 && (11-product)%10 == int(d[10]-'0')
}

// nhs checks the British health number: weights 10 to 2, modulo 11.
func nhs(d []byte) bool {
	sum := 0
	for i, c := range d[:9] {
		sum += int(c-'0') * (10 - i)
	}
	check := (11 - sum%11) % 11
	return check != 10 && check == int(d[9]-'0')
}

// address finds an IPv4 address that belongs to somebody: public, not private,
// local or reserved for documentation (RFC 5737).
func (s *scan) address(r *reading, i int) int {
	t := r.text
	j := i
	dots := 0
	for j < len(t) && j-i < 16 && ('0' <= t[j] && t[j] <= '9' || t[j] == '.') {
		if t[j] == '.' {
			dots++
		}
		j++
	}
	if dots < 3 {
		return 0
	}
	text := strings.TrimRight(t[i:j], ".")
	a, err := netip.ParseAddr(text)
	if err != nil || !a.IsGlobalUnicast() || a.IsPrivate() || documentation(a) || j < len(t) && isWordByte(t[j]) {
		return 0
	}
	if !s.near(t, i, len(t), "ip ", "ip:", "address", "client", "from ", "login", "user") {
		return 0 // a version number has four parts, too
	}
	return s.person(r, "ip-address", "ip-address", "a public Internet address", i, i+len(text))
}

func documentation(a netip.Addr) bool {
	b := a.As4()
	switch {
	case b[0] == 192 && b[1] == 0 && b[2] == 2, b[0] == 198 && b[1] == 51 && b[2] == 100, b[0] == 203 && b[1] == 0 && b[2] == 113,
		b[0] == 0, b[0] >= 224, b[0] == 100 && b[1] >= 64 && b[1] < 128, b == [4]byte{8, 8, 8, 8}, b == [4]byte{1, 1, 1, 1}:
		return true
	}
	return false
}

// ibanLengths is the length for each country of the SWIFT IBAN registry.
const ibanLengths = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22SA24SC31SD18SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20"

// capitals tries what begins with a capital letter: IBAN and the British
// insurance number.
func (s *scan) capitals(r *reading, i int) int {
	t := r.text
	if i+8 > len(t) || i > 0 && (isWordByte(t[i-1]) || t[i-1] >= 128) || t[i+1] < 'A' || t[i+1] > 'Z' {
		return 0
	}
	if n := ibanAt(t, i); n > 0 {
		return s.person(r, "iban", "iban", "a bank account number", i, i+n)
	}
	if n := ninoAt(t, i); n > 0 {
		return s.person(r, "uk-nino", "insurance-id", "a British insurance number", i, i+n)
	}
	return 0
}

// ibanAt measures an IBAN (ISO 13616): country, length, and the remainder 1 of
// the number modulo 97, with or without blanks in groups of four.
func ibanAt(t string, i int) int {
	want := 0
	for k := 0; k < len(ibanLengths); k += 4 {
		if t[i:i+2] == ibanLengths[k:k+2] {
			want = int(ibanLengths[k+2]-'0')*10 + int(ibanLengths[k+3]-'0')
			break
		}
	}
	if want == 0 {
		return 0
	}
	var c []byte
	j := i
	for j < len(t) && len(c) < want {
		switch b := t[j]; {
		case '0' <= b && b <= '9' || 'A' <= b && b <= 'Z':
			c = append(c, b)
		case (b == ' ' || b == '-') && len(c)%4 == 0 && t[j-1] != b:
		default:
			return 0
		}
		j++
	}
	if len(c) != want || j < len(t) && isWordByte(t[j]) {
		return 0
	}
	mod := 0
	for k := range c {
		b := c[(k+4)%len(c)]
		if b <= '9' {
			mod = (mod*10 + int(b-'0')) % 97
		} else {
			mod = (mod*100 + int(b-'A') + 10) % 97
		}
	}
	if mod != 1 {
		return 0
	}
	return j - i
}

// ninoAt measures a UK National Insurance number: two letters, six digits in
// pairs, and A to D (HMRC's manual NIM39110 for what the letters may be).
func ninoAt(t string, i int) int {
	if strings.IndexByte("DFIQUV", t[i]) >= 0 || strings.IndexByte("DFIOQUV", t[i+1]) >= 0 || strings.Contains("BG GB NK KN TN NT ZZ", t[i:i+2]) {
		return 0
	}
	j, digits := i+2, 0
	for j < len(t) && digits < 6 {
		if t[j] == ' ' && digits%2 == 0 && t[j-1] != ' ' {
			j++
			continue
		}
		if t[j] < '0' || t[j] > '9' {
			return 0
		}
		digits++
		j++
	}
	if j < len(t) && t[j] == ' ' {
		j++
	}
	if digits < 6 || j >= len(t) || t[j] < 'A' || t[j] > 'D' || j+1 < len(t) && isWordByte(t[j+1]) {
		return 0
	}
	return j + 1 - i
}
