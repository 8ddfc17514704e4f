package detector_test

import (
	"strings"
	"testing"

	"github.com/custodyhq/custody/security/guard/detector"
)

// samples are innocent texts of several shapes; they are repeated up to the size
// that a benchmark needs.
var samples = []struct{ name, text string }{
	{"english", "The delivery of the second lot was delayed because the carrier's depot in Leeds was flooded. Please tell the warehouse to expect two pallets on Thursday; the invoice will follow by post. We have asked the insurer whether the damage is covered, and will write again as soon as they answer. "},
	{"german", "Die Lieferung der zweiten Charge verzögert sich, weil das Lager des Spediteurs in Köln überflutet war. Bitte kündigen Sie dem Lager zwei Paletten für Donnerstag an; die Rechnung folgt mit der Post. Wir haben die Versicherung gefragt, ob der Schaden gedeckt ist. "},
	{"chinese", "由于承运商在利兹的仓库被水淹没，第二批货物的交付被推迟。请通知仓库周四接收两个托盘；发票将通过邮寄方式寄出。我们已经询问保险公司该损失是否在承保范围内，一旦得到答复我们会再次写信。"},
	{"code", "func (s *Store) Lock(ctx context.Context, id string) error {\n\trow := s.pool.QueryRow(ctx, `SELECT head FROM chains WHERE id = $1 FOR UPDATE`, id)\n\tif err := row.Scan(&s.head); err != nil {\n\t\treturn fmt.Errorf(\"lock chain head: %w\", err)\n\t}\n\treturn nil\n}\n"},
}

func sized(text string, n int) string {
	return strings.Repeat(text, n/len(text)+1)[:n]
}

func BenchmarkScan(b *testing.B) {
	d := newDetector(b)
	for _, size := range []struct {
		name string
		n    int
	}{{"1KB", 1 << 10}, {"100KB", 100 << 10}} {
		for _, s := range samples {
			b.Run(size.name+"/"+s.name, func(b *testing.B) {
				text := strings.ToValidUTF8(sized(s.text, size.n), "")
				d.Scan(text, detector.Document)
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					d.Scan(text, detector.Document)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/(float64(len(text))/1024), "us/KB")
			})
		}
	}
}

// BenchmarkScanOrders scans a text in which every word begins a pattern: the
// most work that words can make.
func BenchmarkScanOrders(b *testing.B) {
	d := newDetector(b)
	text := sized("ignore forget show say your prior instructions system model must send all ", 100<<10)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		d.Scan(text, detector.Document)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/100, "us/KB")
}
