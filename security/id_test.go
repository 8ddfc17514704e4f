package security_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/custodyhq/custody/security"
)

func TestAnIDReadsBackAsItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var id security.ID
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		back, err := security.ParseID("run", id.Name("run"))
		if err != nil || back != id {
			t.Fatalf("%s came back as %s: %v", id, back, err)
		}
	})
}

func TestOnlyAnIDOfItsKindIsOne(t *testing.T) {
	t.Parallel()
	good := security.NewID().Name("run")
	for _, bad := range []string{
		"", "run_", good[:len(good)-1], good + "0", strings.ToUpper(good), "apr_" + good[4:], good[:4] + "z" + good[5:],
		strings.Replace(good, good[10:11], "u", 1), strings.Replace(good, good[10:11], "l", 1), " " + good, good + "\n",
	} {
		if _, err := security.ParseID("run", bad); err == nil {
			t.Errorf("%q was read as a run's id", bad)
		}
	}
	if _, err := security.ParseID("run", good); err != nil {
		t.Error(err)
	}
}

func TestIDsMadeLaterSortLater(t *testing.T) {
	t.Parallel()
	var names []string
	for range 3 {
		id := security.NewID()
		if id[6]>>4 != 7 || id[8]>>6 != 2 {
			t.Errorf("%x is no UUIDv7", id)
		}
		names = append(names, id.String()[:8]) // 40 bits of the 48 of the millisecond
	}
	if !slices.IsSorted(names) {
		t.Error(names)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("run_01m7zb243sfzp8g9c48529tbp9")
	f.Add("run_8zzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := security.ParseID("run", s); err == nil && id.Name("run") != s {
			t.Errorf("%q is read, and written as %q", s, id.Name("run"))
		}
	})
}

func ExampleID_Name() {
	var id security.ID
	id[15] = 31
	fmt.Println(id.Name("run"))
	// Output: run_0000000000000000000000000z
}
