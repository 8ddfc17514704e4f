package sensitive

// An issuer is a range of card numbers by their first four digits, with the
// lengths that it uses. Source: the card schemes' published ranges.
type issuer struct{ from, to, min, max int }

var issuers = [...]issuer{
	{2200, 2204, 16, 19}, // Mir
	{2221, 2720, 16, 16}, // Mastercard
	{3000, 3059, 14, 19}, // Diners Club
	{3095, 3095, 14, 19},
	{3400, 3499, 15, 15}, // American Express
	{3528, 3589, 16, 19}, // JCB
	{3600, 3699, 14, 19}, // Diners Club
	{3700, 3799, 15, 15}, // American Express
	{3800, 3999, 14, 19}, // Diners Club
	{4000, 4999, 13, 19}, // Visa: 13, 16, 19
	{5000, 5099, 13, 19}, // Maestro, Verve, Elo
	{5100, 5599, 16, 16}, // Mastercard
	{5600, 5899, 13, 19}, // Maestro
	{6011, 6011, 16, 19}, // Discover
	{6062, 6062, 16, 16}, // Hipercard
	{6200, 6299, 16, 19}, // UnionPay
	{6300, 6399, 13, 19}, // Maestro
	{6440, 6599, 16, 19}, // Discover, RuPay, Troy
	{6700, 6799, 13, 19}, // Maestro
	{8100, 8199, 16, 19}, // UnionPay
	{9792, 9792, 16, 16}, // Troy
}

// card checks issuer, length and Luhn's sum (ISO/IEC 7812-1). A row of one digit
// is nobody's.
func card(f form) bool {
	if f.n < 13 || f.n > 19 || f.same() {
		return false
	}
	first := f.number(0, 4)
	for _, r := range issuers {
		if r.from <= first && first <= r.to && r.min <= f.n && f.n <= r.max {
			if first/1000 == 4 && f.n%3 != 1 {
				return false
			}
			return luhn(f.c[:f.n])
		}
	}
	return false
}

// testCards are the numbers that payment services publish for tests.
const testCards = " 4111111111111111 4012888888881881 4242424242424242 4000056655665556 4222222222222 4917610000000000003 5555555555554444 " +
	"5105105105105100 5200828282828210 2223003122003222 2221000000000009 378282246310005 371449635398431 378734493671000 30569309025904 38520000023237 3056930009020004 " +
	"36227206271667 6011111111111117 6011000990139424 6011981111111113 3530111333300000 3566002020360505 6200000000000005 5019717010103742 6331101999990016 "
