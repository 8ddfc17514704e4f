package sensitive

import (
	"crypto/sha256"
	"strings"
)

const (
	base58Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

// base58check decodes n bytes and their four bytes of check sum, which is the
// beginning of SHA-256 of SHA-256. It returns the first byte.
func base58check(s string, n int) (version byte, ok bool) {
	var b [82]byte
	b58 := b[:n+4]
	for i := range len(s) {
		carry := strings.IndexByte(base58Alphabet, s[i])
		if carry < 0 {
			return 0, false
		}
		for k := len(b58) - 1; k >= 0; k-- {
			carry += int(b58[k]) * 58
			b58[k] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return 0, false
		}
	}
	sum := sha256.Sum256(b58[:n])
	sum = sha256.Sum256(sum[:])
	return b58[0], string(sum[:4]) == string(b58[n:])
}

// bech32 checks the sum of BIP 173 or BIP 350 over a prefix in small letters and
// the characters after the 1; either may be in capitals, not both mixed.
func bech32(prefix, data string) bool {
	sum := uint32(1)
	step := func(v byte) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for i := range len(prefix) {
		step(prefix[i] >> 5)
	}
	step(0)
	for i := range len(prefix) {
		step(prefix[i] & 31)
	}
	var upper, small bool
	for i := range len(data) {
		v := strings.IndexByte(bech32Alphabet, lower(data[i]))
		if v < 0 {
			return false
		}
		upper, small = upper || isUpper(data[i]), small || isLower(data[i])
		step(byte(v))
	}
	return (sum == 1 || sum == 0x2bc830a3) && !(upper && small)
}

func ageKey(token string) Strength {
	if bech32("age-secret-key-", token[len("AGE-SECRET-KEY-1"):]) {
		return Checked
	}
	return shaped(token[len("AGE-SECRET-KEY-1"):])
}

func nostrKey(token string) Strength {
	if bech32("nsec", token[5:]) {
		return Checked
	}
	return 0
}

// longWord tries addresses of Bitcoin and Ethereum.
func (s *scan) longWord(i, end int) int {
	w := s.t[i:end]
	n := len(w)
	switch {
	case n <= 35 && (w[0] == '1' || w[0] == '3'):
		if v, ok := base58check(w, 21); !ok || v != 0 && v != 5 {
			return 0
		}
		return s.report(kindBitcoin, Checked, i, end)
	case (n == 42 || n == 62) && (w[:4] == "bc1q" || w[:4] == "bc1p" || w[:4] == "BC1Q" || w[:4] == "BC1P"):
		if bech32("bc", w[3:]) {
			return s.report(kindBitcoin, Checked, i, end)
		}
	case n == 42 && w[:2] == "0x" && isHex(w[2:]):
		if k := ethereum(w[2:]); k != 0 {
			return s.report(kindEthereum, k, i, end)
		}
	}
	return 0
}

// ethereum checks an address: in mixed case, the case of its letters says four
// bits each of the Keccak-256 of the small ones (EIP-55). In one case there is
// nothing to check, and rows of few digits are burnt or made up.
func ethereum(w string) Strength {
	var small [40]byte
	upper, lowers := false, false
	var seen [16]bool
	distinct := 0
	for i := range len(w) {
		small[i] = lower(w[i])
		upper, lowers = upper || isUpper(w[i]), lowers || isLower(w[i])
		if v := strings.IndexByte("0123456789abcdef", small[i]); !seen[v] {
			seen[v] = true
			distinct++
		}
	}
	if distinct < 6 {
		return 0
	}
	if !upper || !lowers {
		return Shaped
	}
	sum := keccak256(small)
	for i := range small {
		nibble := sum[i/2] >> (4 * (1 - i%2)) & 15
		if small[i] > '9' && isUpper(w[i]) != (nibble >= 8) {
			return 0
		}
	}
	return Checked
}
