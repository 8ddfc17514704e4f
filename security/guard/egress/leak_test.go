package egress

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

const (
	canary = "CNRY-x7Kq92mVb4Tz"

	orders = "You are the clerk of the purchasing department of Northwind. Compare the offer with the framework contract, name every clause " +
		"that deviates to our disadvantage, and never mention the internal discount of seventeen percent to anybody outside of the department."

	contract = "The supplier warrants that the delivered machines are free from defects in material and workmanship for thirty-six months from the " +
		"day of acceptance, and that spare parts remain available for at least twelve years after the last machine of the series was sold. " +
		"Die Vertragsstrafe beträgt je angefangener Woche des Verzuges ein halbes Prozent des Auftragswertes, insgesamt höchstens fünf Prozent des Auftragswertes. " +
		"供应商应在订单书面确认后十个工作日内交付货物。买方应在两周内以书面形式提出异议，逾期仅在缺陷不可见时方可受理，并由双方协商解决。"
)

func leakRows() []row {
	p := Policy{Protected: Protected{
		Canaries: []string{canary}, Prompts: []string{orders, "Be brief and kind.", "Answer only in German and mention the ticket number in every answer."},
		Confidential: []Source{{Name: "inputs.contract", Text: contract}},
	}}
	b64 := base64.StdEncoding.EncodeToString
	return []row{
		{rule: LeakCanary, policy: p, bad: []string{
			"My token is " + canary + ".", "cnry x7kq92mvb4tz", "CNRY\n-x7\nKq92\nmVb4\nTz", "C.N.R.Y.x.7.K.q.9.2.m.V.b.4.T.z", "zT4bVm29qK7x-YRNC", b64([]byte(canary)), b64([]byte("a" + canary)), b64([]byte("ab" + canary + "c")),
			b64([]byte("The token that you asked for is " + canary + " and nothing else")), hex.EncodeToString([]byte(canary)), "\\x43\\x4e\\x52\\x59\\x2d\\x78\\x37\\x4b\\x71\\x39\\x32\\x6d\\x56\\x62\\x34\\x54\\x7a",
			base32.StdEncoding.EncodeToString([]byte("x" + canary)), "PAEL-k7Xd92zIo4Gm", "CN\u200bRY-x7K\u200bq92mVb4Tz", "<!-- " + canary + " -->", "https://good.example/?q=" + canary, "ＣＮＲＹ-x7Kq92mVb4Tz",
			"%43%4E%52%59%2D%78%37%4B%71%39%32%6D%56%62%34%54%7A", "67 78 82 89 45 120 55 75 113 57 50 109 86 98 52 84 122",
		}, good: []string{
			"The canary is a bird.", "CNRY", "x7Kq92", "cnry-x7kq92mvb4t", b64([]byte("The token that you asked for is a secret")), "CNRY-a1B2c3D4e5F6g", strings.Repeat("ab12", 40),
		}},
		{rule: LeakPrompt, policy: p, bad: []string{
			orders, "Sure! My instructions: " + strings.ToUpper(orders), "I was told to compare the offer with the framework contract, name every clause that deviates to our disadvantage.",
			"name every clause that **deviates** to our\ndisadvantage, and never mention the internal discount", b64([]byte(orders)), "answer only in german, and mention the ticket number in every answer",
			"1. You are the clerk of the purchasing department of Northwind 2. compare the offer with the framework contract 3. name every clause that deviates to our disadvantage",
		}, good: []string{
			"Be brief and kind.", "The offer deviates from the framework contract in two clauses.", "I compare the offer with the framework contract, as you asked.", "The clerk of the purchasing department of Northwind signed.",
			"Please answer only in German.", contract,
		}},
		{rule: CopyConfidential, policy: p, bad: []string{
			contract, "It says that the delivered machines are free from defects in material and workmanship for thirty-six months, which is long.", "spare parts remain\navailable for at least twelve years after the last machine of the SERIES was sold",
			"Die Vertragsstrafe betragt je angefangener Woche des Verzuges ein halbes Prozent des Auftragswertes", "买方应在两周内以书面形式提出异议，逾期仅在缺陷不可见时方可受理，并由双方协商解决", b64([]byte(contract[:200])),
			"> delivered machines are free from _defects_ in material and workmanship for thirty-six months from the",
		}, good: []string{
			"The warranty is thirty-six months; parts are there for twelve years.", "free from defects in material and workmanship", orders, "买方应在两周内提出异议", "The penalty is half a percent a week, at most five percent.",
		}},
	}
}

func wordRows() []row {
	p := Policy{Words: []WordList{{Name: "projects", Words: []string{"Blue Heron", "Größenwahn", "東京計画", "Nightjar"}}, {Name: "rivals", Words: []string{"Contoso"}}}}
	return []row{
		{
			rule: "word.projects", policy: p, bad: []string{
				"About Blue Heron.", "blue-heron", "BLUE\nHERON", "t h e  b l u e  h e r o n  l a n d s  t o d a y", "grossenwahn", "GRÖSSENWAHN", "新しい東京計画です", "Nіghtjar", "night\u200bjar", "Tell them about <b>nightjar</b>",
				base64.StdEncoding.EncodeToString([]byte("They work on the blue heron until spring")),
			},
			good: []string{"blueheron", "a heron, blue", "Blue herons", "blue and heron", "東京の計画", "night jar", "contoso"},
		},
		{rule: "word.rivals", policy: p, bad: []string{"Contoso", "with contoso's", "CONTOSO!"}, good: []string{"contosos", "con toso", "blue heron"}},
	}
}

// A finding must never carry what it protects, or the text.
func TestAFindingRepeatsNothing(t *testing.T) {
	t.Parallel()
	for _, row := range rows() {
		r, err := New(row.policy)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range row.bad {
			r.Find(text, func(f Finding) bool {
				said := strings.ToLower(fmt.Sprint(f.Why, f.Replacement, f.Rule))
				for _, secret := range []string{"cnry", "x7kq", "discount", "evil", "heron", "defects"} {
					if strings.Contains(said, secret) {
						t.Errorf("%s says %q", f.Rule, said)
					}
				}
				return true
			})
		}
	}
}
