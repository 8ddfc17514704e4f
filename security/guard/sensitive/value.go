package sensitive

import (
	"math"
	"strings"
	"unicode/utf8"
)

// A valueName is what a secret is called where it is given: the end of the name,
// in small letters and without what parts its words.
type valueName struct {
	text     string
	password bool // people choose it
	whole    bool // it must be a word of its own: compass is no pass
}

var valueNames = [...]valueName{
	{"password", true, false},
	{"passwd", true, false},
	{"pwd", true, false},
	{"pass", true, true},
	{"pw", true, true},
	{"passwort", true, false},
	{"kennwort", true, false},
	{"passphrase", true, false},
	{"passcode", true, false},
	{"wachtwoord", true, false},
	{"motdepasse", true, false},
	{"contraseña", true, false},
	{"contrasena", true, false},
	{"senha", true, true},
	{"haslo", true, true},
	{"hasło", true, true},
	{"parola", true, true},
	{"sifre", true, true},
	{"şifre", true, false},
	{"пароль", true, false},
	{"密码", true, false},
	{"密碼", true, false},
	{"パスワード", true, false},
	{"비밀번호", true, false},
	{"secret", false, false},
	{"apikey", false, false},
	{"token", false, false},
	{"accesskey", false, false},
	{"secretkey", false, false},
	{"privatekey", false, false},
	{"authkey", false, false},
	{"credential", false, false},
	{"credentials", false, false},
	{"accountkey", false, false},
	{"bearer", false, true},
	{"authorization", false, true},
	{"signingkey", false, false},
	{"encryptionkey", false, false},
	{"masterkey", false, false},
	{"servicekey", false, false},
	{"sessionkey", false, false},
	{"deploykey", false, false},
	{"licensekey", false, false},
	{"subscriptionkey", false, false},
	{"sig", false, true},
	{"auth", false, true},
	{"secretaccesskey", false, false},
	{"schlüssel", false, false},
	{"密钥", false, false},
}

// namesByEnd holds the names by their last byte: most signs are passed over by
// this.
var namesByEnd = func() (by [256][]valueName) {
	for _, n := range valueNames {
		last := n.text[len(n.text)-1]
		by[last] = append(by[last], n)
	}
	return by
}()

// nameBefore finds what the value after the sign at i is called.
func nameBefore(t string, i int) *valueName {
	for n := 0; i > 0 && n < 6 && strings.IndexByte(" \t\"'`:]*\\=", t[i-1]) >= 0; n++ {
		i--
	}
	if i == 0 {
		return nil
	}
	names := namesByEnd[lower(t[i-1])]
	for k := range names {
		if names[k].endsAt(t, i) {
			return &names[k]
		}
	}
	return nil
}

// endsAt reports whether the name ends before i. A blank, dash, line or dot may
// stand between its letters, where its words meet.
func (n *valueName) endsAt(t string, i int) bool {
	k := len(n.text)
	parted := false
	for k > 0 && i > 0 {
		c := t[i-1]
		switch {
		case lower(c) == n.text[k-1]:
			k--
			parted = false
		case strings.IndexByte(" -_.", c) >= 0 && !parted && k < len(n.text):
			parted = true
		default:
			return false
		}
		i--
	}
	if k > 0 || parted {
		return false
	}
	if !n.whole || i == 0 {
		return true
	}
	return !isAlnum(t[i-1]) && t[i-1] < utf8.RuneSelf || isUpper(t[i]) && isLower(t[i-1])
}

// assignment finds password = …, "api_key": …, Authorization: Bearer …,
// <password>…</password> and scheme://user:password@host.
func (s *scan) assignment(i int) int {
	if !s.looksFor(Secret) {
		return 0
	}
	t := s.t
	if strings.HasPrefix(t[i:], "://") {
		return s.urlPassword(i)
	}
	name := nameBefore(t, i)
	if name == nil {
		return 0
	}
	j := i + 1
	for j < len(t) && j < i+8 && strings.IndexByte(" \t\"'`=>:*\\", t[j]) >= 0 {
		j++
	}
	if e := s.scheme(name, j); e > 0 {
		return e
	}
	return s.value(name, i, j)
}

// scheme finds the credentials of an Authorization header (RFC 9110, section
// 11.6.2).
func (s *scan) scheme(name *valueName, j int) int {
	t := s.t
	if name.text != "authorization" && name.text != "token" {
		return 0
	}
	word := j
	for word < len(t) && word-j < 12 && (isAlnum(t[word]) || t[word] == '-') {
		word++
	}
	if word == j || word >= len(t) || t[word] != ' ' {
		return 0
	}
	end := s.body(word+1, code64)
	end = max(end, s.body(word+1, dotted))
	code := t[word+1 : end]
	switch strings.ToLower(t[j:word]) {
	case "basic":
		if userAndPassword(code) {
			return s.report(kindBasic, Checked, word+1, end)
		}
	case "bearer", "token", "apikey", "api-key", "key", "ssws", "splunk", "bot", "genie-key", "sso-key":
		if e := s.known(word + 1); e > 0 {
			return e
		}
		if code = strings.TrimRight(code, "."); len(code) >= 16 && len(code) <= 4096 && key(code) {
			return s.report(kindBearer, Context, word+1, word+1+len(code))
		}
	}
	return 0
}

