package egress

import (
	"strings"
	"testing"
)

var ordinary = map[string]string{
	"prose":    strings.Repeat("The supplier delivers the goods within ten working days after the order was confirmed in writing. Complaints must be raised within two weeks; later ones count only if the defect could not be seen. ", 5),
	"markdown": strings.Repeat("## Terms\n\n- **Delivery** within ten days, see [clause 4](#clause-4) and <https://good.example/a>.\n- Payment in `EUR`, due after *thirty* days.\n\n```go\nfmt.Println(\"<b>\")\n```\n\n", 6),
	"chinese":  strings.Repeat("供应商应在订单书面确认后十个工作日内交付货物。买方应在两周内提出异议；逾期仅在缺陷不可见时方可受理。", 7),
}

func BenchmarkFind(b *testing.B) {
	rules := map[string]*Rules{"everything": everything(b)}
	rules["default"], _ = New(Policy{Protected: Protected{Canaries: []string{canary}, Prompts: []string{orders}}})
	rules["places"], _ = New(Policy{Links: []string{"good.example"}})
	for set, r := range rules {
		for name, text := range ordinary {
			b.Run(set+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					r.Find(text, func(Finding) bool { return true })
				}
			})
		}
	}
}
