package sensitive

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// checkFinding holds a finding against what every caller relies on.
func checkFinding(t testing.TB, text string, f Finding) {
	t.Helper()
	valid := utf8.ValidString(text)
	switch {
	case f.Start < 0 || f.End > len(text) || f.Start >= f.End:
		t.Fatalf("%s lies at %d to %d of %d bytes", f.Kind, f.Start, f.End, len(text))
	case valid && !utf8.RuneStart(text[f.Start]), valid && f.End < len(text) && !utf8.RuneStart(text[f.End]):
		t.Fatalf("%s at %d to %d cuts a character", f.Kind, f.Start, f.End)
	case f.Kind == "" || f.Why == "" || f.Class.String() == "none" || f.Strength.String() == "none":
		t.Fatalf("a finding says too little: %+v", f)
	}
}

// What was found, as kind and place of the original.
func places(t *testing.T, text, name string, o Options) []string {
	t.Helper()
	var out []string
	for _, f := range findAll(t, text, name, o) {
		out = append(out, f.Kind+" "+text[f.Start:f.End])
	}
	return out
}

func TestOtherDigitsAndInvisibleCharactersHideNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"full width", "Karte ４１１１　１１１１　１１１１　１１１１ gültig", "card ４１１１　１１１１　１１１１　１１１１"},
		{"Arabic-Indic", "بطاقة ٤١١١١١١١١١١١١١١١", "card ٤١١١١١١١١١١١١١١١"},
		{"Devanagari", "४१११११११११११११११", "card ४१११११११११११११११"},
		{"mathematical", "\U0001D7D2\U0001D7CF\U0001D7CF\U0001D7CF1111 1111 1111"[:16] + " 1111 1111 1111", "card \U0001D7D2\U0001D7CF\U0001D7CF\U0001D7CF 1111 1111 1111"},
		{"zero width", "4111\u200b1111\u200d1111\ufeff1111", "card 4111\u200b1111\u200d1111\ufeff1111"},
		{"soft hyphens", "DE89\u00ad3704\u00ad0044\u00ad0532\u00ad0130\u00ad00", "iban DE89\u00ad3704\u00ad0044\u00ad0532\u00ad0130\u00ad00"},
		{"no-break blanks", "4111\u00a01111\u00a01111\u00a01111", "card 4111\u00a01111\u00a01111\u00a01111"},
		{"dashes", "SSN 536\u201322\u20131234 on file", "us-ssn 536\u201322\u20131234"},
		{"full-width address", "ａｎｎ＠ｎｏｒｔｈｗｉｎｄ．ｅｕ", "email ａｎｎ＠ｎｏｒｔｈｗｉｎｄ．ｅｕ"},
		{"a token with a joiner", "AKIA\u200dQYLPMN5HFIQR7XYA", "aws-key AKIA\u200dQYLPMN5HFIQR7XYA"},
	} {
		if diff := cmp.Diff([]string{c.want}, places(t, c.text, "", Options{})); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	for _, text := range []string{"４１１１　１１１１　１１１１　１１１２", "4111\u200b1111\u200d1111\ufeff1112", "電話は１２３です。", "１９９０–１９９５"} {
		if found := places(t, text, "", Options{}); found != nil {
			t.Errorf("%q holds %q", text, found)
		}
	}
}