// known finds a vendor's token where a value begins, which says more than the name
// of the value.
func (s *scan) known(i int) int {
	end := i
	for end < len(s.t) && isAlnum(s.t[end]) {
		end++
	}
	if end == i {
		return 0
	}
	return s.token(i, end)
}

// maxValue bounds a value without a vendor's form, in bytes.
const maxValue = 512

// endsValue are the signs that end a value.
var endsValue = func() (t [256]bool) {
	for c := range ' ' + 1 {
		t[c] = true
	}
	for _, c := range []byte("\"'`,;<>()|") {
		t[c] = true
	}
	return t
}()

// value judges what stands at j and is called name; the sign stands at i.
func (s *scan) value(name *valueName, i, j int) int {
	t := s.t
	quoted := j > 0 && strings.IndexByte("\"'`", t[j-1]) >= 0
	query := t[i] == '='
	end := j
	for end < len(t) && end-j <= maxValue && !endsValue[t[end]] && (!query || t[end] != '&') {
		end++
	}
	if t[i] == '>' && (end >= len(t) || t[end] != '<') || end < len(t) && strings.IndexByte("([", t[end]) >= 0 {
		return 0
	}
	end = j + len(strings.TrimRight(t[j:end], ".}]\\:"))
	if end == j || t[end-1] == '[' {
		return 0 // a place in a table: environ["PASSWORD"]
	}
	if e := s.known(j); e > 0 {
		return e
	}
	return s.judge(name, j, end, quoted)
}

// judge reports the value from j up to end under its kind, if it is a secret.
func (s *scan) judge(name *valueName, j, end int, quoted bool) int {
	v := s.t[j:end]
	row, ok := kindKey, false
	switch {
	case name.password:
		row, ok = kindPassword, password(v, quoted)
	case name.text == "auth":
		row, ok = kindBasic, userAndPassword(v)
	case name.text == "sig":
		row, ok = kindAzureSAS, isSignature(v)
	case len(v) == 40 && code64.all(v) && name.text == "accesskey":
		row, ok = kindAWS, key(v)
	case (len(v) == 44 || len(v) == 88) && code64.all(v) && v[len(v)-1] == '=' && name.text != "token":
		row, ok = kindAzure, key(v)
	default:
		ok = len(v) >= 16 && key(v)
	}
	if !ok {
		return 0
	}
	return s.report(row, Context, j, end)
}

// isSignature reports whether v is 32 bytes in base64, perhaps with its signs
// escaped for an address.
func isSignature(v string) bool {
	v = strings.TrimSuffix(strings.TrimSuffix(v, "="), "%3D")
	return len(v) >= 43 && len(v) <= 60 && len(v)-2*strings.Count(v, "%") == 43 && key(v)
}

// whole judges a text that is nothing but the value of its name.
func (s *scan) whole() {
	if s.stopped || s.name == "" || len(s.t) < minPassword || len(s.t) > maxValue || !s.looksFor(Secret) {
		return
	}
	name := nameBefore(s.name, len(s.name))
	if name == nil || strings.ContainsAny(s.t, " \t\r\n") {
		return
	}
	s.judge(name, 0, len(s.t), true)
}

// urlPassword finds the password in scheme://user:password@host (RFC 3986, section
// 3.2.1).
func (s *scan) urlPassword(i int) int {
	t := s.t
	if i == 0 || !isAlnum(t[i-1]) {
		return 0
	}
	rest := t[i+3 : min(len(t), i+303)]
	end := strings.IndexAny(rest, "/?# \t\r\n\"'`<>)\\")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@')
	if at < 0 {
		return 0
	}
	colon := strings.IndexByte(rest[:at], ':')
	if colon < 0 {
		return 0
	}
	p := rest[colon+1 : at]
	if len(p) < 3 || placeholder(p) || mask(p) || isWordForPassword(p) || p == rest[:colon] && isNearby(rest[at+1:end]) {
		return 0
	}
	return s.report(kindURLPassword, Shaped, i+3+colon+1, i+3+at)
}

// isNearby reports whether a host is this machine or a name without a dot, as
// services call each other in an example: app:app@db opens nothing elsewhere.
func isNearby(host string) bool {
	host, _, _ = strings.Cut(host, ":")
	return host == "127.0.0.1" || strings.IndexByte(host, '.') < 0
}

// isWordForPassword knows what documents write where a password belongs.
func isWordForPassword(p string) bool {
	switch strings.ToLower(p) {
	case "password", "passwd", "pass", "pw", "pwd", "secret", "token", "key", "passwort", "mypassword", "my-password", "my_password":
		return true
	}
	return false
}

