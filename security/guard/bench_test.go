package guard

import (
	"strings"
	"testing"
)

const benchProse = `The Supplier shall deliver the Services in accordance with the Service Levels and shall notify the Customer without undue delay of any event that may affect them. Invoices are issued monthly in arrears and are payable within thirty days of receipt. Either party may terminate this Agreement for convenience on ninety days' written notice. Neither party is liable for indirect loss; nothing limits liability for death or personal injury caused by negligence. `

// benchPage is a page of ordinary contract prose, a bit over 1 KB for each unit.
func benchPage(kb int) string { return strings.Repeat(benchProse, kb*1024/len(benchProse)+1)[:kb*1024] }

func BenchmarkScan(b *testing.B) {
	g := mustNew(b)
	german := strings.NewReplacer("ue", "ü", "ae", "ä", "oe", "ö").Replace(strings.Repeat("Der Lieferant erbringt die Leistungen gemaess den vereinbarten Fristen und unterrichtet den Kunden unverzueglich ueber Stoerungen. ", 8))
	for _, c := range []struct{ name, text string }{
		{"contract-1KB", benchPage(1)},
		{"contract-100KB", benchPage(100)},
		{"german-1KB", (german + german)[:1024]},
		{"chinese-1KB", strings.Repeat("本合同自双方签字之日起生效，供应商应按约定时间交付服务。", 13)[:1023]},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				g.Scan("", c.text)
			}
		})
	}
}

func mustNew(t testing.TB) *Guard {
	t.Helper()
	g, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
