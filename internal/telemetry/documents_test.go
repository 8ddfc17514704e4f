package telemetry

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

const operations = "../../examples/operations"

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	must(t, err)
	return string(raw)
}

var metricRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)`(?: ‡)? \\| (counter|gauge|histogram) \\| (.*?) ?\\| .+ \\|$")

func TestEveryMetricIsDocumentedAsItIs(t *testing.T) {
	t.Parallel()
	documented := map[string]family{}
	for _, m := range metricRow.FindAllStringSubmatch(read(t, "../../docs/observability.md"), -1) {
		f := family{kind: m[2]}
		for _, l := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(m[3], -1) {
			f.labels = append(f.labels, l[1])
		}
		slices.Sort(f.labels)
		documented[m[1]] = f
	}
	if d := cmp.Diff(documented, families(scrape(t, eventful(t))), cmp.AllowUnexported(family{})); d != "" {
		t.Errorf("docs/observability.md (-) and a scrape (+):\n%s", d)
	}
}

var (
	selector = regexp.MustCompile(`\b((?:custody|gen_ai|go)_[a-z_]+)(\{[^}]*\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
)

// unknown are the metrics and labels of a PromQL expression that no scrape has.
// Labels after by (...) must be of one of the expression's metrics.
func unknown(expr string, have map[string]family) []string {
	var out, labels []string
	outside := grouping.ReplaceAllString(expr, "")
	for _, m := range selector.FindAllStringSubmatch(outside, -1) {
		name := m[1]
		f, ok := have[name]
		if bare := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, ""); !ok && have[bare].kind == "histogram" {
			f, ok = have[bare], true
			f.labels = append(slices.Clone(f.labels), "le")
		}
		if !ok {
			out = append(out, name)
		}
		labels = append(labels, f.labels...)
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(f.labels, l[1]) {
				out = append(out, name+"{"+l[1]+"}")
			}
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(m[1], ",") {
			if !slices.Contains(labels, strings.TrimSpace(l)) {
				out = append(out, "by ("+l+")")
			}
		}
	}
	return out
}

func TestTheCheckOfExpressionsFindsWhatIsNotThere(t *testing.T) {
	t.Parallel()
	have := families(scrape(t, eventful(t)))
	for expr, want := range map[string][]string{
		`sum by (state) (custody_runs_open)`:                                        nil,
		`histogram_quantile(0.9, sum by (le) (custody_commit_wait_seconds_bucket))`: nil,
		`sum(custody_no_such_total)`:                                                {"custody_no_such_total"},
		`custody_runs_open{place="x"}`:                                              {"custody_runs_open{place}"},
		`sum by (place) (custody_runs_open)`:                                        {"by (place)"},
		`custody_runs_open_bucket`:                                                  {"custody_runs_open_bucket"},
	} {
		if d := cmp.Diff(want, unknown(expr, have)); d != "" {
			t.Errorf("%s:\n%s", expr, d)
		}
	}
}

func TestTheDashboardShowsWhatThereIs(t *testing.T) {
	t.Parallel()
	var board struct {
		UID        string `json:"uid"`
		Templating struct {
			List []struct {
				Name, Type, Definition string
			}
		}
		Panels []struct {
			ID         int
			Title      string
			Type       string
			Datasource struct{ UID string }
			Targets    []struct{ Expr string }
		}
	}
	must(t, json.Unmarshal([]byte(read(t, filepath.Join(operations, "grafana-dashboard.json"))), &board))
	have, ids, shown := families(scrape(t, eventful(t))), map[int]bool{}, 0
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("two panels are %d", p.ID)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			shown++
			if bad := unknown(target.Expr, have); len(bad) > 0 || p.Datasource.UID != "${datasource}" {
				t.Errorf("%s: %v, data source %s", p.Title, bad, p.Datasource.UID)
			}
		}
	}
	if shown < 20 || len(board.Templating.List) != 2 || board.Templating.List[0].Type != "datasource" || len(unknown(board.Templating.List[1].Definition, have)) > 0 {
		t.Errorf("%d expressions, variables %+v", shown, board.Templating.List)
	}
}

// alertRules is a rule file of Prometheus.
type alertRules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func TestEveryAlertCanFireAndHasItsLineOfWhatToDo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(operations, "alerts.yaml")
	var rules alertRules
	must(t, yaml.UnmarshalWithOptions([]byte(read(t, path)), &rules, yaml.Strict()))
	have := families(scrape(t, eventful(t)))
	var names []string
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			names = append(names, r.Alert)
			if bad := unknown(r.Expr, have); len(bad) > 0 || len(r.Annotations) != 1 || r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
				t.Errorf("%s: %v %v %v", r.Alert, bad, r.Labels, r.Annotations)
			}
		}
	}
	var runbook []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(Custody[A-Za-z]+)` \\| .+ \\| .+ \\|$").FindAllStringSubmatch(read(t, "../../docs/observability.md"), -1) {
		runbook = append(runbook, m[1])
	}
	if d := cmp.Diff(runbook, names); d != "" {
		t.Errorf("docs/observability.md (-) and the rules (+):\n%s", d)
	}
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("promtool is not installed: the rules' PromQL was only read loosely")
		return
	}
	if out, err := exec.CommandContext(t.Context(), tool, "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), tool, "test", "rules", "testdata/alerts.yaml").CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
