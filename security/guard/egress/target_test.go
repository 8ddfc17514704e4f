package egress

import "testing"

// What a browser contacts, and whether a link is written so that every program
// agrees.
func TestALinkLeadsWhereABrowserGoes(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]struct {
		host  string
		plain bool
	}{
		"https://good.example":                     {"good.example", true},
		"HTTPS://Good.Example/Path?q=1#f":          {"good.example", true},
		"https://good.example:443/":                {"good.example", true},
		"//good.example/x":                         {"good.example", true},
		"https://bücher.example/":                  {"xn--bcher-kva.example", true},
		"https://BÜCHER.example/":                  {"xn--bcher-kva.example", true},
		"https://xn--bcher-kva.example/":           {"xn--bcher-kva.example", true},
		"http://192.0.2.7/":                        {"192.0.2.7", true},
		"https://good.example@evil.example/":       {"evil.example", false},
		"https://good.example:pw@evil.example/":    {"evil.example", false},
		"https://good.example@@evil.example/":      {"evil.example", false},
		`https://evil.example\@good.example/`:      {"evil.example", false},
		`https:\\evil.example\good.example`:        {"evil.example", false},
		`https:/\evil.example`:                     {"evil.example", false},
		"https:evil.example":                       {"evil.example", false},
		"https:/evil.example":                      {"evil.example", false},
		"https:///evil.example/":                   {"evil.example", false},
		"///evil.example":                          {"evil.example", false},
		`/\evil.example`:                           {"evil.example", false},
		`\\evil.example`:                           {"evil.example", false},
		"https://good.example#@evil.example/":      {"good.example", true},
		"https://good.example?@evil.example/":      {"good.example", true},
		"https://evil.example/@good.example":       {"evil.example", true},
		"https://ev%69l.example/":                  {"evil.example", false},
		"https://evil%2eexample/":                  {"evil.example", false},
		"https://evil。example/":                    {"evil.example", false},
		"https://evil．example/":                    {"evil.example", false},
		"https://evil｡example/":                    {"evil.example", false},
		"https://ｅｖｉｌ.example/":                    {"evil.example", false},
		"https://ev\u200bil.example/":              {"evil.example", false},
		"https://ev\u00adil.example/":              {"evil.example", false},
		"https://evil.example./":                   {"evil.example", false},
		"ht\ttps://evil.exa\nmple/":                {"evil.example", false},
		"\x01https://evil.example":                 {"evil.example", false},
		"http://3232235777/":                       {"192.168.1.1", false},
		"http://0xc0a80101/":                       {"192.168.1.1", false},
		"http://0300.0250.1.1/":                    {"192.168.1.1", false},
		"http://192.168.257/":                      {"192.168.1.1", false},
		"http://127.1/":                            {"127.0.0.1", false},
		"http://0x7f.1/":                           {"127.0.0.1", false},
		"http://１２７.0.0.1/":                        {"127.0.0.1", false},
		"http://256.0.0.1/":                        {"", false},
		"http://[::1]/":                            {"", false},
		"http://[::ffff:127.0.0.1]/":               {"", false},
		"https://good.example:x/":                  {"good.example", false},
		"https://good.example:0443/":               {"good.example", false},
		"https://good.example,evil.example/":       {"", false},
		"https://good.example]@evil.example/":      {"evil.example", false},
		"https://good example/":                    {"", false},
		"https://good.example%00.evil.example/":    {"", false},
		"https://good.example%2f.evil.example/":    {"", false},
		"https://gооd.example/":                    {"xn--gd-fmca.example", true},
		"mailto:ann@good.example?subject=x":        {"good.example", true},
		"mailto:ann@good.example,eve@evil.example": {"", false},
		"mailto:ann%40good.example@evil.example":   {"evil.example", false},
		"https://\u2068good.example/":              {"", false},
		"https://evil.example\u2044.good.example/": {"evil.xn--example-7d7c.good.example", true},
		"https://evil.example\uff0f.good.example/": {"", false},
		"https://evil.example\uff03.good.example/": {"", false},
		"https://good.example\uff20evil.example/":  {"", false},
		"https://faß.example/":                     {"xn--fa-hia.example", true},
		"https://good.example/\\..\\evil.example":  {"good.example", false},
		"https://good.example/a?next=\\\\evil":     {"good.example", true},
		"javascript://good.example/%0aalert(1)":    {"", true},
		"data:text/html,x":                         {"", true},
		"":                                         {"", true},
	} {
		got := resolve(link)
		if got.host != want.host || got.plain != want.plain {
			t.Errorf("%q: leads to %q, plain %v; want %q, %v", link, got.host, got.plain, want.host, want.plain)
		}
	}
}
