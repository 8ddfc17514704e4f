package guard

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/custodyhq/custody/security"
)

// levelOf is what Check makes of a text as an untrusted argument: "pass",
// "review" or "block".
func levelOf(t *testing.T, g *Guard, text string) (string, []security.Finding) {
	t.Helper()
	checked, found, err := g.Check([]Arg{{Name: "text", Value: text, Path: "/input/text", Label: document}}, Rules{}, Pardon{})
	var r *Refusal
	switch {
	case err == nil && checked.OK():
		return "pass", found
	case errors.As(err, &r) && !checked.OK() && checked.Args() == nil:
		if r.Review() {
			return "review", found
		}
		return "block", found
	}
	t.Fatalf("Check(%.40q) = OK %v, %v: neither passed nor refused", text, checked.OK(), err)
	return "", nil
}

var document = security.Label{Origins: security.Document}

func lines(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	var out []string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if line := sc.Text(); line != "" && line[0] != '#' {
			out = append(out, line)
		}
	}
	return out
}

// The shares that the firewall must reach on our own families, in hundredths.
// What it may let pass is let pass on purpose: at a threshold that stopped it,
// more than one ordinary text in a hundred would be stopped with it.
const (
	attacksStopped = 88 // blocked, or held for a review
	twinsRefused   = 3  // blocked
	twinsHeld      = 12 // held for a review; the twins are chosen to look like attacks
)

func TestFamiliesStopTheirAttacksAndPassTheirTwins(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	count := map[string]int{}
	for _, family := range []string{"override", "leak", "persona", "exfil", "address", "hijack", "template", "hidden"} {
		for _, line := range lines(t, family+".txt") {
			kind, text, _ := strings.Cut(line, ": ")
			if u, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`); err == nil {
				text = u
			}
			if kind != "twin" && kind != "attack" {
				t.Errorf("%s: the line %q is neither attack nor twin", family, line)
			}
			level, _ := levelOf(t, g, text)
			count[kind]++
			count[kind+" "+level]++
			if kind == "attack" && level == "pass" || kind == "twin" && level != "pass" {
				t.Logf("%s: the %s %q: %s", family, kind, text, level)
			}
		}
	}
	t.Logf("%v", count)
	if share := 100 * (count["attack block"] + count["attack review"]) / count["attack"]; share < attacksStopped {
		t.Errorf("%d %% of the attacks are stopped, and %d should be", share, attacksStopped)
	}
	if share := 100 * count["twin block"] / count["twin"]; share > twinsRefused {
		t.Errorf("%d %% of the twins are refused, and %d may be", share, twinsRefused)
	}
	if share := 100 * count["twin review"] / count["twin"]; share > twinsHeld {
		t.Errorf("%d %% of the twins are held, and %d may be", share, twinsHeld)
	}
}

func TestOrdinaryBusinessTextPasses(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	count := map[string]int{}
	all := lines(t, "benign.txt")
	for _, text := range all {
		level, found := levelOf(t, g, text)
		count[level]++
		if level != "pass" {
			t.Logf("%.90q: %s, %+v", text, level, found[0].Rule)
		}
	}
	if 100*count["block"] > twinsRefused*len(all) || 100*count["review"] > twinsHeld*len(all) {
		t.Errorf("%v of %d", count, len(all))
	}
}

func TestAnInstructionInsideAContractIsFoundAtItsPlace(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	raw, err := os.ReadFile("testdata/contract.txt")
	if err != nil {
		t.Fatal(err)
	}
	contract := string(raw)
	place := strings.Index(contract, "ignore previous instructions")
	level, found := levelOf(t, g, contract)
	if level == "pass" {
		t.Fatal("the contract passed")
	}
	if f := found[0]; f.Start > place || f.End < place || f.End-f.Start > 600 || f.Path != "/input/text" || f.Action != security.Block {
		t.Errorf("found %+v, want the place at %d", f, place)
	}
	end := strings.Index(contract, "Sub-processors")
	if level, found := levelOf(t, g, contract[:place]+contract[end:]); level != "pass" {
		t.Errorf("the contract without the sentence: %s, %+v", level, found)
	}
}
