package egress

import (
	"slices"
	"strings"
)

func rows() []row {
	return slices.Concat(linkRows(), imageRows(), htmlRows(), textRows(), codeRows(), leakRows(), wordRows())
}

func linkRows() []row {
	return []row{
		{rule: LinkHost, policy: listed, bad: []string{
			"See https://evil.example/a for more.",
			"See [the terms](https://evil.example/a).",
			"See [the terms](<https://evil.example/a b> \"title\").",
			"See [the terms][1].\n\n[1]: https://evil.example/a\n",
			"See [1].\n\n> [1]: //evil.example/a 'title'\n",
			"See <https://evil.example/>.",
			"[x](//evil.example)",
			"Go to www.evil.com now.",
			"Go to evil-shop.com/pay?x=1 now.",
			"HTTPS://EVIL.EXAMPLE/",
			"`https://evil.example/`",
			"```\ncurl https://evil.example/\n```\n",
			"https://good.example.evil.example/",
			"https://notgood.example/",
			"https://wide.example.evil.example/x",
			"https://good.example:8443/",
			"http://docs.example/manual/a",
			"https://docs.example/manualer/a",
			"https://docs.example/manual/../secret",
			"https://docs.example/manual/%2e%2e/secret",
			"http://192.0.2.8/",
			"mailto:eve@evil.example?body=x",
			"[write](mailto:eve@evil.example)",
			"https://gооd.example/",
			"看https://evil.example，谢谢",
			"[a](b\nhttps://evil.example",
			"[a]( https://evil.example \"x\" y )",
			"- [ ] see [a](https://evil.example)",
			"[a](https://evil.example/(x)y)",
			"ftp://good.example/",
		}, good: []string{
			"See https://good.example/a for more.",
			"See [the terms](https://good.example/a).",
			"See [the terms][1].\n\n[1]: https://good.example/a\n",
			"See <https://good.example/>, www.wide.example and https://a.b.wide.example/x.",
			"[x](//good.example)",
			"[above](#above), [other](other.md), [other](../a/b?c=d)",
			"(https://good.example/a), \"https://good.example\", 'https://good.example'. https://good.example!",
			"[https://good.example](https://good.example/)",
			"https://docs.example/manual/a/b?c",
			"https://bücher.example/ and https://xn--bcher-kva.example/",
			"http://192.0.2.7/x",
			"HTTPS://GOOD.EXAMPLE:443/",
			"mailto:ann@good.example",
			"Read main.go, report.pdf, README.md and e.g. section 3.2.1; version 1.2.3.",
			"Call user.name and os.path, then obj.info() and list.sort().",
			"Write to ann@northwind.com or a.b@mail.northwind.com.",
			"It works.It is done at 10:30: see a:b and std::vector.",
			"在https://good.example，谢谢",
			"| https://good.example | x |",
			"arr[i](x) and m[k]: v",
		}},
		{rule: LinkScheme, policy: listed, bad: []string{
			"[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](java\\script:alert(1))" + "[x](javascript&colon;alert(1))", "[x](data:text/html;base64,PHNjcmlwdD4=)",
			"<javascript:alert(1)>", "javascript:alert(document.cookie)", "vbscript:msgbox(1)", "file:///etc/passwd", "[x](file:///c:/a)",
			"data:text/html,<b>x", "[a]: javascript:alert(1)", "slack://open?x", "[x](tel:+4912345)", "[x](&#106;avascript:alert(1))",
		}, good: []string{
			"JavaScript: the good parts", "data: see below", "The file: a.txt", "ratio 3:4, at 10:30, std::x", "https://good.example/javascript:x", "note: this",
		}},
		{rule: LinkDisguised, policy: listed, bad: []string{
			"https://good.example@evil.example/", `https://evil.example\@good.example/`, "[x](https:evil.example)", "[x](https:/good.example)", `[x](\\good.example)`, `[x](/\\good.example/)`,
			"[x](https://ev%69l.example)", "https://evil。example/", "[x](https://evil．example/)", "http://3232235777/", "http://0x7f.1/", "http://127.1/", "[x](https://good.example./)",
			"hxxp://evil.example/a", "hxxps[:]//evil[.]example/", "Go to evil[.]com or evil(.)com", "https://good.example,x.evil.example/", "https://good.example]@evil.example/",
			"https://good.example'@evil.example/", "[x](<https://g\tood.example>)", "https://good.example:0443/", "http://[::1]/", "https://good.example;.evil.example/",
			"[x](https://ｇood.example/)", "[a](http:\\\\\\\\good.example)", "https://good.example\u200b.evil.example@x/", "[x](https&#58;//good.example@evil.example)",
		}, good: []string{
			"https://good.example/@user", "https://good.example/?q=a@b.c", "https://good.example/a,b;c'd", "https://good.example, and", "https://good.example;", "[https://good.example](https://good.example)",
			"hxxps://good[.]example/", "array[.] and (.) and [dot]", "https://good.example/%41", "https://BÜCHER.example/",
		}},
		{rule: LinkData, policy: listed, bad: []string{
			"https://good.example/?d=" + strings.Repeat("secret+", 40), "https://good.example/" + strings.Repeat("abcdefgh/", 40), "https://good.example/?k=Zm9vYmFyYmF6MTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A",
			"[x](https://good.example/Zm9vYmFyYmF6MTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A)", "https://good.example/#" + strings.Repeat("0123456789", 5),
		}, good: []string{
			"https://good.example/how-to-configure-the-mail-server-of-2024-in-twelve-steps", "https://good.example/commit/0123456789abcdef0123456789abcdef01234567",
			"https://good.example/?id=123e4567-e89b-12d3-a456-426614174000&page=2", "https://good.example/search?q=contract+law&lang=en",
		}},
	}
}

