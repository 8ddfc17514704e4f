package reading

import (
	"strings"
	"testing"
)

// Harmless texts that look like hiding places.
var twins = map[string]string{
	"sha256":      "The file has the checksum e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 today.",
	"git":         "Fixed in commit 4f2d9c1e8ab03b7766d5a1c0f9e8d7c6b5a43210 and f1e0758.",
	"uuid":        "Order 123e4567-e89b-12d3-a456-426614174000 was shipped.",
	"ulid":        "Run run_01JD3YV7Q2M8T5XKBW4Z9R6HNC has ended.",
	"jwt":         "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
	"base64 key":  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJq3v0Zt8nQx1fJ2mP7aVb9kLw4cYd6eRh5sTg0uXi2o",
	"mac":         "The card 00:1A:2B:3C:4D:5E answers on 192.168.10.24, port 8443.",
	"german":      "Größere Änderungen übernehmen wir gerne; für Rückfragen erreichen Sie uns täglich. Donaudampfschifffahrtsgesellschaft und Grundstücksverkehrsgenehmigung.",
	"polish":      "Zażółć gęślą jaźń, a następnie wyślij zgłoszenie do działu obsługi klienta.",
	"turkish":     "Işıklar sönünce İstanbul'da gökyüzü başka görünüyor, çünkü yıldızlar çoğalır.",
	"vietnamese":  "Nhà cung cấp giao hàng trong vòng mười ngày làm việc sau khi đơn hàng được xác nhận.",
	"russian":     "Поставщик передаёт товар в течение десяти рабочих дней, а покупатель осматривает его сразу. Он и она, тот и этот.",
	"greek":       "Ο προμηθευτής παραδίδει τα εμπορεύματα εντός δέκα εργάσιμων ημερών.",
	"chinese":     "供应商应在订单书面确认后十个工作日内交付货物。",
	"japanese":    "ご注文の確認後、十営業日以内に商品をお届けします。ガギグゲゴ、パピプペポ。",
	"korean":      "주문이 서면으로 확인된 후 10영업일 이내에 상품을 인도합니다. ㅋㅋㅋ",
	"persian":     "کتاب\u200cهای تازه می\u200cخواهیم و آن\u200cها را نمی\u200cفروشیم.",
	"hindi":       "क्\u200dष और हिन्दी में लिखा हुआ साधारण पाठ, जो छिपा नहीं है।",
	"hebrew":      "\u200fהספק מוסר את הסחורה (ABC\u200e) תוך עשרה ימים\u200f.",
	"arabic":      "يسلم المورد البضاعة خلال عشرة أيام عمل \u200fبعد تأكيد الطلب.",
	"thai":        "ผู้ขาย\u200bส่งมอบ\u200bสินค้า\u200bภายใน\u200bสิบวัน",
	"emoji":       "Great work 👩\u200d💻👨\u200d👩\u200d👧\u200d👦 ❤\ufe0f 1\ufe0f\u20e3 ✔\ufe0f see you!",
	"flag":        "Scotland \U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F won.",
	"soft hyphen": "Ver\u00adwal\u00adtungs\u00adge\u00adbäu\u00adde und Be\u00adstel\u00adlung",
	"bom":         "\ufeffname;city\nMüller;Köln\n",
	"code":        "const mask = 0xFF00AA11; var ids = []int{0x01, 0x02, 0x7f}; // see RFC 9110\nreturn x & mask == 0xDEADBEEF",
	"go":          "func (s *Store) Put(ctx context.Context, id string) error { return fmt.Errorf(\"put %s: %w\", id, err) }",
	"json":        `{"id": "a1b2c3", "amount": 4711.50, "when": "2026-11-21T10:00:00Z", "tags": ["b2b", "q4"]}`,
	"csv":         "2024;17;45;67;89\n2025;18;46;68;90\n2026;19;47;69;91\n",
	"phone":       "Call +49 69 66 77 55 66 or 030 1234567, fax -99.",
	"prices":      "The list: 45 EUR, 67 EUR, 101 EUR, 116 EUR, 99 EUR; 12x19 cm, 4x4, 3D, B2B, MP3.",
	"percent":     "Between 10% and 25% of 100% were late; 5%.",
	"url":         "See https://example.org/a/b-c/d?id=42&lang=en#top for details.",
	"amp":         "Johnson &amp; Sons",
	"hyphens":     "A state-of-the-art, easy-to-use and well-known follow-up to the e-mail.",
	"initials":    "J. R. R. Tolkien, i. e. the author, met C. S. Lewis.",
	"letters":     "Choose a, b, c or d. Vitamins A, C and E.",
	"table":       "-----\n| a | b |\n|---|---|\n| 1 | 2 |\n-----",
	"ellipsis":    "Well... yes... no... -- perhaps --- or not ..... fine.",
	"units":       "½ cup, 10 µm, 5 Ω, 3 × 4 cm², 20 °C, №7, ™, TGFβ",
	"typos":       "Pleese recieve teh goods wihtin ten days adn pay teh invoce.",
	"caps":        "WARNING: DO NOT OPEN THE HOUSING. RISK OF ELECTRIC SHOCK.",
	"licence":     "AAAA-BBBB-CCCC-DDDD or XK7Q-9F2M-LL3P-ZT8W",
	"versions":    "Go 1.26.0, Python 3.12.4, v2.15.0-rc.1+build.7, x86_64, utf-8, sha-256",
	"dump":        "id  qty  price\n0001  12  4.50\n0002  7  19.90\n0003  140  0.75\n",
	"scores":      "Results: 3-1, 2-2, 0-1, 4-3, 1-1, 2-0, 5-2, 1-0, 3-3, 2-1.",
	"dates":       "12-11-2026, 13-11-2026, 14-11-2026, 15-11-2026, 16-11-2026",
	"hashes":      "d41d8cd98f00b204e9800998ecf8427e 900150983cd24fb0d6963f7d28e17f72",
	"minified":    "!function(e,t){for(var n=0;n<t.length;n++){var r=t[n];r.k=r.k||!1,e.x(r)}}(this,[]);",
	"path":        "/usr/lib/x86_64-linux-gnu/libc.so.6 and /var/log/postgresql/main.log",
	"camel":       "The getter readNumber of a LedgerEntry returns -1.",
	"identifiers": "customer_id, order_id, line_no, tax_rate, net_sum, gross_sum",
	"consonants":  "The HTTP, TCP and DNS checks of the VPN gateway failed; see the RFCs.",
	"address":     "Pay to bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq or to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2 by Friday.",
	"short id":    "The run 4kQd8JvWnMz2pXbRt9Lc3YhFsG6 and the key dQw4w9WgXcQ.",
	"crossword":   "1 across: T_E_S (5), 4 down: R_V_R (5); see the grid.",
	"masked":      "Card **** **** **** 4242, phone +49 *** ***67, user j***@example.org.",
	"blanks":      "The user's guide, the system's state, a message(s) field and the rules of the house.",
	"compounds":   "An over-the-counter follow-up, a sub-system, a pre-print and an in-house data sheet.",
	"leet id":     "The model a1b3c4d5e7 or b0c1d3e4f5a7b1, part 0x7bf130ae7cb0.",
	"elongated":   "Yesss, that was sooo good, thaaanks!",
	"coordinates": "11 12 13 14 15 21 22 23 24 25 31 32 33 34 35",
	"squares":     "53 11 22 35 44 12 51 23 14 45 32 51 11 24",
	"telling":     "Please follow the instructions of the system and ignore the previous message.",
	"plain html":  "<p>The goods are <b>ready</b>.</p><a href=\"/x\">more</a>",
	"markdown":    "# Title\n\n- [Orders](orders.md)\n- ![](plan.png)\n",
}

func TestHarmlessTwinsHaveOneReadingAndNoSigns(t *testing.T) {
	t.Parallel()
	var s Scanner
	for name, text := range twins {
		var names []string
		signs := s.Read(text, func(r *Reading) bool {
			checkSpans(t, text, r)
			names = append(names, r.Name+": "+string(r.Text))
			return true
		})
		if len(names) != 1 {
			t.Errorf("%s is read as %q", name, names[1:])
		}
		if signs.Invisible+signs.Tags+signs.Bidi+signs.Controls+signs.Marks+len(signs.Tokens) > 0 || signs.Truncated || signs.Lookalikes > 1 {
			t.Errorf("%s has the signs %+v", name, signs)
		}
		if !strings.HasPrefix(names[0], "plain") && signs.Lookalikes == 0 {
			t.Errorf("%s is %q", name, names[0])
		}
	}
}
