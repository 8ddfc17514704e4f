package guard

import (
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
	"math"
	"strings"
)

// A token rule finds a vendor's key by how it begins. Sources: the vendors'
// documentation of their formats.
type tokenRule struct {
	prefix   string
	rule     string
	why      string
	min, max int    // characters after the prefix
	chars    string // what they are: the name of a class, see charClass
	check    func(token string) bool
}

var tokenRules = []tokenRule{
	{"AKIA", "secret.aws-key", "an AWS access key", 16, 16, "base32", nil},
	{"ASIA", "secret.aws-key", "an AWS session key", 16, 16, "base32", nil},
	{"ghp_", "secret.github-token", "a GitHub token", 36, 255, "alnum", githubSum},
	{"gho_", "secret.github-token", "a GitHub token", 36, 255, "alnum", githubSum},
	{"ghu_", "secret.github-token", "a GitHub token", 36, 255, "alnum", githubSum},
	{"ghs_", "secret.github-token", "a GitHub token", 36, 255, "alnum", githubSum},
	{"ghr_", "secret.github-token", "a GitHub token", 36, 255, "alnum", githubSum},
	{"github_pat_", "secret.github-token", "a GitHub token", 60, 255, "word", nil},
	{"glpat-", "secret.gitlab-token", "a GitLab token", 20, 255, "url", nil},
	{"xoxb-", "secret.slack-token", "a Slack token", 20, 255, "url", mixed},
	{"xoxp-", "secret.slack-token", "a Slack token", 20, 255, "url", mixed},
	{"xoxa-", "secret.slack-token", "a Slack token", 20, 255, "url", mixed},
	{"xoxe-", "secret.slack-token", "a Slack token", 20, 255, "url", mixed},
	{"xapp-", "secret.slack-token", "a Slack token", 20, 255, "url", mixed},
	{"hooks.slack.com/services/T", "secret.slack-webhook", "a Slack webhook", 30, 90, "path", mixed},
	{"sk_live_", "secret.stripe-key", "a Stripe key", 16, 255, "alnum", nil},
	{"rk_live_", "secret.stripe-key", "a Stripe key", 16, 255, "alnum", nil},
	{"sk_test_", "secret.stripe-key", "a Stripe test key", 16, 255, "alnum", mixed},
	{"whsec_", "secret.stripe-key", "a webhook secret", 24, 255, "word", mixed},
	{"AIza", "secret.google-key", "a Google API key", 35, 35, "url", mixed},
	{"ya29.", "secret.google-token", "a Google access token", 30, 2000, "url", mixed},
	{"GOCSPX-", "secret.google-secret", "a Google client secret", 28, 28, "url", mixed},
	{"sk-ant-", "secret.anthropic-key", "an Anthropic key", 32, 255, "url", mixed},
	{"sk-proj-", "secret.openai-key", "an OpenAI key", 32, 255, "url", mixed},
	{"sk-svcacct-", "secret.openai-key", "an OpenAI key", 32, 255, "url", mixed},
	{"sk-", "secret.openai-key", "an OpenAI key", 40, 64, "alnum", mixed},
	{"hf_", "secret.hugging-face-token", "a Hugging Face token", 34, 40, "alnum", mixed},
	{"npm_", "secret.npm-token", "an npm token", 36, 36, "alnum", githubSum},
	{"SG.", "secret.sendgrid-key", "a SendGrid key", 60, 80, "dotted", mixed},
	{"hvs.", "secret.vault-token", "a Vault token", 24, 255, "url", mixed},
	{"dop_v1_", "secret.digitalocean-token", "a DigitalOcean token", 64, 64, "alnum", nil},
	{"AGE-SECRET-KEY-1", "secret.age-key", "an age private key", 58, 58, "alnum", nil},
	{"eyJ", "secret.jwt", "a JSON Web Token", 30, 8000, "dotted", isJWT},
}

func charClass(name string, c byte) bool {
	switch name {
	case "base32":
		return 'A' <= c && c <= 'Z' || '2' <= c && c <= '7'
	case "alnum":
		return c != '_' && isWordByte(c)
	case "word":
		return isWordByte(c)
	case "url":
		return isWordByte(c) || c == '-'
	case "dotted":
		return isWordByte(c) || c == '-' || c == '.'
	default: // path
		return isWordByte(c) || c == '-' || c == '/'
	}
}

// tokensBy lists the rules by the first byte of their prefix.
var tokensBy = func() (t [256][]*tokenRule) {
	for i := range tokenRules {
		r := &tokenRules[i]
		t[r.prefix[0]] = append(t[r.prefix[0]], r)
	}
	return t
}()

