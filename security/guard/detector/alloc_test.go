//go:build !race

// The race detector makes sync.Pool forget on purpose, so nothing can be counted
// under it.

package detector_test

import (
	"strings"
	"testing"

	"github.com/custodyhq/custody/security/guard/detector"
)

func TestAPassingTextCostsNoAllocation(t *testing.T) {
	d := newDetector(t)
	for _, s := range samples {
		text := strings.ToValidUTF8(sized(s.text, 4<<10), "")
		if r := d.Scan(text, detector.Document); r.Level != detector.Pass {
			t.Fatalf("%s: %v", s.name, r)
		}
		if n := testing.AllocsPerRun(20, func() { d.Scan(text, detector.Document) }); n >= 1 {
			t.Errorf("%s: %.1f allocations", s.name, n)
		}
	}
}
