package custody

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheFirewallsAdditionsAreRead(t *testing.T) {
	t.Parallel()
	c, err := Load(env(), written(t, `models: {fast: {provider: offline}}
judge: {model: fast, timeout: 30s, max_tokens: 200, calls: 7}
guard:
  links: [example.com, .example.org]
  images: [cdn.example.com]
  words: {projects: [bluebird, "night train"]}
`))
	must(t, err)
	want := Guard{
		Links: []string{"example.com", ".example.org"}, Images: []string{"cdn.example.com"},
		Words: map[string][]string{"projects": {"bluebird", "night train"}},
	}
	if diff := cmp.Diff(want, c.Guard); diff != "" || c.JudgeBudget != (JudgeBudget{Timeout: 30 * time.Second, MaxTokens: 200, Calls: 7}) {
		t.Errorf("%+v, guard (-want +got):\n%s", c.JudgeBudget, diff)
	}
	must(t, c.Guard.validate())
	must(t, c.JudgeBudget.validate())
}

func TestAnAdditionThatMeansNothingIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a negative time":       {JudgeBudget{Timeout: -1}.validate(), "judge.timeout"},
		"a long time":           {JudgeBudget{Timeout: 2 * time.Hour}.validate(), "judge.timeout"},
		"negative tokens":       {JudgeBudget{MaxTokens: -1}.validate(), "judge.max_tokens"},
		"negative calls":        {JudgeBudget{Calls: -1}.validate(), "judge.calls"},
		"a list without a word": {Guard{Words: map[string][]string{"hunter2": {}}}.validate(), "guard.words.hunter2"},
		"a name with a blank":   {Guard{Words: map[string][]string{"a b": {"x"}}}.validate(), "guard.words"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, c.err, c.want)
		}
	}
	if _, err := Load(env(), written(t, "guard: {off: true}\n")); err == nil || !strings.Contains(err.Error(), "off") {
		t.Errorf("an unknown setting was taken: %v", err)
	}
}