// An invisible digit behind a card would join it in the second reading; the first
// one finds it all the same.
func TestBothReadingsCount(t *testing.T) {
	t.Parallel()
	got := places(t, "4111111111111111\u200b7 and ann@northwind.eu, 3782\u200b822463\u200b10005", "", Options{})
	if diff := cmp.Diff([]string{"card 4111111111111111", "email ann@northwind.eu", "card 3782\u200b822463\u200b10005"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDigitsOfEveryScriptHaveTheirValue(t *testing.T) {
	t.Parallel()
	for _, r := range unicode.Nd.R16 {
		for c, n := rune(r.Lo), 0; c <= rune(r.Hi); c, n = c+1, n+1 {
			if got := foldRune(c); c > 0xA0 && got != '0'+n%10 {
				t.Errorf("%U is %c, want %d", c, rune(got), n%10)
			}
		}
	}
	for _, r := range unicode.Nd.R32 {
		for c, n := rune(r.Lo), 0; c <= rune(r.Hi); c, n = c+1, n+1 {
			if got := foldRune(c); got != '0'+n%10 {
				t.Errorf("%U is %c, want %d", c, rune(got), n%10)
			}
		}
	}
}

func TestTheNameOfTheValueCounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"ssn", "536221234", "us-ssn 536221234"},
		{"customerSsn", "536221234", "us-ssn 536221234"},
		{"steuer_id", "86095742719", "de-tax-id 86095742719"},
		{"taxId", "86095742719", "de-tax-id 86095742719"},
		{"NHS-Number", "9434765919", "uk-nhs 9434765919"},
		{"password", "Xk9$mmQ2pp", "password Xk9$mmQ2pp"},
		{"password", "ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17", "github-token ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"},
		{"apiKey", "aB3dE5fG7hJ9kL1mN2pQ", "key aB3dE5fG7hJ9kL1mN2pQ"},
		{"clientSecret", "aB3dE5fG7hJ9kL1mN2pQ", "key aB3dE5fG7hJ9kL1mN2pQ"},
	} {
		if diff := cmp.Diff([]string{c.want}, places(t, c.text, c.name, Options{})); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	for name, text := range map[string]string{"": "536221234", "lessons": "536221234", "part": "86095742719", "passwordHint": "your dog's name1", "password": "required", "compass": "north1234", "token_count": "aB3dE5fG7hJ9kL1mN2pQ"} {
		if found := places(t, text, name, Options{}); found != nil {
			t.Errorf("%q under %q holds %q", text, name, found)
		}
	}
}

func TestOptionsNarrowWhatIsFound(t *testing.T) {
	t.Parallel()
	text := "4111 1111 1111 1111, DE89 3704 0044 0532 0130 00, +1 415 555 0123, ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"
	for _, c := range []struct {
		o    Options
		want []string
	}{
		{Options{}, []string{"card", "iban", "phone", "github-token"}},
		{Options{Only: Personal}, []string{"card", "iban", "phone"}},
		{Options{Only: Secret}, []string{"github-token"}},
		{Options{SkipTests: true}, []string{"github-token"}},
	} {
		var got []string
		for _, f := range findAll(t, text, "", c.o) {
			got = append(got, f.Kind)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v: %s", c.o, diff)
		}
	}
	other := "4005 5500 0000 0019, DE02 1203 0000 0000 2020 51, +1 415 867 5309"
	if got := findAll(t, other, "", Options{SkipTests: true}); len(got) != 3 {
		t.Errorf("numbers that are nobody's test were passed over: %+v", got)
	}
}

func TestFindStopsWhenItIsTold(t *testing.T) {
	t.Parallel()
	n := 0
	Find("ann@northwind.eu bo@northwind.eu ４１１１１１１１１１１１１１１１", "", Options{}, func(Finding) bool { n++; return false })
	if n != 1 {
		t.Errorf("see was called %d times", n)
	}
}

func TestASetIsMadeOfKnownNames(t *testing.T) {
	t.Parallel()
	uk := mustSelect(t, "uk")
	for i, k := range Kinds() {
		if k.Class == Personal && uk.has(i) != (k.Country == "uk") {
			t.Errorf("uk and %s", k.Name)
		}
	}
	for _, name := range []string{"", "UK", "atlantis", "github-token"} {
		if _, err := Select("de", name); err == nil || !strings.Contains(err.Error(), "countries us, uk, de") {
			t.Errorf("Select(%q): %v", name, err)
		}
	}
}

func TestKindsHaveEachTheirName(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	personal := 0
	for i, k := range Kinds() {
		if seen[k.Name] || k.Name == "" || k.Title == "" || strings.Trim(k.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || kindNamed(k.Name) != i {
			t.Errorf("%+v", k)
		}
		seen[k.Name] = true
		if k.Class == Personal {
			personal++
		}
	}
	if personal > maxPersonal {
		t.Errorf("%d kinds of personal data do not fit into a Set", personal)
	}
}

func TestNothingIsAllocatedWhileNothingIsFound(t *testing.T) {
	for _, text := range []string{prose, "Für 3 Straßen: „ça va“ – 東京 12 km, 2024-03-01, 1,234,567 and 10.0.19045.2965, Grüße", "sk-not a key, password: required, eyes, SSN"} {
		found := false
		see := func(Finding) bool { found = true; return true }
		if n := testing.AllocsPerRun(20, func() { Find(text, "note", Options{}, see) }); n > 0 || found {
			t.Errorf("%.0f allocations for %.40q", n, text)
		}
	}
}

// The texts are the worst that each part of the scanner can be given: nothing but
// beginnings. Four times the text may take twelve times the time; quadratic work
// would take sixteen times. What a busy machine does to one measurement it does
// not do to each of five.
func TestWorkIsLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("a megabyte of each")
	}
	t.Parallel()
	every := Options{Kinds: mustSelect(t, offKinds()...)}
	took := func(part string, n int) time.Duration {
		text := strings.Repeat(part, n/len(part)+1)
		begin := time.Now()
		Find(text, "token", every, func(Finding) bool { return true })
		return time.Since(begin)
	}
	for name, part := range hostile {
		small, large := took(part, 1<<14), took(part, 1<<16)
		for try := 0; try < 4 && large > 12*small; try++ {
			small, large = max(small, took(part, 1<<14)), min(large, took(part, 1<<16))
		}
		if large > 12*small && large > 500*time.Millisecond {
			t.Errorf("%s: %v for 16 KB, %v for 64 KB", name, small, large)
		}
	}
}

