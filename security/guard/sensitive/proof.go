package sensitive

import (
	"encoding/base64"
	"hash/crc32"
	"strings"
)

// random reports whether a token looks drawn by lot, and not like a word, a row
// of one character or a placeholder.
func random(s string) bool {
	var seen [2]uint64
	distinct, signs := 0, 0
	var digit, upper, small bool
	for i := range len(s) {
		c := s[i] & 0x7F
		if bit := uint64(1) << (c % 64); seen[c/64]&bit == 0 {
			seen[c/64] |= bit
			distinct++
		}
		digit = digit || isDigit(c)
		upper = upper || isUpper(c)
		small = small || isLower(c)
		if !isAlnum(c) {
			signs++
		}
	}
	if distinct < min(8, len(s)/2) || signs*5 > len(s) || len(s) >= 20 && !digit && (!upper || !small) {
		return false
	}
	return !placeholder(s)
}

// placeholders are what people write where a secret belongs.
var placeholders = [...]string{"example", "placeholder", "redacted", "xxxxx", "changeme", "change_me", "change-me", "your_", "your-", "yourtoken", "yourkey", "yoursecret", "yourapi", "insert", "replace", "dummy", "00000000", "....", "****"}

func placeholder(s string) bool {
	for _, p := range placeholders {
		if containsFold(s, p) {
			return true
		}
	}
	return false
}

// containsFold is strings.Contains without regard to the case of ASCII letters;
// part is in small ones.
func containsFold(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		k := 0
		for k < len(part) && lower(s[i+k]) == part[k] {
			k++
		}
		if k == len(part) {
			return true
		}
	}
	return false
}

// shaped is the strength of a token of which only its form is known.
func shaped(body string) Strength {
	if random(body) {
		return Shaped
	}
	return 0
}

// crcToken checks tokens of GitHub and npm: the last six of 36 characters are the
// CRC-32 of the others in base 62 (GitHub, Behind GitHub's new authentication
// token formats, 2021). A wrong sum is a made-up token or a new format, and counts
// as one of the right form: a miss costs more than a false alarm.
func crcToken(token string) Strength {
	body := token[strings.IndexByte(token, '_')+1:]
	if len(body) == 36 && base62(crc32.ChecksumIEEE([]byte(body[:30]))) == [6]byte([]byte(body[30:])) {
		return Checked
	}
	return shaped(body)
}

func base62(n uint32) (b [6]byte) {
	for i := 5; i >= 0; i-- {
		b[i] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[n%62]
		n /= 62
	}
	return b
}

// grafana checks a service account token: 32 characters, and the CRC-32 of all
// before it, its lowest byte first, in hexadecimal digits.
func grafana(token string) Strength {
	if token[37] != '_' || !lowHex.all(token[38:]) {
		return 0
	}
	sum := crc32.ChecksumIEEE([]byte(token[:37]))
	for i := range 4 {
		b := byte(sum >> (8 * i))
		if token[38+2*i] != "0123456789abcdef"[b>>4] || token[39+2*i] != "0123456789abcdef"[b&15] {
			return shaped(token[5:37])
		}
	}
	return Checked
}

// isUUIDToken asks for a UUID at the end, which is not all one digit.
func isUUIDToken(token string) Strength {
	u := token[len(token)-36:]
	for i := range len(u) {
		if at := i == 8 || i == 13 || i == 18 || i == 23; at != (u[i] == '-') || !at && !isHex(u[i:i+1]) {
			return 0
		}
	}
	return shaped(u)
}

// openAI looks for the mark in the middle of the company's keys, which is OpenAI
// in base64. A key of 48 characters without it is another service's.
func openAI(token string) Strength {
	if strings.Contains(token, "T3BlbkFJ") && random(token[3:]) {
		return Checked
	}
	if len(token) == 51 && token[3:7] != "proj" {
		return 0
	}
	return shaped(token[strings.LastIndexByte(token[:min(len(token), 11)], '-')+1:])
}

// onePassword: A3, and rows of capital letters and digits with dashes between.
func onePassword(token string) Strength {
	for i := range len(token) {
		if !capital.has(token[i]) && token[i] != '-' {
			return 0
		}
	}
	return shaped(token[3:])
}

// airtable: pat, 14 characters, a dot, 64 hexadecimal digits.
func airtable(token string) Strength {
	if token[17] != '.' || !alnum.all(token[3:17]) || !lowHex.all(token[18:]) {
		return 0
	}
	return shaped(token[3:])
}

// sendgrid: SG, 22 characters, 43 characters, with dots between.
func sendgrid(token string) Strength {
	if token[25] != '.' || !urlSafe.all(token[3:25]) || !urlSafe.all(token[26:]) {
		return 0
	}
	return shaped(token[3:])
}

// resend: re, eight characters, 24 or so.
func resend(token string) Strength {
	if token[11] != '_' || !alnum.all(token[3:11]) || !alnum.all(token[12:]) {
		return 0
	}
	return shaped(token[3:])
}

// jwt decodes the header of a JSON Web Token or of an encrypted one (RFC 7515,
// 7516): an object with an algorithm.
func jwt(token string) Strength {
	head, rest, ok := strings.Cut(token, ".")
	if !ok || len(head) > 2048 || strings.IndexByte(rest, '.') < 0 {
		return 0
	}
	b, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || len(b) < 2 || b[0] != '{' || b[len(b)-1] != '}' || !strings.Contains(string(b), `"alg"`) {
		return 0
	}
	return Checked
}

// isServiceAccount reports whether a token's claims are those of a Kubernetes
// service account.
func isServiceAccount(token string) bool {
	parts := strings.SplitN(token, ".", 3)
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	return err == nil && (strings.Contains(string(b), "kubernetes.io") || strings.Contains(string(b), "system:serviceaccount:"))
}

// encodedPEM reports whether a code in base64 is a PEM block with a private key,
// as Kubernetes keeps them.
func encodedPEM(token string) Strength {
	b, err := base64.StdEncoding.DecodeString(token[:64])
	if err == nil && strings.Contains(string(b), "PRIVATE KEY") {
		return Checked
	}
	return 0
}

// userAndPassword reports whether a code in base64 is what HTTP's Basic scheme
// sends (RFC 7617).
func userAndPassword(code string) bool {
	code = strings.TrimRight(code, "=")
	if len(code) < 8 || len(code) > 400 {
		return false
	}
	b, err := base64.RawStdEncoding.DecodeString(code)
	if err != nil {
		return false
	}
	_, password, ok := strings.Cut(string(b), ":")
	for _, c := range b {
		if c < ' ' || c == 0x7F {
			return false
		}
	}
	return ok && len(password) >= 3 && !placeholder(password)
}
