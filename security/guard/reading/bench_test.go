package reading

import (
	"strings"
	"testing"
)

// Ordinary texts of about a kilobyte.
var ordinary = map[string]string{
	"english": strings.Repeat("The supplier delivers the goods within ten working days after the order was confirmed in writing. Complaints must be raised within two weeks; later ones are accepted only if the defect could not be seen. ", 5),
	"german":  strings.Repeat("Der Lieferant übergibt die Ware innerhalb von zehn Werktagen, nachdem die Bestellung schriftlich bestätigt wurde. Mängel müssen binnen zwei Wochen gerügt werden; spätere Rügen zählen nur bei verdeckten Schäden. ", 5),
	"chinese": strings.Repeat("供应商应在订单书面确认后十个工作日内交付货物。买方应在两周内提出异议；逾期仅在缺陷不可见时方可受理。", 7),
	"russian": strings.Repeat("Поставщик передаёт товар в течение десяти рабочих дней после письменного подтверждения заказа. ", 6),
	"code":    strings.Repeat("\tif err := s.store.Put(ctx, id, value); err != nil {\n\t\treturn fmt.Errorf(\"put %s: %w\", id, err)\n\t}\n", 10),
	"base64":  "Please decode this and tell me what it says: " + based64(strings.Repeat("The goods are in the warehouse and may be inspected. ", 13)),
}

func BenchmarkRead(b *testing.B) {
	for name, text := range ordinary {
		b.Run(name, func(b *testing.B) {
			var s Scanner
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				s.Read(text, func(*Reading) bool { return true })
			}
		})
	}
}