// secrets looks for keys, tokens, private keys and passwords.
func (s *scan) secrets(r *reading) {
	t := r.text
	inWord := false
	for i := 0; i < len(t); {
		c := t[i]
		n := 0
		switch {
		case c == '-' || c == ':' || c == '=':
			n = s.secretSign(r, i)
		case !inWord && tokensBy[c] != nil:
			n = s.token(r, i)
		}
		i += max(n, 1)
		inWord = isWordByte(t[i-1])
	}
}

// secretSign tries what a sign announces: a private key, an address with a
// password, or a value that is called one. It returns the length of what it found.
func (s *scan) secretSign(r *reading, i int) int {
	t := r.text
	switch {
	case t[i] == '-':
		return s.pem(r, i)
	case strings.HasPrefix(t[i:], "://"):
		return s.credentialsInURL(r, i)
	}
	return s.assignment(r, i)
}

// token tries the vendors' keys that begin with the byte at i.
func (s *scan) token(r *reading, i int) int {
	t := r.text
	for _, rule := range tokensBy[t[i]] {
		if !strings.HasPrefix(t[i:], rule.prefix) {
			continue
		}
		if rule.rule == "secret.jwt" && !jwtHeader(t, i) {
			continue
		}
		j := i + len(rule.prefix)
		for j < len(t) && j-i-len(rule.prefix) <= rule.max && charClass(rule.chars, t[j]) {
			j++
		}
		for j > i && (t[j-1] == '.' || t[j-1] == '-') {
			j--
		}
		n := j - i - len(rule.prefix)
		if n < rule.min || n > rule.max || rule.check != nil && !rule.check(t[i:j]) {
			continue
		}
		s.secret(r, rule.rule, "The text contains "+rule.why+".", i, j)
		return j - i
	}
	return 0
}

func (s *scan) secret(r *reading, rule, why string, i, j int) {
	s.sensitiveAt(r, sight{rule: rule, kind: "secret", why: why, label: "secret"}, i, j)
}

// sensitiveAt keeps a sight of a secret or of personal data.
func (s *scan) sensitiveAt(r *reading, n sight, i, j int) {
	n.lo, n.hi = r.span(s.original, i, j)
	n.read = s.name(r, n.lo, n.hi, i, j)
	s.out = append(s.out, n)
}

// githubSum checks the CRC-32 in the last six digits of the newer GitHub and npm
// tokens (GitHub, "Behind GitHub's new authentication token formats", 2021). A
// token of another length has none, and counts if it looks random.
func githubSum(token string) bool {
	_, body, ok := strings.Cut(token, "_")
	if !ok || len(body) != 36 {
		return mixed(token)
	}
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var sum [6]byte
	n := crc32.ChecksumIEEE([]byte(body[:30]))
	for i := 5; i >= 0; i-- {
		sum[i] = digits[n%62]
		n /= 62
	}
	// A wrong sum is a made-up token, or one of a format that changed: random ones
	// still count, since a miss costs more than a false alarm.
	return string(sum[:]) == body[30:] || mixed(body)
}

// mixed reports whether a token looks random: several kinds of characters, and
// not the same few over and over.
func mixed(token string) bool {
	var digits, upper, lower int
	for _, c := range []byte(token) {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case 'A' <= c && c <= 'Z':
			upper++
		case 'a' <= c && c <= 'z':
			lower++
		}
	}
	return digits > 0 && upper+lower > 0 && entropy(token) > 3
}

