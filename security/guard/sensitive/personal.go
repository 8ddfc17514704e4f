package sensitive

// A personalRow is a kind of personal data: how it is printed, what its check is,
// and which words name it.
//
// In a form, d is a digit, A a capital letter, N either, ~ a blank, dash or dot
// that is the same at all its places, and everything else itself. A form that
// begins with digits never begins within a longer row of them.
type personalRow struct {
	Kind
	strength Strength        // in a printed form, without a word beside it
	prints   []string        // forms that say enough where the kind is on
	loose    []string        // forms that also need a word beside them
	check    func(form) bool // nil where a scanner of its own finds the kind
	cues     string          // the words, see cue; parted by |
}

// personal is a row's Kind, to keep the table in columns.
func personal(name, country string, def Default, title string) Kind {
	return Kind{Name: name, Class: Personal, Title: title, Default: def, Country: country}
}

const (
	phoneCues = "phone*|tel|telefon*|telephone*|téléphone*|teléfono*|telefoon*|telefone*|mobile|mobil|mobilnummer|handy*|cell|cellphone|cellulare|celular|móvil|fax*|call|whatsapp|sms|gsm|тел*|моб*|電話*|电话*|手机*|手機*|携帯*|전화*|휴대*|หมายเลขโทร*|โทร*|هاتف*|फ़ोन*|फोन*"
	taxCues   = "tax id*|tax no|tax number|taxpayer*|tin|fiscal number|fiscal code"
)