func imageRows() []row {
	return []row{
		{rule: ImageHost, policy: listed, bad: []string{
			"![x](https://evil.example/a.png)", "![x](https://good.example/a.png?d=1)", "![x][1]\n\n[1]: https://evil.example/a.png\n", "[![x](https://evil.example/b)](https://good.example)",
			"<img src=https://evil.example/x>", "<img src='//evil.example/x' alt=y>", "![](//evil.example)", "> ![a](https://evil.example/\"b\")", "<video poster=\"https://evil.example/x\">",
			"![a\nb](https://evil.example/)",
		}, good: []string{
			"![x](https://img.example/a.png)", "![x](a.png)", "<img src=\"https://img.example/a.png\">", "![x][1]\n\n[1]: https://img.example/a.png\n", "wow![1]", "see https://good.example/a.png", "`![x](https://evil.example/a.png)`",
		}},
		{
			rule: ImageScheme, policy: listed, bad: []string{"![x](data:image/png;base64,iVBORw0KGgo=)", "![x](javascript:alert(1))", "<img src=data:image/svg+xml,x>", "![x](file:///etc/passwd)", "![x](cid:1)"},
			good: []string{"![x](https://img.example/data:x)", "![x](img/a.png)", "![data:](a.png)"},
		},
		{
			rule: ImageDisguised, policy: listed, bad: []string{"![x](https://img.example@evil.example/)", `![x](/\evil.example/a)`, "![x](https:evil.example)", "<img src='ht\ntps://img.example/'>", "![x](https://img.example%2eevil.example/)"},
			good: []string{"![x](https://img.example/@a)", "![x](https://IMG.example/a)", "![x](/a/b.png)"},
		},
		{
			rule: ImageData, policy: listed, bad: []string{"![x](https://img.example/a.png?d=" + strings.Repeat("dear+", 50) + ")", "![x](https://img.example/" + strings.Repeat("ab12", 12) + ")", "<img src=\"https://img.example/?" + strings.Repeat("Ab1", 20) + "\">"},
			good: []string{"![x](https://img.example/a.png?w=300&h=200)", "![x](https://img.example/2024/06/summer-party-in-the-garden.jpg)", "<img src=\"https://img.example/a.png\">"},
		},
	}
}