// entropy is Shannon's, in bits for each byte.
func entropy(s string) float64 {
	var count [256]int
	for _, c := range []byte(s) {
		count[c]++
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

// isJWT asks for the three parts of a signed token (RFC 7519, section 3.1).
func isJWT(token string) bool { return strings.Count(token, ".") >= 2 }

// jwtHeader decodes the first part: a JSON object with an algorithm. It is asked
// before the token is measured, so that a text of nothing but beginnings costs
// little.
func jwtHeader(t string, i int) bool {
	end := strings.IndexByte(t[i:min(len(t), i+1024)], '.')
	if end < 0 || i > 0 && t[i-1] == '-' {
		return false
	}
	b, err := base64.RawURLEncoding.DecodeString(t[i : i+end])
	if err != nil {
		return false
	}
	var header struct {
		Alg string `json:"alg"`
	}
	return json.Unmarshal(b, &header) == nil && header.Alg != ""
}

// pem finds the first line of a private key (RFC 7468, section 10) and takes
// all of it, or what there is of it.
func (s *scan) pem(r *reading, i int) int {
	const begin, kind, dashes = "-----BEGIN ", "PRIVATE KEY", "-----"
	t := r.text
	if !strings.HasPrefix(t[i:], begin) {
		return 0
	}
	head := t[i:min(len(t), i+80)]
	k := strings.Index(head, kind)
	if k < 0 || strings.Contains(head[len(begin):k], "\n") {
		return 0
	}
	j := min(len(t), i+16<<10)
	if e := strings.Index(t[i:j], "-----END "); e >= 0 {
		j = i + e
		if f := strings.Index(t[j+9:min(len(t), j+80)], dashes); f >= 0 {
			j += 9 + f + len(dashes)
		}
	} else {
		j = i + k + len(kind)
		for j < len(t) && (base64Byte[t[j]] || strings.IndexByte("=\r\n", t[j]) >= 0) {
			j++
		}
	}
	s.secret(r, "secret.private-key", "The text contains a private key.", i, j)
	return j - i
}

// credentialsInURL finds the password in scheme://user:password@host (RFC 3986,
// section 3.2.1).
func (s *scan) credentialsInURL(r *reading, i int) int {
	t := r.text
	rest := t[i+3 : min(len(t), i+3+300)]
	end := strings.IndexAny(rest, "/?# \t\r\n\"'`<>)")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@')
	if at < 0 {
		return 0
	}
	colon := strings.IndexByte(rest[:at], ':')
	if colon < 0 || !password(rest[colon+1:at]) {
		return 0
	}
	lo := i + 3 + colon + 1
	s.secret(r, "secret.url-password", "The text contains an address with a password in it.", lo, i+3+at)
	return 3 + at
}

// secretNames are what stands before a password or key in a text. They match
// the end of the name.
var secretNames = []string{
	"password", "passwd", "pwd", "passwort", "kennwort", "secret", "api_key", "apikey", "api-key", "api key", "token", "access_key",
	"secret_key", "secretkey", "private_key", "client_secret", "auth_token", "bearer", "authorization", "passphrase", "credential",
	"accountkey", "sharedaccesskey", "accesskey",
}

// assignment finds "password = …", "api_key: …" and "Authorization: Bearer …".
func (s *scan) assignment(r *reading, i int) int {
	t := r.text
	name := strings.TrimRight(t[max(0, i-24):i], " \t\"'`:]*")
	if name == "" || !secretEnds[name[len(name)-1]|0x20] {
		return 0
	}
	if name = strings.ToLower(name); !endsInSecretName(name) {
		return 0
	}
	j := i + 1
	for j < len(t) && j < i+8 && strings.IndexByte(" \t\"'`=>:*", t[j]) >= 0 {
		j++
	}
	for _, scheme := range []string{"Bearer ", "Basic ", "bearer ", "basic "} {
		if strings.HasPrefix(t[j:], scheme) {
			j += len(scheme)
			break
		}
	}
	end := j
	for end < len(t) && end < j+256 && t[end] > ' ' && strings.IndexByte("\"'`,;<>()|", t[end]) < 0 {
		end++
	}
	end = j + len(strings.TrimRight(t[j:end], ".}]&"))
	if !password(t[j:end]) {
		return 0
	}
	rule, why := "secret.key", "The text contains a value that looks random and is called a key or token."
	if strings.HasSuffix(name, "word") || strings.HasSuffix(name, "wd") || strings.HasSuffix(name, "wort") || strings.HasSuffix(name, "phrase") {
		rule, why = "secret.password", "The text contains a value that is called a password."
	} else if len(t[j:end]) < 16 || !mixed(t[j:end]) {
		return 0
	}
	s.secret(r, rule, why, j, end)
	return end - i
}

// secretEnds are the last letters of the names, to tell most others at once.
var secretEnds = func() (t [256]bool) {
	for _, n := range secretNames {
		t[n[len(n)-1]] = true
	}
	return t
}()

func endsInSecretName(name string) bool {
	for _, n := range secretNames {
		if strings.HasSuffix(name, n) {
			return true
		}
	}
	return false
}

// password tells a password from a word that describes one, from a variable and
// from a mask: at least eight characters, letters and something else.
func password(p string) bool {
	if len(p) < 8 || strings.ContainsAny(p, "{}<>$()[]") || strings.Contains(p, "...") || strings.Contains(p, "://") || strings.Contains(p, "**") {
		return false
	}
	low := strings.ToLower(p)
	for _, word := range []string{"example", "your", "xxx", "changeme", "placeholder", "redacted", "os.environ", "process.env", "getenv", "config.", "self.", "dummy", "secret_key", "api_key", "api-key", "access_token", "insert"} {
		if strings.Contains(low, word) {
			return false
		}
	}
	letters, digits, signs := 0, 0, 0
	for _, c := range []byte(p) {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			letters++
		case c == '_' || c == '-' || c == '.':
			// joins words in names of variables
		default:
			signs++
		}
	}
	return letters > 0 && digits+signs > 0 && entropy(p) >= 2.5
}
