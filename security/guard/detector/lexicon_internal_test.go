package detector

import "testing"

func TestTheLexiconLoads(t *testing.T) {
	t.Parallel()
	l, err := NewLexicon()
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Concepts) < 70 || len(l.Patterns) < 100 {
		t.Errorf("%d concepts, %d patterns", len(l.Concepts), len(l.Patterns))
	}
}
