package audit_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security/audit"
)

func TestAnEntryHasTheFormOfTheAPI(t *testing.T) {
	t.Parallel()
	index := int64(17)
	e := audit.Entry{Log: origin, Index: &index, Stream: runA, Seq: 3, Prev: audit.Hash{0xab}, Hash: audit.Hash{0xcd}, Body: `{"a":"<é>"}`}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	zeros := strings.Repeat("0", 62)
	want := `{"log":"localhost/test","index":17,"stream":"` + runA + `","seq":3,"prev":"ab` + zeros +
		`","hash":"cd` + zeros + `","body":"{\"a\":\"\u003cé\u003e\"}"}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	var back audit.Entry
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestCheckFindsAChangeOfAnyField(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*audit.Entry){
		"log":             func(e *audit.Entry) { e.Log = "localhost/other" },
		"stream":          func(e *audit.Entry) { e.Stream = runB },
		"seq":             func(e *audit.Entry) { e.Seq++ },
		"prev":            func(e *audit.Entry) { e.Prev[31] ^= 1 },
		"hash":            func(e *audit.Entry) { e.Hash[0] ^= 0x80 },
		"body":            func(e *audit.Entry) { e.Body += " " },
		"a negative seq":  func(e *audit.Entry) { e.Seq = -1; rehash(e) },
		"a stream in two": func(e *audit.Entry) { e.Stream = "a\nb"; rehash(e) },
		"a log in two":    func(e *audit.Entry) { e.Log = "a\nb"; rehash(e) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := sample().entries[runA][2]
			if err := e.Check(); err != nil {
				t.Fatalf("untouched: %v", err)
			}
			change(&e)
			if err := e.Check(); !errors.Is(err, audit.ErrAltered) {
				t.Errorf("changed: %v", err)
			}
		})
	}
}

func TestTheIndexIsNotHashed(t *testing.T) {
	t.Parallel()
	e := sample().entries[runA][2]
	e.Index = new(int64)
	if err := e.Check(); err != nil {
		t.Errorf("with an index: %v", err)
	}
}

func TestParseHashTakesOneForm(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("0f", 32)
	for text, ok := range map[string]bool{
		good: true, strings.ToUpper(good): false, good[1:]: false, good + "00": false, "": false, strings.Repeat("0g", 32): false,
	} {
		h, err := audit.ParseHash(text)
		if (err == nil) != ok || ok && h.String() != text {
			t.Errorf("%q: %v, %v", text, h, err)
		}
	}
}

func TestAppendLeafUsesItsBuffer(t *testing.T) {
	buf, body := make([]byte, 0, 1024), []byte(plainBody)
	if n := testing.AllocsPerRun(100, func() { _, buf = audit.AppendLeaf(buf, origin, runA, 1, audit.Hash{}, body) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