// spoken finds "the password is …", and the line of a .netrc file.
func (s *scan) spoken(i, end int) int {
	t := s.t
	switch uint32(lower(t[i]))<<24 | uint32(lower(t[i+1]))<<16 | uint32(lower(t[i+2]))<<8 | uint32(lower(t[i+3])) {
	case 'm'<<24 | 'a'<<16 | 'c'<<8 | 'h':
		if t[i:end] == "machine" {
			return s.netrc(end)
		}
		return 0
	case 'p'<<24 | 'a'<<16 | 's'<<8 | 's', 'k'<<24 | 'e'<<16 | 'n'<<8 | 'n', 'w'<<24 | 'a'<<16 | 'c'<<8 | 'h':
	default:
		return 0
	}
	name := nameBefore(t, end)
	if name == nil || !name.password {
		return 0
	}
	for _, is := range [...]string{" is ", " ist ", " lautet ", " was ", " es ", " est "} {
		if !strings.HasPrefix(t[end:], is) {
			continue
		}
		j := end + len(is)
		quoted := j < len(t) && strings.IndexByte("\"'`", t[j]) >= 0
		if quoted {
			j++
		}
		stop := j
		for stop < len(t) && stop-j < 128 && t[stop] > ' ' && strings.IndexByte("\"'`,;<>()", t[stop]) < 0 {
			stop++
		}
		stop = j + len(strings.TrimRight(t[j:stop], ".!?:"))
		if v := t[j:stop]; password(v, true) && hasDigit(v) {
			return s.report(kindPassword, Context, j, stop)
		}
	}
	return 0
}

// netrc reads machine HOST login NAME password VALUE, which may be on several
// lines.
func (s *scan) netrc(i int) int {
	t := s.t
	const words = 6
	last := ""
	for range words {
		for i < len(t) && t[i] <= ' ' {
			i++
		}
		j := i
		for j < len(t) && t[j] > ' ' && j-i < 128 {
			j++
		}
		if last == "password" && password(t[i:j], true) {
			return s.report(kindNetrc, Context, i, j)
		}
		last = t[i:j]
		i = j
	}
	return 0
}

// minPassword is the shortest password that is told from a word.
const minPassword = 6

// password tells what somebody chose from a word that describes it, from a
// variable and from a mask: six characters at least, letters and something else,
// or digits alone. In source code, only what stands in quotes is no variable.
func password(p string, quoted bool) bool {
	if len(p) < minPassword || len(p) > 256 || placeholder(p) || mask(p) || !quoted && isCode(p) {
		return false
	}
	letters, others := 0, 0
	for i := range len(p) {
		switch c := p[i]; {
		case isLower(c|0x20) || c >= utf8.RuneSelf:
			letters++
		case c != '_' && c != '-' && c != '.':
			others++
		}
	}
	if at := strings.IndexByte(p, '@'); at > 0 && isDomain(p[at+1:]) {
		return false
	}
	return others > 0 && (letters > 0 || digitsAt(p, 0) == len(p)) && entropy(p) >= 2.2
}

// mask reports whether p stands for something else: a variable of a shell or a
// template, an address, a row of one sign.
func mask(p string) bool {
	if strings.IndexByte("$%&/@", p[0]) >= 0 && !strings.ContainsAny(p[1:], "!#?") && !hasDigit(p) {
		return true
	}
	return strings.Contains(p, "${") || strings.Contains(p, "$(") || strings.Contains(p, "{{") || strings.Contains(p, "...") || strings.Contains(p, "://") || strings.Contains(p, "**") || strings.Contains(p, "…") ||
		strings.Contains(p, "<%") || p[0] == '<' || p[0] == '{' || p[0] == '[' || p[0] == '$' && isIdentifier(p[1:])
}

func hasDigit(p string) bool { return strings.ContainsAny(p, "0123456789") }

func isIdentifier(p string) bool { return p != "" && wordly.all(p) }

// isCode reports whether p is an expression: names with dots or lines between
// them.
func isCode(p string) bool {
	if !dotted.all(p) {
		return false
	}
	digits := 0
	for i := range len(p) {
		if isDigit(p[i]) {
			digits++
		}
	}
	return strings.ContainsAny(p, "._") && digits < 4
}

// key asks of a value without a vendor's form that it looks random: letters and
// digits well mixed.
func key(v string) bool {
	if len(v) > 4096 || !code64.all(v) && !dotted.all(v) && !strings.Contains(v, "%") || !random(v) || isCode(v) {
		return false
	}
	changes, digits, letters := 0, 0, 0
	for i := range len(v) {
		d := isDigit(v[i])
		if d {
			digits++
		} else if isAlnum(v[i]) {
			letters++
		}
		if i > 0 && d != isDigit(v[i-1]) {
			changes++
		}
	}
	return digits >= 2 && letters >= 2 && changes >= 4 && entropy(v) >= 3
}

// entropy is Shannon's, in bits for each byte.
func entropy(s string) float64 {
	var count [256]int
	for i := range len(s) {
		count[s[i]]++
	}
	h := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(s))
			h -= p * math.Log2(p)
		}
	}
	return h
}
