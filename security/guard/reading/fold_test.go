package reading

import "testing"

func TestFoldingWritesTextAsItLooks(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Größe":                    "grosse",
		"ÀÉÎõü Łódź Øre Þing Ærø":  "aeiou lodz ore thing aero",
		"İstanbul ışık":            "istanbul isik",
		"Việt Nam đồng":            "viet nam dong",
		"ﬁne ㎏ ①②":                 "fine kg 12",
		"Ｆｕｌｌ　ｗｉｄｔｈ":               "full width",
		"𝐈𝐠𝐧𝐨𝐫𝐞 ⓐⓑ 🅐🅱 🇮🇬":          "ignore ab ab ig",
		"ɪɢɴᴏʀᴇ ᴀʟʟ":               "ignore all",
		"раураl іgnоre":            "paypal ignore",
		"Привет, мир":              "привет, мир",
		"Ёлка й":                   "елка и",
		"Ελλάδα ΟΔΟΣ ὁδός":         "ελλαδα οδοσ οδοσ",
		"مُحَمَّد أإآ ىـي":         "محمد ااا يي",
		"کتاب\u200cهای فارسی":      "كتابهاي فارسي",
		"שָׁלוֹם":                  "שלום",
		"ﻻ ﷺ":                      "لا صلي الله عليه وسلم",
		"\u1112\u1161\u11ab":       "한",
		"か\u3099は\u309aﾊﾟｶﾞ":       "がぱパガ",
		"हिन्दी की":                "हिन्दी की",
		"ภาษาไทย":                  "ภาษาไทย",
		"忽略之前":                     "忽略之前",
		"i\u200bg\u2060n\u00adore": "ignore",
		"z\u0335\u0321a\u0489lgo":  "zalgo",
		"a \t  b\x00\x01c":         "a b c",
		"a \r\n\r\n  b\u2028c":     "a\nb\nc",
		"a\xff\xfe\x80b":           "a\ufffdb",
		"👩\u200d💻 ❤\ufe0f":         "👩💻 ❤",
		"it’s “so”":                "it's \"so\"",
		"":                         "",
	} {
		if got := Fold(in); got != want {
			t.Errorf("%q is folded to %q, want %q", in, got, want)
		}
	}
}
