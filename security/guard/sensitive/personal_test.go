package sensitive

import (
	"slices"
	"strings"
	"testing"
)

// A personCase is a kind with what is one and what only looks like one. Numbers
// are published samples or made for this table; a text may hold the word that the
// kind needs.
type personCase struct {
	kind string
	yes  []string // found by default
	also []string // found where the kind is chosen, and not by default
	no   []string // never found, not even where everything is chosen
}

var personCases = []personCase{
	{
		kind: "card", yes: []string{"4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "3782 822463 10005", "3056 930902 5904", "6011111111111117", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "41 11 11 11 11 11 11 11", "card 4222222222222", "2223003122003222", "6200000000000005", "4111.1111.1111.1111"},
		no: []string{"4111 1111 1111 1112", "9111111111111111", "411111111111111", "4222222222222", "4111 1111 1111 11111", "0000 0000 0000 0000", "12:4111111111111111", "1234 4111 1111 1111 1111", "x4111111111111111"},
	},
	{
		kind: "iban", yes: []string{"DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR14 2004 1010 0505 0001 3M02 606", "NL91ABNA0417164300", "NO93 8601 1117 947", "MT84MALT011000012345MTLCAST001S"},
		no: []string{"DE88 3704 0044 0532 0130 00", "GB82WEST1234569876543", "de89370400440532013000", "ZZ89370400440532013000", "DE89 370 400 440 532 013 000", "XDE89370400440532013000"},
	},
	{
		kind: "email", yes: []string{"ann.o'neil+x@mail.northwind.eu", "jürgen@müller.de", "to=ann@northwind.co.uk", "<bo@northwind.museum>", "пётр@почта.рф", "mailto:cy@northwind.io?subject=x", "ops@herokuapp.com"},
		no: []string{"ann@example.com", "a@b and 3@4.5", "@northwind.eu", "git@github.com:org/repository", "https://ann:pw@northwind.eu/", "https://ann@northwind.eu/x", "x@co.uk", "ann@northwind.notatld", "ann@mail.example.org", "ann@mail.example.de", "lodash@4.17.21"},
	},
	{
		kind: "phone", yes: []string{"+49 40 1234567", "+14155552671", "+44 (0)20 7946 0958", "+33 1 23 45 67 89", "tel:+358-9-1234567", "phone 0049 40 1234567", "+1 (415) 555-2671", "+7 912 345-67-89", "+86 138 1234 5678", "(+49) 40 / 1234567", "+1.415.555.2671"},
		no: []string{"+49 40", "+1415555267", "+999 123 456 789", "order 0049 40 1234567", "3+491234567890", "+1 015 555 2671", "+0 123 456 789"},
	},
	{kind: "ip-address", also: []string{"93.184.216.34", "2606:4700:4700::1111", "93.184.216.34:443"}, no: []string{"192.168.0.1", "127.0.0.1", "203.0.113.7", "::1", "fe80::1", "2001:db8::1", "1.2.3", "12:30:45", "93.184.216.340"}},
	{
		kind: "btc-address", yes: []string{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"},
		no: []string{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNL", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "bc1qW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"},
	},
	{
		kind: "eth-address", yes: []string{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"},
		no: []string{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", "0x0000000000000000000000000000000000000001", "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"},
	},
	{kind: "passport", also: []string{"passport no. 123456782", "Reisepass C01X00T47", "passport AB1234567"}, no: []string{"C01X00T47", "passport 12", "passport 111111111", "bypassport1 C01X00T47"}},
	{kind: "driving-licence", also: []string{"driving licence MORGA657054SM9IJ", "driver's license D1234567", "Führerschein A12345678"}, no: []string{"MORGA657054SM9IJ", "driving licence 12", "driving lessons D1234567"}},

	{kind: "us-ssn", yes: []string{"536-22-1234", "SSN 536221234", "social security number: 536 22 1234", "001-01-0001"}, no: []string{"666-22-1234", "536-00-1234", "900-22-1234", "536-22-0000", "part 536221234", "078-05-1120", "1-536-22-1234", "536-22-12345", "lesson 536221234"}},
	{kind: "us-itin", yes: []string{"ITIN 912-70-1234", "taxpayer id 950 65 1234", "itin: 999881234"}, also: []string{"912-70-1234"}, no: []string{"ITIN 912-66-1234", "ITIN 912-93-1234", "912701234"}},
	{kind: "us-ein", yes: []string{"EIN 12-3456789", "Employer ID number: 98-7654321", "Tax ID 36-1234567"}, no: []string{"12-3456789", "EIN 00-3456789", "EIN 12-345678", "EIN 07-3456789"}},
	{kind: "us-routing", yes: []string{"routing number 021000021", "ABA 011401533", "RTN: 091000019"}, no: []string{"021000021", "routing number 021000022", "routing number 421000020", "abacus 021000021"}},
	{kind: "us-npi", also: []string{"NPI 1234567893", "national provider identifier 1245319599", "npi: 1679576722"}, no: []string{"1234567893", "NPI 1234567894", "NPI 3234567891"}},
	{kind: "us-medicare", also: []string{"1EG4-TE5-MK73", "1EG4TE5MK73", "9AA9-AA9-AA99"}, no: []string{"1SG4-TE5-MK73", "0EG4-TE5-MK73", "1EG4-TE5-M73", "1eg4-te5-mk73"}},

	{kind: "uk-nhs", yes: []string{"NHS number 943 476 5919", "nhs 9434765919", "NHS no. 943-476-5919"}, also: []string{"943 476 5919"}, no: []string{"NHS number 943 476 5918", "9434765919", "NHS 943 476 591"}},
	{kind: "uk-nino", yes: []string{"AB 12 34 56 C", "AB123456C", "AB 123456 C", "JG103759A"}, no: []string{"AB 12 34 56 E", "BG123456A", "ab123456c", "QQ123456C", "AB12345C", "XAB123456C", "AO123456A"}},

	{kind: "de-tax-id", yes: []string{"Steuer-IdNr. 86095742719", "IdNr: 65 929 970 489", "Steueridentifikationsnummer 57549285017"}, also: []string{"65 929 970 489"}, no: []string{"Steuer-IdNr. 86095742718", "86095742719", "Steuernummer 06095742719", "Steuer 8609574271"}},
	{kind: "de-pension", also: []string{"15070649C103", "15 070649 C 103", "65170839J003"}, no: []string{"15070649C104", "15074649C103", "15070649c103"}},
	{kind: "de-health", also: []string{"A123456780", "KVNR A123456780", "(A123456780)"}, no: []string{"A123456781", "a123456780", "AA123456780", "A12345678"}},
	{kind: "de-id-card", also: []string{"Personalausweis L01X00T471", "ID card T220001293", "Ausweisnummer: L01X00T471"}, no: []string{"L01X00T471", "Personalausweis L01X00T472", "Ausweis LO1X00T471"}},
	{kind: "de-vat", also: []string{"DE136695976", "DE 136 695 976", "USt-IdNr. DE136695976"}, no: []string{"DE136695977", "DE036695976", "AT136695976", "de136695976"}},

	{kind: "fr-nir", yes: []string{"2 55 08 14 168 025 38", "255081416802538", "1 81 03 2B 792 093 14", "110082B10618307"}, no: []string{"2 55 08 14 168 025 39", "255081416802539", "2 55 13 14 168 025 38", "5 55 08 14 168 025 38"}},
	{kind: "es-nif", yes: []string{"12345678Z", "12345678-Z", "12.345.678-Z"}, no: []string{"12345678A", "12345678z", "1234567Z", "912345678Z", "12345678ZA"}},
	{kind: "es-nie", yes: []string{"X1234567L", "X-1234567-L", "Z1234567R"}, no: []string{"X1234567M", "x1234567l", "W1234567L", "X123456L"}},
	{kind: "it-fiscal-code", yes: []string{"RSSMRA85T10A562S", "MRTMTT91D08F205J", "RSS MRA 85T10 A562S", "RSSMRA85T10A56NH"}, no: []string{"RSSMRA85T10A562T", "rssmra85t10a562s", "RSSMRA85F10A562S", "RSSMRA85T10A562", "RSSMRA85T00A562S"}},
	{kind: "it-vat", yes: []string{"Partita IVA 00743110157", "P.IVA: 00743110157", "VAT IT00743110157"}, no: []string{"00743110157", "Partita IVA 00743110158", "Partita IVA 0074311015"}},
	{kind: "pl-pesel", yes: []string{"PESEL 44051401359", "pesel: 02070803628", "PESEL nr 44051401359"}, no: []string{"44051401359", "PESEL 44051401358", "PESEL 44053301350", "PESEL 4405140135"}},
	{kind: "pl-nip", yes: []string{"NIP 123-456-32-18", "NIP: 1234563218", "NIP 526-021-02-28"}, also: []string{"526-021-02-28"}, no: []string{"NIP 123-456-32-19", "1234563218", "snip 1234563218"}},
	{kind: "nl-bsn", yes: []string{"BSN 111222333", "burgerservicenummer: 123456782", "BSN 1112.22.333"}, also: []string{"1112.22.333"}, no: []string{"111222333", "BSN 111222334", "BSN 000000000", "BSN 11122233"}},
	{kind: "be-national", yes: []string{"85.07.30-033.28", "85073003328", "17.07.30-033.84"}, no: []string{"85.07.30-033.29", "85.13.30-033.11", "85.07.30-033.2", "185073003328"}},
	{kind: "pt-nif", yes: []string{"NIF 123456789", "contribuinte n.º 501442600", "NIF: 501 442 600"}, no: []string{"123456789", "NIF 123456788", "NIF 412345678", "NIF 12345678"}},
	{kind: "ch-ahv", yes: []string{"756.1234.5678.97", "7561234567897", "756.9217.0769.85"}, no: []string{"756.1234.5678.98", "757.1234.5678.94", "7561234567898", "756.1234.5678.9"}},
	{kind: "se-personnummer", yes: []string{"personnummer 811228-9874", "personnummer: 19811228-9874", "Personnr 8112289874"}, also: []string{"811228-9874", "811228+9874"}, no: []string{"personnummer 811228-9875", "personnummer 811328-9873", "8112289874"}},
	{kind: "no-fodselsnummer", yes: []string{"fødselsnummer 15076500565", "fnr: 21016400952", "fødselsnummer 150765 00565"}, also: []string{"150765 00565"}, no: []string{"fødselsnummer 15076500566", "15076500565", "fødselsnummer 32076500565"}},
	{kind: "dk-cpr", yes: []string{"CPR 070761-4285", "cpr-nr. 0707614285", "CPR-nummer: 070761 4285"}, no: []string{"070761-4285", "CPR 320761-4285", "CPR 070761-42855", "CPR 071361-4285"}},
	{kind: "fi-hetu", yes: []string{"131052-308T", "131052Y308T", "050281+987K"}, no: []string{"131052-308U", "131352-308T", "131052-308t", "131052Q308T"}},
	{kind: "ca-sin", yes: []string{"SIN 046 454 286", "social insurance number: 046-454-286", "SIN: 130692544"}, no: []string{"046 454 286", "SIN 046 454 287", "SIN 846 454 286", "since 130692544"}},
	{kind: "au-tfn", yes: []string{"TFN 123 456 782", "tax file number 123456782", "TFN: 865414088"}, no: []string{"123 456 782", "TFN 123 456 783", "TFN 12345678"}},
	{kind: "au-abn", yes: []string{"ABN 51 824 753 556", "ABN: 51824753556", "abn 53 004 085 616"}, also: []string{"51 824 753 556"}, no: []string{"ABN 51 824 753 557", "51824753556", "ABN 5182475355"}},
	{kind: "au-medicare", yes: []string{"Medicare 2123 45670 1", "medicare no. 2123456701", "Medicare number 2123-45670-1"}, also: []string{"2123 45670 1"}, no: []string{"Medicare 2123 45671 1", "2123456701", "Medicare 7123 45670 1"}},
	{kind: "in-aadhaar", yes: []string{"Aadhaar 2341 2341 2346", "aadhaar: 234123412346", "UIDAI 2341-2341-2346"}, also: []string{"2341 2341 2346"}, no: []string{"Aadhaar 2341 2341 2347", "234123412346", "Aadhaar 1341 2341 2346"}},
	{kind: "in-pan", yes: []string{"PAN ABCPE1234F", "Permanent Account Number: AAAPL1234C", "income tax PAN AFZPK7190K"}, also: []string{"ABCPE1234F"}, no: []string{"PAN ABCDE1234F", "PAN abcpe1234f", "PAN ABCPE123F"}},
	{kind: "in-gstin", yes: []string{"GSTIN 27AAPFU0939F1ZV", "GST no. 29AAGCB7383J1Z4", "gstin: 27AAPFU0939F1ZV"}, also: []string{"27AAPFU0939F1ZV"}, no: []string{"GSTIN 27AAPFU0939F1ZW", "GSTIN 39AAPFU0939F1ZV", "GSTIN 27aapfu0939f1zv"}},
	{kind: "br-cpf", yes: []string{"111.444.777-35", "CPF 11144477735", "529.982.247-25"}, no: []string{"111.444.777-36", "111.111.111-11", "11144477735", "111.444.777-3"}},
	{kind: "br-cnpj", yes: []string{"11.222.333/0001-81", "12.ABC.345/01DE-35", "CNPJ 11222333000181"}, no: []string{"11.222.333/0001-82", "12.ABC.345/01DE-36", "11222333000181", "12.abc.345/01de-35"}},
	{kind: "sg-nric", also: []string{"S1234567D", "F1234567N", "T1234567J"}, no: []string{"S1234567E", "s1234567d", "A1234567D", "S123456D"}},
	{kind: "za-id", also: []string{"8001015009087", "ID number 8001015009087", "800101 5009 087"}, no: []string{"8001015009088", "8013015009084", "800101500908"}},
	{kind: "kr-rrn", also: []string{"971013-9019902", "주민등록번호 9710139019902", "210315-3123456"}, no: []string{"971013-9019903", "971313-9019902", "971013-901990"}},
	{kind: "tr-id", also: []string{"10000000146", "TC Kimlik No: 10000000146", "(10000000146)"}, no: []string{"10000000147", "00000000146", "1000000014"}},
	{kind: "th-id", also: []string{"1-2345-67890-12-1", "เลขประจำตัวประชาชน 1234567890121", "1 2345 67890 12 1"}, no: []string{"1-2345-67890-12-2", "1234567890121", "0-2345-67890-12-1"}},

	{kind: "us-phone", also: []string{"(415) 555-2671", "phone 415-555-2671", "call 415.555.2671"}, no: []string{"415-555-2671", "(415) 555", "phone 115-555-2671"}},
	{kind: "de-phone", also: []string{"Tel. 040 1234567", "Telefon: 0171/1234567", "Fax 030-12345678"}, no: []string{"040 1234567", "Tel. 040", "Artikel 040 1234567"}},
	{kind: "fr-phone", also: []string{"téléphone 01 23 45 67 89", "tel 06.12.34.56.78", "mobile : 0612345678"}, no: []string{"01 23 45 67 89", "tel 01 23 45 67", "hotel 01 23 45 67 89"}},
	{kind: "uk-phone", also: []string{"phone 020 7946 0958", "mobile 07700 900123", "tel: 0161 496 0000"}, no: []string{"020 7946 0958", "phone 020 7946", "page 07700 900123"}},
}

func TestPersonalDataIsFoundAndItsTwinsAreNot(t *testing.T) {
	t.Parallel()
	every := mustSelect(t, offKinds()...)
	for _, c := range personCases {
		own := mustSelect(t, c.kind)
		for _, frame := range []string{"%", "Note: % is on file.", "(%)", "straße %\n", `{"a": "%"}`, "号码%号码", "a\\n%"} {
			for _, yes := range c.yes {
				check(t, c.kind, strings.Replace(frame, "%", yes, 1), Options{}, true)
			}
			for _, yes := range c.also {
				check(t, c.kind, strings.Replace(frame, "%", yes, 1), Options{Kinds: own}, true)
				check(t, c.kind, strings.Replace(frame, "%", yes, 1), Options{}, false)
			}
			for _, no := range c.no {
				check(t, c.kind, strings.Replace(frame, "%", no, 1), Options{Kinds: every}, false)
			}
		}
	}
}

// check asks whether a text holds a finding of the kind.
func check(t *testing.T, kind, text string, o Options, want bool) {
	t.Helper()
	found := slices.ContainsFunc(findAll(t, text, "", o), func(f Finding) bool { return f.Kind == kind })
	if found != want {
		t.Errorf("%s in %q: found %v, want %v", kind, text, found, want)
	}
}

func findAll(t testing.TB, text, name string, o Options) []Finding {
	t.Helper()
	var out []Finding
	Find(text, name, o, func(f Finding) bool {
		checkFinding(t, text, f)
		out = append(out, f)
		return true
	})
	return out
}

func mustSelect(t testing.TB, names ...string) Set {
	t.Helper()
	s, err := Select(names...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryKindOfPersonalDataHasCases(t *testing.T) {
	t.Parallel()
	for _, k := range Kinds() {
		at := slices.IndexFunc(personCases, func(c personCase) bool { return c.kind == k.Name })
		switch {
		case k.Class != Personal || strings.HasSuffix(k.Name, "-phone"):
		case at < 0:
			t.Errorf("%s has no cases", k.Name)
		case len(personCases[at].yes)+len(personCases[at].also) < 3 || len(personCases[at].no) < 3:
			t.Errorf("%s has fewer than three cases of a sort", k.Name)
		}
	}
}