// personalRows is the table of personal data. The sources of the checks stand at
// their functions.
var personalRows = []personalRow{
	{
		personal("card", "", On, "a payment card number"), Checked,
		[]string{"dddd~dddd~dddd~dddd", "dddd~dddddd~ddddd", "dddd~dddddd~dddd", "dddd~dddd~dddd~dddd~ddd", "dddddddddddddd", "ddddddddddddddd", "dddddddddddddddd"},
		[]string{"ddddddddddddd", "ddddddddddddddddd", "dddddddddddddddddd", "ddddddddddddddddddd", "dddd~ddd~ddd~ddd"},
		card, "card*|credit*|debit*|visa|mastercard|amex|american express|kreditkart*|karte*|carte|tarjeta|cartão|carta|pan|cvv|cvc|kaart*|kartnummer|karta|karty|kart|карт*|カード*|信用卡*|卡号*|카드*|بطاقة*|कार्ड*",
	},
	{personal("iban", "", On, "an international bank account number"), Checked, nil, nil, nil, "iban"},
	{personal("email", "", On, "an e-mail address"), Shaped, nil, nil, nil, "e mail*|mail"},
	{personal("phone", "", On, "an international telephone number"), Shaped, nil, nil, nil, phoneCues},
	{personal("ip-address", "", Off, "a public Internet address"), Shaped, nil, nil, nil, "ip"},
	{personal("btc-address", "", On, "a Bitcoin address"), Checked, nil, nil, nil, "bitcoin|btc|wallet"},
	{personal("eth-address", "", On, "an Ethereum address"), Shaped, nil, nil, nil, "ethereum|eth|wallet"},
	{
		personal("passport", "", Off, "a passport number"), Shaped, nil,
		[]string{"ddddddddd", "Addddddd", "Adddddddd", "AAddddddd", "AAdddddd", "ddAAddddd", "ANNNNNNNN"},
		twoDigits, "passport*|passeport*|reisepass*|pasaporte*|passaporto*|paspoort*|passaporte*|paszport*|pasaport*|паспорт*|护照*|旅券*|パスポート*|여권*|جواز*",
	},
	{
		personal("driving-licence", "", Off, "a driving licence number"), Shaped, nil,
		[]string{"ddddddd", "dddddddd", "ddddddddd", "Addddddd", "Adddddddd", "Addddddddddddd", "AAdddddd", "AAddddddd", "NNNNNddddddNNNAA", "ANNddddddNN"},
		twoDigits, "driving licen*|driver licen*|drivers licen*|driver s licen*|driver’s licen*|dl no|dl number|führerschein*|permis de conduire|permiso de conducir|patente|rijbewijs*|carta de condução|prawo jazdy",
	},

	{personal("us-ssn", "us", On, "a US social security number"), Shaped, []string{"ddd-dd-dddd"}, []string{"ddd dd dddd", "ddddddddd"}, usSSN, "ssn|social security*|soc sec"},
	{personal("us-itin", "us", InContext, "a US individual taxpayer number"), Shaped, []string{"ddd-dd-dddd"}, []string{"ddd dd dddd", "ddddddddd"}, usITIN, "itin|individual taxpayer*|ssn|" + taxCues},
	{personal("us-ein", "us", InContext, "a US employer number"), Shaped, nil, []string{"dd-ddddddd"}, usEIN, "ein|fein|employer id*|" + taxCues},
	{personal("us-routing", "us", InContext, "a US bank routing number"), Checked, nil, []string{"ddddddddd"}, usRouting, "routing*|aba|rtn"},
	{personal("us-npi", "us", Off, "a US health provider number"), Checked, nil, []string{"dddddddddd"}, usNPI, "npi|national provider*"},
	{personal("us-medicare", "us", Off, "a US Medicare number"), Shaped, []string{"dANdANdAAdd", "dANd-ANd-AAdd"}, nil, usMedicare, "medicare*|mbi"},

	{personal("uk-nhs", "uk", InContext, "a British health service number"), Checked, []string{"ddd~ddd~dddd"}, []string{"dddddddddd"}, ukNHS, "nhs*|health service*"},
	{personal("uk-nino", "uk", On, "a British insurance number"), Shaped, []string{"AAddddddA", "AA~dd~dd~dd~A", "AA dddddd A"}, nil, ukNINO, "nino|national insurance*|ni no|ni number"},

	{personal("de-tax-id", "de", InContext, "a German tax number"), Checked, []string{"dd ddd ddd ddd"}, []string{"ddddddddddd"}, deTaxID, "steuer*|idnr|identifikationsnummer*|" + taxCues},
	{personal("de-pension", "de", Off, "a German pension insurance number"), Checked, []string{"ddddddddAddd", "dd dddddd A ddd"}, nil, dePension, "rentenversicherung*|sozialversicherung*|rvnr|svnr"},
	{personal("de-health", "de", Off, "a German health insurance number"), Checked, []string{"Addddddddd"}, nil, deHealth, "krankenversich*|kvnr|versicherten*|krankenkasse*"},
	{personal("de-id-card", "de", Off, "the number of a German identity card"), Checked, nil, []string{"ANNNNNNNNd"}, deIDCard, "personalausweis*|ausweis*|identity card*|id card*"},
	{personal("de-vat", "de", Off, "a German VAT number"), Checked, []string{"AAddddddddd", "AA ddddddddd", "AA ddd ddd ddd"}, nil, deVAT, "ust*|umsatzsteuer*|vat*"},

	{personal("fr-nir", "fr", On, "a French social security number"), Checked, []string{"ddddddddddddddd", "ddddddddddddd dd", "d dd dd dd ddd ddd dd", "ddddddAdddddddd", "d dd dd dA ddd ddd dd"}, nil, frNIR, "nir|sécurité sociale|securite sociale|insee"},

	{personal("es-nif", "es", On, "a Spanish tax number"), Checked, []string{"ddddddddA", "dddddddd-A", "dd.ddd.ddd-A", "dd.ddd.dddA"}, nil, esNIF, "nif|dni"},
	{personal("es-nie", "es", On, "a Spanish foreigner's number"), Checked, []string{"AdddddddA", "A-ddddddd-A", "A-dddddddA"}, nil, esNIE, "nie|extranjer*"},

	{personal("it-fiscal-code", "it", On, "an Italian fiscal code"), Checked, []string{"AAAAAANNANNANNNA", "AAA AAA NNANN ANNNA"}, nil, itFiscalCode, "codice fiscale|cod fisc"},
	{personal("it-vat", "it", InContext, "an Italian VAT number"), Checked, nil, []string{"ddddddddddd", "AAddddddddddd"}, itVAT, "partita iva|p iva|piva|vat*"},

	{personal("pl-pesel", "pl", InContext, "a Polish population number"), Checked, nil, []string{"ddddddddddd"}, plPESEL, "pesel*"},
	{personal("pl-nip", "pl", InContext, "a Polish tax number"), Checked, []string{"ddd-ddd-dd-dd", "ddd-dd-dd-ddd"}, []string{"dddddddddd"}, plNIP, "nip|podatkow*|vat*|" + taxCues},

	{personal("nl-bsn", "nl", InContext, "a Dutch citizen number"), Checked, []string{"dddd.dd.ddd"}, []string{"ddddddddd", "ddd ddd ddd", "dddd dd ddd"}, nlBSN, "bsn|burgerservice*|sofi*|citizen service*"},
	{personal("be-national", "be", On, "a Belgian national number"), Checked, []string{"dd.dd.dd-ddd.dd", "ddddddddddd", "dd.dd.dd-ddd-dd"}, []string{"dd dd dd ddd dd"}, beNational, "rijksregister*|registre national*|niss|insz|national register*|national number*"},
	{personal("pt-nif", "pt", InContext, "a Portuguese tax number"), Checked, nil, []string{"ddddddddd", "ddd ddd ddd"}, ptNIF, "nif|nipc|contribuinte*|" + taxCues},
	{personal("ch-ahv", "ch", On, "a Swiss insurance number"), Checked, []string{"ddd.dddd.dddd.dd", "ddddddddddddd", "ddd dddd dddd dd"}, nil, chAHV, "ahv*|avs|navs*|avs13"},

	{personal("se-personnummer", "se", InContext, "a Swedish personal number"), Checked, []string{"dddddddd-dddd", "dddddd-dddd", "dddddd+dddd"}, []string{"dddddddddd", "dddddddddddd"}, sePersonal, "personnummer*|personnr|samordningsnummer*|personal identity*|pnr"},
	{personal("no-fodselsnummer", "no", InContext, "a Norwegian birth number"), Checked, []string{"dddddd ddddd"}, []string{"ddddddddddd"}, noBirth, "fødselsnummer*|fodselsnummer*|fnr|personnummer*|d nummer|national identity*"},
	{personal("dk-cpr", "dk", InContext, "a Danish personal number"), Shaped, nil, []string{"dddddd-dddd", "dddddddddd", "dddddd dddd"}, dkCPR, "cpr*|personnummer*"},
	{personal("fi-hetu", "fi", On, "a Finnish identity code"), Checked, []string{"dddddd-dddN", "dddddd+dddN", "ddddddAdddN"}, nil, fiHETU, "henkilötunnus*|hetu|sotu|personbeteckning*"},

	{personal("ca-sin", "ca", InContext, "a Canadian insurance number"), Checked, nil, []string{"ddd~ddd~ddd", "ddddddddd"}, caSIN, "sin|social insurance*|assurance sociale|nas"},
	{personal("au-tfn", "au", InContext, "an Australian tax file number"), Checked, nil, []string{"ddd~ddd~ddd", "ddddddddd"}, auTFN, "tfn|tax file*"},
	{personal("au-abn", "au", InContext, "an Australian business number"), Checked, []string{"dd ddd ddd ddd"}, []string{"ddddddddddd"}, auABN, "abn|business number"},
	{personal("au-medicare", "au", InContext, "an Australian Medicare number"), Checked, []string{"dddd~ddddd~d"}, []string{"dddddddddd", "ddddddddddd"}, auMedicare, "medicare*"},

	{personal("in-aadhaar", "in", InContext, "an Indian Aadhaar number"), Checked, []string{"dddd~dddd~dddd"}, []string{"dddddddddddd"}, inAadhaar, "aadhaar*|aadhar*|uidai|uid|आधार*"},
	{personal("in-pan", "in", InContext, "an Indian tax number"), Shaped, []string{"AAAAAddddA"}, nil, inPAN, "pan|permanent account*|income tax*"},
	{personal("in-gstin", "in", InContext, "an Indian goods tax number"), Checked, []string{"ddAAAAAddddANAN"}, nil, inGSTIN, "gst*"},

	{personal("br-cpf", "br", On, "a Brazilian taxpayer number"), Checked, []string{"ddd.ddd.ddd-dd"}, []string{"ddddddddddd", "ddddddddd-dd"}, brCPF, "cpf|cadastro*"},
	{personal("br-cnpj", "br", On, "a Brazilian company number"), Checked, []string{"dd.ddd.ddd/dddd-dd", "dd.NNN.NNN/NNNN-dd", "dA.NNN.NNN/NNNN-dd"}, []string{"dddddddddddddd"}, brCNPJ, "cnpj|cadastro*"},

	{personal("sg-nric", "sg", Off, "a Singaporean identity number"), Checked, []string{"AdddddddA"}, nil, sgNRIC, "nric|fin"},
	{personal("za-id", "za", Off, "a South African identity number"), Checked, []string{"ddddddddddddd", "dddddd dddd ddd"}, nil, zaID, "id number*|identity number*|id no|south african*"},
	{personal("kr-rrn", "kr", Off, "a Korean registration number"), Shaped, []string{"dddddd-ddddddd"}, []string{"ddddddddddddd"}, krRRN, "주민*|rrn|resident registration*"},
	{personal("tr-id", "tr", Off, "a Turkish identity number"), Checked, []string{"ddddddddddd"}, nil, trID, "kimlik*|tckn|tc no"},
	{personal("th-id", "th", Off, "a Thai identity number"), Checked, []string{"d-dddd-ddddd-dd-d", "d dddd ddddd dd d"}, []string{"ddddddddddddd"}, thID, "บัตรประชาชน*|เลขประจำตัว*|thai id*|national id*"},

	national("us"), national("ca"), national("uk"), national("ie"), national("de"), national("at"), national("ch"), national("fr"),
	national("be"), national("nl"), national("es"), national("it"), national("pt"), national("pl"), national("se"), national("no"),
	national("dk"), national("fi"), national("tr"), national("in"), national("br"), national("mx"), national("au"), national("nz"),
	national("jp"), national("kr"), national("cn"), national("za"), national("ru"), national("sg"),
}

// national is the row of a country's telephone numbers as they are written at
// home; a form of their own they have only in North America, see phone.go.
func national(country string) personalRow {
	return personalRow{Kind: personal(country+"-phone", country, Off, "a telephone number"), strength: Shaped, cues: phoneCues}
}
