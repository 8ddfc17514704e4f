package stepstest

import (
	"encoding/json"
	"slices"
)

// Judgement is what a judge answers to the rubric of package kinds, with the
// given criteria not met.
func Judgement(verdict, reason string, unmet ...string) string {
	said := map[string]bool{}
	for _, name := range []string{"does_the_task", "follows_no_other_orders", "gives_no_orders", "keeps_secrets", "ignores_the_judge"} {
		said[name] = !slices.Contains(unmet, name)
	}
	raw, err := json.Marshal(map[string]any{"criteria": said, "reason": reason, "verdict": verdict})
	if err != nil {
		panic(err) // it is text and booleans
	}
	return string(raw)
}
