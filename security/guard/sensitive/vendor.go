package sensitive

import (
	"encoding/base64"
	"strings"
)

// longSecret tries what has no prefix: its length and what stands in its middle or
// behind it tell it.
func (s *scan) longSecret(i, end int) int {
	w := s.t[i:end]
	switch n := len(w); {
	case n <= 28 && strings.IndexByte("MNO", w[0]) >= 0 && end < len(s.t) && s.t[end] == '.':
		return s.discord(i, end)
	case n == 32 && lowHex.all(w) && strings.HasPrefix(s.t[end:], "-us"):
		return s.mailchimp(i, end)
	case n == 84 && w[52:58] == "JQQJ99" && random(w): // Microsoft, common annotated security keys
		return s.report(kindAzure, Checked, i, end)
	case n == 84 && w[76:80] == "AZDO" && random(w):
		return s.report(kindAzureDevOps, Checked, i, end)
	case n == 51 && w[0] == '5', n == 52 && (w[0] == 'K' || w[0] == 'L'):
		if v, ok := base58check(w, n-18); ok && v == 0x80 {
			return s.report(kindBitcoinKey, Checked, i, end)
		}
	case n == 111 && w[1:4] == "prv":
		if _, ok := base58check(w, 78); ok {
			return s.report(kindBitcoinKey, Checked, i, end)
		}
	}
	return 0
}

// discord decodes the first part of a bot's token, which is its number in base64;
// a time and a signature follow after dots.
func (s *scan) discord(i, end int) int {
	b, err := base64.RawStdEncoding.DecodeString(s.t[i:end])
	if err != nil {
		return 0
	}
	for _, c := range b {
		if !isDigit(c) {
			return 0
		}
	}
	j := s.body(end+1, urlSafe)
	if j-end != 7 || j >= len(s.t) || s.t[j] != '.' {
		return 0
	}
	last := s.body(j+1, urlSafe)
	if n := last - j - 1; n < 27 || n > 40 || !random(s.t[j+1:last]) {
		return 0
	}
	return s.report(kindDiscord, Checked, i, last)
}

func (s *scan) mailchimp(i, end int) int {
	j := end + 3
	n := digitsAt(s.t, j)
	if n < 1 || n > 2 || !tokenEnds(s.t, j+n) || !random(s.t[i:end]) {
		return 0
	}
	return s.report(kindMailchimp, Shaped, i, j+n)
}

// telegram: the bot's number, a colon, AA and 33 more characters.
func (s *scan) telegram(i, end int) int {
	if !strings.HasPrefix(s.t[end:], ":AA") || digitsAt(s.t, i) != end-i {
		return 0
	}
	j := s.body(end+1, urlSafe)
	if j-end != 36 || !random(s.t[end+1:j]) {
		return 0
	}
	return s.report(kindTelegram, Shaped, i, j)
}

// azureSecret finds a client secret around its 8Q~: three characters before it and
// 31 to 34 after.
func (s *scan) azureSecret(i int) int {
	t := s.t
	has := func(c byte) bool { return dotted.has(c) || c == '~' }
	if !s.looksFor(Secret) || i < 5 || t[i-1] != 'Q' || !isDigit(t[i-2]) {
		return 0
	}
	lo, hi := i-5, i+1
	for k := lo; k < i; k++ {
		if !has(t[k]) {
			return 0
		}
	}
	for hi < len(t) && hi-i <= 35 && has(t[hi]) {
		hi++
	}
	if t[hi-1] == '.' {
		hi--
	}
	if n := hi - i - 1; n < 31 || n > 34 || !random(t[i+1:hi]) || lo > 0 && has(t[lo-1]) {
		return 0
	}
	return s.report(kindAzureSecret, Shaped, lo, hi)
}

// dash tries what dashes announce: a private key, and a user of curl.
func (s *scan) dash(i int) int {
	if !s.looksFor(Secret) {
		return 0
	}
	t := s.t[i:]
	switch {
	case strings.HasPrefix(t, "-----BEGIN "), strings.HasPrefix(t, "---- BEGIN "):
		return s.pem(i)
	case strings.HasPrefix(t, "-u "):
		return s.curlUser(i, i+3)
	case strings.HasPrefix(t, "--user "):
		return s.curlUser(i, i+7)
	}
	return 0
}

// curlUser finds -u name:password on a line with curl.
func (s *scan) curlUser(i, from int) int {
	t := s.t
	line := t[max(0, i-160):i]
	line = line[strings.LastIndexByte(line, '\n')+1:]
	if !strings.Contains(line, "curl") || i == 0 || t[i-1] != ' ' {
		return 0
	}
	if from < len(t) && (t[from] == '"' || t[from] == '\'') {
		from++
	}
	end := from
	for end < len(t) && end-from < 200 && t[end] > ' ' && t[end] != '"' && t[end] != '\'' {
		end++
	}
	colon := strings.IndexByte(t[from:end], ':')
	if colon < 1 || !password(t[from+colon+1:end], true) {
		return 0
	}
	return s.report(kindBasic, Context, from+colon+1, end)
}

// pem finds a private key (RFC 7468, section 10; RFC 9580, section 6.2; RFC 4716)
// and takes all of it, or what there is of it. Ends of lines may be written \n, as
// in JSON. A first line with nothing behind it is only talked about.
func (s *scan) pem(i int) int {
	t := s.t
	head := t[i+11 : min(len(t), i+80)]
	k := strings.Index(head, "PRIVATE KEY")
	if k < 0 || k > 32 || strings.IndexByte(head[:k], '-') >= 0 || strings.IndexByte(head[:k], '\n') >= 0 {
		return 0
	}
	j := i + 11 + k + len("PRIVATE KEY")
	j += len(t[j:]) - len(strings.TrimPrefix(strings.TrimPrefix(t[j:], " BLOCK"), " BLOCK"))
	for j < len(t) && t[j] == '-' || j < len(t) && t[j] == ' ' && j+1 < len(t) && t[j+1] == '-' {
		j++
	}
	from := j
	for j < len(t) && (code64.has(t[j]) && t[j] != '-' || strings.IndexByte("\r\n\\ :,.", t[j]) >= 0 || t[j] == '-' && j+1 < len(t) && t[j+1] != '-') {
		j++
	}
	if body := t[from:j]; len(body) < 64 || !random(body[:64]) || strings.Count(body, " ")*8 > len(body) {
		return 0
	}
	if rest := t[j:min(len(t), j+80)]; strings.HasPrefix(rest, "-----END ") || strings.HasPrefix(rest, "---- END ") {
		if e := strings.Index(rest[9:], "----"); e >= 0 {
			j += 9 + e
			for j < len(t) && t[j] == '-' {
				j++
			}
		}
	}
	j = from + len(strings.TrimRight(t[from:j], "\r\n\\ "))
	return s.report(kindPrivateKey, Shaped, i, j)
}

// putty takes a key of PuTTY as far as the lines that are private go.
func (s *scan) putty(i int) int {
	t := s.t
	lines := strings.Index(t[i:min(len(t), i+4096)], "Private-Lines:")
	if lines < 0 {
		return 0
	}
	j := i + lines + len("Private-Lines:")
	for j < len(t) && (code64.has(t[j]) && t[j] != '-' || strings.IndexByte("\r\n\\ ", t[j]) >= 0) {
		j++
	}
	for j > i && !alnum.has(t[j-1]) && t[j-1] != '=' {
		j--
	}
	return s.report(kindPrivateKey, Shaped, i, j)
}
