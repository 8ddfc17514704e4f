package sensitive

import (
	"math/rand/v2"
	"testing"
)

// certain are the kinds whose check finds every single wrong digit. The others
// have sums where two digits fall together (10 as 0), or none.
var certain = map[string]bool{
	"card": true, "us-routing": true, "us-npi": true, "uk-nhs": true, "de-tax-id": true, "de-health": true, "de-vat": true, "fr-nir": true,
	"es-nif": true, "it-vat": true, "pl-pesel": true, "pl-nip": true, "nl-bsn": true, "ch-ahv": true,
	"no-fodselsnummer": true, "fi-hetu": true, "ca-sin": true, "au-tfn": true, "au-abn": true, "in-aadhaar": true, "za-id": true, "tr-id": true,
}

// rare are those that lots hardly ever make: their letters must be right, too.
var rare = map[string]bool{"fr-nir": true, "in-gstin": true, "it-fiscal-code": true, "it-vat": true, "ch-ahv": true, "de-vat": true}

// fill writes characters drawn by lot into a pattern.
func fill(r *rand.Rand, pattern string) string {
	b := []byte(pattern)
	for i, c := range b {
		switch c {
		case 'd':
			b[i] = byte('0' + r.IntN(10))
		case 'A':
			b[i] = byte('A' + r.IntN(26))
		case 'N':
			b[i] = alnumChars[r.IntN(36)]
		case '~':
			b[i] = '-'
		}
	}
	return string(b)
}

// Numbers that pass a check by lot are found in a text, and where the check is
// certain, no digit of them can be changed without it noticing.
func TestAWrongDigitIsNoticed(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for i := range personalRows {
		row := &personalRows[i]
		if row.check == nil || row.strength != Checked {
			continue
		}
		for _, pattern := range append(row.prints[:len(row.prints):len(row.prints)], row.loose...) {
			found := 0
			for try := 0; try < 60_000 && found < 3; try++ {
				text := fill(r, pattern)
				f, end := match(text, 0, pattern)
				if end != len(text) {
					t.Fatalf("%s: %q is not of the form %q", row.Name, text, pattern)
				}
				if row.check(f) {
					found++
					wrongDigits(t, row, f)
				}
			}
			if found == 0 && !rare[row.Name] {
				t.Errorf("%s: no number of the form %q passes", row.Name, pattern)
			}
		}
	}
}

func wrongDigits(t *testing.T, row *personalRow, f form) {
	t.Helper()
	passed, tried := 0, 0
	for i := range f.n {
		right := f.c[i]
		for d := byte('0'); d <= '9' && isDigit(right); d++ {
			if d == right {
				continue
			}
			f.c[i] = d
			tried++
			if row.check(f) {
				passed++
				if certain[row.Name] {
					t.Errorf("%s: %s passes with another digit at %d", row.Name, f.c[:f.n], i)
				}
			}
		}
		f.c[i] = right
	}
	if passed*3 > tried {
		t.Errorf("%s: %d of %d wrong digits pass", row.Name, passed, tried)
	}
}

// Accounts are made here by their own rule: the two digits that leave 1 by 97.
func TestAWrongCharacterOfAnAccountIsNoticed(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for k := 0; k < len(ibanLengths); k += 4 {
		n := decimal(ibanLengths[k+2 : k+4])
		b := []byte(ibanLengths[k:k+2] + "00" + lot(r, alnumChars[:10], n-4))
		sum := 98 - mod97(mod97(0, b[4:]), b[:4])
		b[2], b[3] = byte('0'+sum/10), byte('0'+sum%10)
		check(t, "iban", string(b), Options{}, true)
		for i := 2; i < n; i++ {
			right := b[i]
			b[i] = '0' + (right-'0'+1)%10
			check(t, "iban", string(b), Options{}, false)
			b[i] = right
		}
	}
}

// The published values of Ethereum's hash show in the addresses of EIP-55, those
// of the sums of Bitcoin in the keys of their own documents; each wrong character
// is noticed.
func TestAWrongCharacterOfACoinIsNoticed(t *testing.T) {
	t.Parallel()
	for kind, text := range map[string]string{
		"btc-address":     "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
		"btc-private-key": "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
		"nostr-key":       "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5",
	} {
		check(t, kind, text, Options{}, true)
		for i := len(text) - 1; i > 5; i-- {
			c := byte('2')
			if text[i] == c {
				c = '3'
			}
			check(t, kind, text[:i]+string(c)+text[i+1:], Options{}, false)
		}
	}
	for _, text := range []string{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"} {
		if found := findAll(t, text, "", Options{}); len(found) != 1 || found[0].Strength != Checked {
			t.Errorf("%s: %+v", text, found)
		}
	}
}

func TestDatesExist(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		day, month, year int
		leap, want       bool
	}{
		{29, 2, 2000, true, true},
		{29, 2, 1900, true, false},
		{29, 2, 2023, true, false},
		{29, 2, 0, false, true},
		{30, 2, 0, false, false},
		{31, 4, 0, false, false},
		{31, 12, 0, false, true},
		{0, 1, 0, false, false},
		{1, 13, 0, false, false},
		{1, 0, 0, false, false},
	} {
		if got := date(c.day, c.month, c.year, c.leap); got != c.want {
			t.Errorf("date(%d, %d, %d, %v) = %v", c.day, c.month, c.year, c.leap, got)
		}
	}
}
