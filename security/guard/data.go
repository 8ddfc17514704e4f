package guard

import (
	"strings"

	"github.com/custodyhq/custody/security/guard/reading"
	"github.com/custodyhq/custody/security/guard/sensitive"
)

// sensitive adds the personal data and the secrets in a text to the sights: as
// it stands, and in what is encoded in it. What was decoded counts only if a
// check sum or its own form says what it is: a word beside it may be part of
// another reading.
func (g *Guard) sensitive(out []sight, text, key string, o sensitive.Options) []sight {
	sensitive.Find(text, key, o, func(f sensitive.Finding) bool {
		out = append(out, dataSight(f, plain))
		return true
	})
	s := g.scanners.Get().(*reading.Scanner) //nolint:forcetypeassert // the pool holds nothing else
	defer g.scanners.Put(s)
	s.Read(text, func(r *reading.Reading) bool {
		if r.Layer == 0 {
			return true
		}
		sensitive.Find(string(r.Cased), "", o, func(f sensitive.Finding) bool {
			if f.Strength != sensitive.Context {
				f.Start, f.End = r.Span(f.Start, f.End)
				out = append(out, dataSight(f, r.Name))
			}
			return true
		})
		return true
	})
	return out
}

// plain is the reading of a text as it stands.
const plain = "plain"

func dataSight(f sensitive.Finding, read string) sight {
	n := sight{concern: personal, rule: "personal." + f.Kind, why: f.Why, read: read, lo: f.Start, hi: f.End, instead: "[redacted:" + f.Kind + "]"}
	if f.Class != sensitive.Personal {
		n.concern, n.rule, n.instead = secrets, "secret."+f.Kind, "[redacted:secret]"
	}
	return n
}

// personalNumber is personal data that was written as a number, which only the
// name of its member can tell from any other number.
func personalNumber(s, key string, kinds sensitive.Set) []sight {
	if len(s) < minNumber || key == "" {
		return nil
	}
	o := sensitive.Options{Kinds: kinds, Only: sensitive.Personal}
	alone := map[string]bool{}
	sensitive.Find(s, "", o, func(f sensitive.Finding) bool {
		alone[f.Kind] = true
		return true
	})
	var out []sight
	sensitive.Find(s, key, o, func(f sensitive.Finding) bool {
		if !alone[f.Kind] || calledPersonal(key) {
			out = append(out, dataSight(f, plain))
		}
		return true
	})
	return out
}

// minNumber is how many digits a number about a person has at least.
const minNumber = 8

// calledPersonal reports whether a member's name says that a number is somebody's.
func calledPersonal(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"card", "credit", "karte", "carte", "tarjeta", "phone", "mobile", "telefon", "account", "konto"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// dataOptions say which of the two is looked for.
func (m *modes) dataOptions(kinds sensitive.Set) sensitive.Options {
	o := sensitive.Options{Kinds: kinds}
	switch Off {
	case m[personal]:
		o.Only = sensitive.Secret
	case m[secrets]:
		o.Only = sensitive.Personal
	}
	return o
}
