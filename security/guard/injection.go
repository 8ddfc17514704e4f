package guard

import (
	"cmp"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard/detector"
)

// maxEvidence bounds what is said for one score.
const maxEvidence = 5

// channelsOf are the ways on which a value of these origins comes. One of unknown
// origin comes on a way of its own, with the strictest thresholds; the first of
// several is the one that may give the fewest orders.
func channelsOf(o security.Origins) []detector.Channel {
	var out []detector.Channel
	for _, c := range []struct {
		from security.Origins
		on   detector.Channel
	}{
		{security.Tool, detector.Tool},
		{security.Document, detector.Document},
		{security.Model, detector.Model},
		{security.Caller | security.Person, detector.Person},
	} {
		if o&c.from != 0 {
			out = append(out, c.on)
		}
	}
	if len(out) == 0 {
		out = append(out, detector.Unknown)
	}
	return out
}

// injections are the places of a text that give orders to a model, as the
// strictest of the channels sees them.
func (g *Guard) injections(text string, on []detector.Channel) []sight {
	worst, seen := detector.Result{}, detector.Unknown
	for _, c := range on {
		if r := g.detector.Scan(text, c); r.Level > worst.Level || r.Level == worst.Level && r.Score > worst.Score {
			worst, seen = r, c
		}
	}
	if worst.Level == detector.Pass {
		return nil
	}
	return places(worst, g.detector.Explain(text, seen).Windows)
}

// places are the hits of a result, each with what speaks for it; of those that
// overlap, the worst.
func places(r detector.Result, windows []detector.Window) []sight {
	hits := slices.Clone(r.Hits)
	if !slices.ContainsFunc(hits, func(h detector.Hit) bool { return h.Level >= r.Level }) {
		hits = append(hits, detector.Hit{Start: r.Start, End: r.End, Level: r.Level, Reading: r.Reading, Score: r.Score})
	}
	slices.SortStableFunc(hits, func(a, b detector.Hit) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(b.Score, a.Score))
	})
	var out []sight
	for _, h := range hits {
		if h.Sign == detector.NoSign && slices.ContainsFunc(out, func(n sight) bool { return h.Start < n.hi && n.lo < h.End }) {
			continue
		}
		out = append(out, place(h, windows))
	}
	return inOrder(out)
}

// place is one hit as a sight.
func place(h detector.Hit, windows []detector.Window) sight {
	n := sight{
		concern: injection, lo: h.Start, hi: h.End, read: h.Reading,
		review: h.Level < detector.Block, score: int(h.Score * 1000),
	}
	if h.Sign != detector.NoSign {
		n.rule, n.why = "injection."+signRule(h.Sign), "The text carries "+h.Sign.String()+"."
		return n
	}
	i := slices.IndexFunc(windows, func(w detector.Window) bool {
		return w.Reading == h.Reading && w.Start < h.End && h.Start < w.End
	})
	if i >= 0 {
		n.evidence = evidence(&windows[i])
	}
	n.rule, n.why = "injection.order", "The text gives orders to the model that reads it."
	if len(n.evidence) > 0 {
		n.why = "The text gives orders to the model that reads it: " + n.evidence[0].Name + "."
	}
	if family := pattern(n.evidence); family != "" {
		n.rule = "injection." + family
	}
	return n
}

// signRule is the name of the rule for a hard sign.
func signRule(s detector.Sign) string {
	switch s {
	case detector.ControlMarks:
		return "control-marks"
	case detector.TagMessage:
		return "hidden-tags"
	case detector.Invisible:
		return "hidden-characters"
	case detector.Exfiltration:
		return "open-address"
	case detector.Unread:
		return "unread"
	case detector.PlainOrder:
		return "plain-order"
	}
	return "sign"
}

// pattern is the family of the heaviest pattern: override, task, leak, role,
// address, claim or exfil. Families keep their names when the weights change.
func pattern(all []security.Evidence) string {
	for _, e := range all {
		if family, _, ok := strings.Cut(e.Name, ": "); ok {
			return family
		}
	}
	return ""
}

// evidence is what weighed most for a window, heaviest first. Words of the text
// are content and not told.
func evidence(w *detector.Window) []security.Evidence {
	sum := 0.0
	for _, c := range w.Contributions {
		sum += max(c.Points, 0)
	}
	told := w.Telling()
	out := make([]security.Evidence, min(len(told), maxEvidence))
	for i := range out {
		out[i] = security.Evidence{Name: told[i].What, Weight: int(told[i].Points / sum * 1000)}
	}
	return out
}
