package sensitive

import (
	"strings"
	"testing"
)

// Prose as workflows carry it, with numbers in it that are nobody's.
const prose = `The supplier delivers the machines by 15 March 2027 at the latest. Where the delivery is late by more than ten working days, the buyer may
withdraw from the contract and ask for the return of the sum of EUR 125,000.00 that was paid in advance. Notices are in writing; a message to the persons in
Annex 3 is enough. The parties keep the other's business secrets for five years after the end of the contract, whatever its reason. This includes drawings,
prices and the names of customers, as far as they are not known to the public. Section 4.2 is about insurance: the sum is 2.5 million for each case. On the
day of the delivery the parties make a protocol (see form 12-B) that says what is missing, and until when it will be brought. If a court finds that one of these
clauses does not hold, the others stay as they are. The place of jurisdiction is Hamburg. The law of the Federal Republic of Germany applies, without the rules on
the conflict of laws. Order 2027-00183, offer of 7 January, items 1 to 14.`

func benchmark(b *testing.B, text string, o Options) {
	b.Helper()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Find(text, "note", o, func(Finding) bool { return true })
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/(float64(len(text))/1024), "us/KB")
}

func BenchmarkProse1KB(b *testing.B) { benchmark(b, prose[:1000], Options{}) }

func BenchmarkProse100KB(b *testing.B) {
	benchmark(b, strings.Repeat(prose+"\n", 100<<10/len(prose)+1), Options{})
}

func BenchmarkEverything(b *testing.B) {
	benchmark(b, prose, Options{Kinds: mustSelect(b, offKinds()...)})
}

func BenchmarkCode(b *testing.B) {
	benchmark(b, strings.Repeat("\tfor i := range s.items { if s.items[i].key == key { return s.items[i].value, nil } } // token of 12 kinds\n", 10), Options{})
}

func BenchmarkFullWidth(b *testing.B) {
	benchmark(b, strings.Repeat("契約は２０２７年３月１５日までに締結されます。第４条を参照。", 20), Options{})
}

func BenchmarkFindings(b *testing.B) {
	benchmark(b, strings.Repeat("Ann, ann@northwind.eu, +49 40 1234567, DE89 3704 0044 0532 0130 00, 4111 1111 1111 1111. ", 12), Options{})
}

func BenchmarkHostile(b *testing.B) {
	for name, part := range hostile {
		b.Run(name, func(b *testing.B) { benchmark(b, strings.Repeat(part, 10<<10/len(part)), Options{}) })
	}
}
