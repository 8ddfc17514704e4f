package sensitive

import "strings"

// ibanLengths is the length for each country (SWIFT, IBAN registry).
const ibanLengths = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20" +
	"LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30"

// testIBANs are those of the registry's and the banks' own examples.
const testIBANs = " DE89370400440532013000 GB82WEST12345698765432 GB29NWBK60161331926819 GB33BUKB20201555555555 FR1420041010050500013M02606 FR7630006000011234567890189 NL91ABNA0417164300 CH9300762011623852957 " +
	"AT611904300234573201 BE68539007547034 ES9121000418450200051332 IT60X0542811101000000123456 PL61109010140000071219812874 SE4550000000058398257466 DK5000400440116243 NO9386011117947 FI2112345600000785 IE29AIBK93115212345678 PT50000201231234567890154 "

// iban measures an account number (ISO 13616): a country, its length, and the
// remainder 1 by 97; in one piece or in rows of four. One other number in 97 would
// pass, so it needs no word beside it.
func (s *scan) iban(i int) int {
	t := s.t
	if i+15 > len(t) || !isUpper(t[i+1]) || !isDigit(t[i+2]) || !isDigit(t[i+3]) {
		return 0
	}
	want := 0
	for k := 0; k < len(ibanLengths); k += 4 {
		if t[i:i+2] == ibanLengths[k:k+2] {
			want = decimal(ibanLengths[k+2 : k+4])
			break
		}
	}
	var c [34]byte
	n, j := 0, i
	for ; j < len(t) && n < want; j++ {
		switch b := blank(t[j]); {
		case fits('N', b):
			c[n] = b
			n++
		case (b == ' ' || b == '-' || b == '.') && n%4 == 0 && fits('N', t[j-1]):
		default:
			return 0
		}
	}
	if n < 15 || n != want || !s.ends(j) || mod97(mod97(0, c[4:n]), c[:4]) != 1 {
		return 0
	}
	if s.o.SkipTests && strings.Contains(testIBANs, " "+string(c[:n])+" ") {
		return 0
	}
	return s.report(kindIBAN, Checked, i, j)
}
