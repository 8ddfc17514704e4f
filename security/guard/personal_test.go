package guard

import (
	"strings"
	"testing"
)

// The valid numbers are published samples; each twin differs in a digit, or in
// what stands around it.
func TestPersonalDataIsFoundAndItsTwinsAreNot(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	for _, c := range []struct{ rule, yes, no string }{
		{"personal.email", "ann.o'neil+x@mail.northwind.eu", "ann@example.com"},
		{"personal.email", "jürgen@müller.de", "@northwind and a@b and 3@4.5"},
		{"personal.phone", "+49 40 1234567", "+49 40"},
		{"personal.phone", "+14155552671", "+1415555267"},
		{"personal.phone", "+44 (0)20 7946 0958", "+999 1"},
		{"personal.phone", "(415) 555-2671", "(415) 555"},
		{"personal.phone", "phone 415-555-2671", "order 415-555-2671"},
		{"personal.iban", "DE89 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"},
		{"personal.iban", "GB82WEST12345698765432", "GB82WEST1234569876543"},
		{"personal.card", "4111 1111 1111 1111", "4111 1111 1111 1112"},
		{"personal.card", "378282246310005", "378282246310006"},
		{"personal.card", "5555-5555-5555-4444", "5555-5555-5555-4445"},
		{"personal.card", "4111111111111111", "9111111111111111"},
		{"personal.us-ssn", "536-22-1234", "666-22-1234 and 536-00-1234"},
		{"personal.us-ssn", "SSN 536221234", "part 536221234"},
		{"personal.de-tax-id", "Steuer-IdNr. 86095742719", "Steuer-IdNr. 86095742718"},
		{"personal.uk-nhs", "NHS number 943 476 5919", "NHS number 943 476 5918"},
		{"personal.uk-nino", "AB 12 34 56 C", "AB 12 34 56 E and BG123456A"},
		{"personal.ip-address", "login from 93.184.216.34", "version 93.184.216.34 of it; from 192.168.0.1 and from 203.0.113.7"},
	} {
		for _, frame := range []string{"%", "Note: % is on file.", "(%)", "straße %\n"} {
			text := strings.Replace(frame, "%", c.yes, 1)
			found := false
			for _, s := range g.scan(text, "", false, true) {
				checkSpan(t, text, s)
				found = found || s.rule == c.rule
			}
			if !found {
				t.Errorf("%s: not found in %q", c.rule, text)
			}
			for _, s := range g.scan(strings.Replace(frame, "%", c.no, 1), "", false, true) {
				t.Errorf("%s: the twin %q has %s at %d to %d", c.rule, c.no, s.rule, s.lo, s.hi)
			}
		}
	}
}

func TestFullWidthDigitsAreDigits(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	wide := mapRunes("4111111111111111", func(r rune) string { return string(r - '0' + '０') })
	s, found, err := g.Screen("Karte "+wide+" gültig", caller, "", OutRules{}, Pardon{})
	if err != nil || string(s.Bytes()) != `"Karte [redacted:card] gültig"` || found[0].Read != foldedText {
		t.Errorf("Screen = %s, %+v, %v", s.Bytes(), found, err)
	}
}

func TestOrdinaryNumbersAreNobodys(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	for _, text := range []string{
		"On 2026-03-01 at 12:30:45 we shipped 1,234,567 units of part 1234-5678-9012.",
		"trace 670671cd97404156226e507973f2ab83 took 1700000000000000 ns",
		"ISBN 978-3-16-148410-0, section 4.1.2.3, build 10.0.19045.2965",
		"550e8400-e29b-41d4-a716-446655440000",
		"a + b = 12 and (2024) 100-2000",
		"The fee is EUR 25.000,00 for 36 months (Annex 3).",
	} {
		if found := g.scan(text, "", false, true); len(found) > 0 {
			t.Errorf("%q: %s at %d to %d", text, found[0].rule, found[0].lo, found[0].hi)
		}
	}
}