var hostile = map[string]string{
	"digits": "4", "single digits": "4 1 ", "cards": "4111 1111 1111 1111 ", "almost cards": "4111 1111 1111 1112 ", "numbers with words": "ssn 536221234 ",
	"signs": "@", "addresses": "a@a.", "long local": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@", "domains": "a@b.eu@",
	"plus": "+1", "phones": "+49 40 1234567 ", "brackets": "(415) ", "prefixes": "sk-", "tokens": "ghp_", "AKIA": "AKIA", "jwt": "eyJ.", "jwt with signs": "eyJhbGciOiJIUzI1NiJ9-",
	"pem": "-----BEGIN PRIVATE KEY-----", "dashes": "-", "putty": "PuTTY-User-Key-File-3: ", "assignments": "password=", "colons": ":", "urls": "http://a:b@", "schemes": "a://",
	"authorization": "authorization: basic ", "zero width": "\u200b", "full width": "４", "escapes": "\\n", "percent": "%3D", "curl": "curl -u a:b ", "machine": "machine ",
	"capitals": "DE89 ", "ABC": "AB1", "base58": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb ", "0x": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD ", "tilde": "8Q~", "rubbish": "\xff\xfe", "ip": "1.2.3.4:", "ip6": "a:b:",
	"discord": "MTA4OTIzNDU2Nzg5MDEyMzQ1Ng.", "base64": "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t", "slack": "xoxb-1-", "iban": "GB82WEST1234569876543", "sas": "sig=aaaaaaaaaaaaaaaaaaaa",
}

func TestLongAndBrokenTextsAreRead(t *testing.T) {
	t.Parallel()
	card := "4111111111111111"
	for _, text := range []string{strings.Repeat("\u200b", 1<<20) + card, strings.Repeat("\xff", 1<<20) + " " + card, strings.Repeat("a", 1<<20) + " " + card, "\xff" + card + "\xff", "\x00" + card} {
		if got := findAll(t, text, "", Options{}); !slices.ContainsFunc(got, func(f Finding) bool { return f.Kind == "card" }) {
			t.Errorf("no card in %d bytes that begin with %.12q", len(text), text)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, c := range personCases {
		for _, text := range slices.Concat(c.yes, c.also, c.no) {
			f.Add(text, c.kind)
		}
	}
	for _, part := range hostile {
		f.Add(part+part, "password")
	}
	f.Add("Karte ４１１１　１１１１　１１１１　１１１１ \u200b gültig", "")
	every := Options{Kinds: mustSelect(f, offKinds()...)}
	f.Fuzz(func(t *testing.T, text, name string) {
		for _, o := range []Options{{}, every} {
			last := map[bool]int{}
			second := false
			Find(text, name, o, func(x Finding) bool {
				checkFinding(t, text, x)
				if x.Start < last[second] && !second {
					second = true // the second reading begins
				}
				if x.Start < last[second] {
					t.Fatalf("%s at %d, after one that ends at %d", x.Kind, x.Start, last[second])
				}
				last[second] = x.End
				return true
			})
		}
	})
}