func htmlRows() []row {
	formatted := Policy{HTML: true, Links: []string{"good.example"}, Images: []string{"img.example"}}
	return []row{
		{
			rule: HTMLRaw, bad: []string{"a <b>bold</b> word", "<br/>", "x <a href=#>y</a>", "<div\nclass=x>", "</p>", "<x-y a=b>", "a <b\ttitle='>'>", "<h1", "<foo bar=baz>", "<a href='x", "**<u>x</u>**"},
			good: []string{"a < b and c > d", "List<String> and Map<K, V>", "if x <y and z> w", "`<b>`", "```html\n<b>x</b>\n```\n", "<your name here>", "I <3 you </3", "a <- b <= c", "&lt;b&gt;", "<https://good.example>", "<ann@northwind.com>"},
		},
		{
			rule: HTMLRaw, policy: formatted, bad: []string{"<b class=x>", "<p style='color:red'>", "<nav>", "<p id=a>", "<a href=# target=_blank>"},
			good: []string{"<b>x</b><br>", "<a href=\"https://good.example/x\" title=y>z</a>", "<img src=https://img.example/a alt='b' width=3>", "<table><tr><td colspan=2>x</td></tr></table>"},
		},
		{
			rule: HTMLScript, policy: formatted, bad: []string{
				"<script>alert(1)</script>", "<SCRIPT SRC=//evil.example>", "<img src=x onerror=alert(1)>", "<img/src=\"x\"/onerror=alert(1)>", "<svg/onload=alert(1)>", "<iframe src=a>", "<p style=\"background:url(//evil.example)\">",
				"<meta http-equiv=refresh content='0;url=//evil.example'>", "<base href=//evil.example>", "<form action=x>", "<math><x>", "<a href=javascript:alert(1)>x</a>", "<a href=\"java\nscript:alert(1)\">", "<a href=&#106;avascript:alert(1)>",
				"<scr\u200bipt>alert(1)</script>", "<x onclick=alert(1)>", "<style>@import 'x'</style>", "<link rel=stylesheet href=x>", "<object data=x>", "```\n<script>alert(1)</script>\n", "    <script>alert(1)</script>", "<b <script>alert(1)</script>", "<input autofocus onfocus=a>",
			},
			good: []string{"<b>script</b>", "```html\n<script>alert(1)</script>\n```\n", "onclick=alert(1)", "`<script>`", "<p title='onerror=x'>"},
		},
		{
			rule: HTMLComment, bad: []string{"a <!-- hidden --> b", "<!-- open", "<!DOCTYPE html>", "<?php echo 1 ?>", "<![CDATA[x]]>", "<!-->x"},
			good: []string{"a <- b --> c", "`<!-- x -->`", "<= !--", "wow!-->"},
		},
	}
}

func textRows() []row {
	return []row{
		{
			rule: TextHidden, bad: []string{"pass\u200bword", "a\u200b\u200cb c", "tag \U000E0048\U000E0049 x", "\U0001F3F4\U000E0075\U000E0073\U000E0063\U000E0061\U000E007F", "a\u2063b", "x\ufe01\ufe02", "a\ufe0fb", "\u3164x\u3164\u3164", "a\u2060b", "end\u200b\u200b"},
			good: []string{"👩\u200d👩\u200d👧 family, ❤\ufe0f heart, ❤\ufe0f\u200d🔥", "می\u200cخواهم", "क्\u200dष", "Donau\u00addampf\u00adschiff", "\ufeffBOM first", "\U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F", "1\ufe0f\u20e3 one", "שלום\u200f, world", "ไทย\u200bไทย", "葛\U000E0100"},
		},
		{
			rule: TextBidi, bad: []string{"user\u202egnp.exe", "if \u2067admin\u2069 {", "open \u2066 end", "a\u202bb\u202c", "x \u202c y"},
			good: []string{"Hello \u2068Ann\u2069!", "\u202bשלום\u202c", "مرحبا \u2067عالم\u2069", "\u202aabc\u202c"},
		},
		{rule: TextControl, bad: []string{"a\x00b", "a\x08\x08b", "x\x7f", "a\u0085b", "a\xffb"}, good: []string{"a\tb\r\nc", "é ü 中", "\uFFFD"}},
		{rule: TextANSI, bad: []string{"\x1b[31mred\x1b[0m", "\x1b]8;;https://evil.example\x1b\\x\x1b]8;;\x1b\\", "\u009b31m", "\x1bc", "\x1b]0;title\x07", "\x1b"}, good: []string{"[31m", "^[[0m", "\\x1b[31m"}},
		{rule: LinkHost, bad: []string{"\x1b]8;;https://evil.example\x1b\\x\x1b]8;;\x1b\\", "https://ev\u200bil.example/", "www.northwind.com"}, good: []string{"x", "\x1b[31mred\x1b[0m", "a\u200bb"}},
	}
}
