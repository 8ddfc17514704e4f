// Package examples_test runs every example from end to end: a real PostgreSQL,
// real HTTP, several people's tokens, and a model that picks sentences.
package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/store/storetest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A site is one server that all examples share, and what it talks to.
type site struct {
	url   string
	idp   *devidp.Server
	filed *recorder // the connection dms
	asked *recorder // the model
}

// A recorder keeps the bodies of requests, by the key of the piece of work.
type recorder struct {
	mu   sync.Mutex
	seen map[string]string
}

func (r *recorder) keep(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body) // a short body fails in the handler
		r.mu.Lock()
		r.seen[q.Header.Get("Idempotency-Key")] = string(body)
		r.mu.Unlock()
		q.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, q)
	})
}

func (r *recorder) of(key string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[key]
}

func open(t *testing.T) *site {
	t.Helper()
	s := &site{filed: &recorder{seen: map[string]string{}}, asked: &recorder{seen: map[string]string{}}}
	var err error
	s.idp, err = devidp.Start(t.Context(), devidp.Config{Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { _ = s.idp.Close(context.Background()) })
	dms := httptest.NewServer(s.filed.keep(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id": "doc-1"}`)
	})))
	t.Cleanup(dms.Close)
	llm := httptest.NewServer(s.asked.keep(model.OfflineHandler(model.OfflineConfig{})))
	t.Cleanup(llm.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.url = "http://" + l.Addr().String()
	serve(t, l, custody.Config{
		DatabaseURL: storetest.URL(t), KeyDir: filepath.Join(t.TempDir(), "keys"), Listen: l.Addr().String(), InsecureHTTP: true, URL: s.url,
		Issuers:     []oidc.Issuer{{Issuer: s.idp.Issuer(), Audience: "custody", Clients: []string{devidp.CLI}, Agents: []string{devidp.Agent}}},
		Models:      map[string]model.Model{"fast": {Provider: "openai", Model: model.OfflineName, BaseURL: llm.URL + "/v1"}},
		Connections: map[string]kinds.Connection{"dms": {BaseURL: dms.URL, Private: true}}, Drain: time.Second,
	})
	return s
}

func serve(t *testing.T, l net.Listener, cfg custody.Config) {
	t.Helper()
	_, err := custody.Migrate(t.Context(), cfg)
	must(t, err)
	c, err := custody.New(t.Context(), cfg)
	must(t, err)
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx, l) }()
	t.Cleanup(func() {
		end()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// token is one of a person, or of somebody who is like them but for the roles.
func (s *site) token(t *testing.T, person string, others ...string) string {
	t.Helper()
	q := devidp.TokenRequest{Person: person}
	if len(others) > 0 {
		q = devidp.TokenRequest{Person: "bob", Claims: map[string]any{"sub": person, "roles": others}}
	}
	token, err := s.idp.Token(q)
	must(t, err)
	return token
}

func (s *site) as(t *testing.T, person string, roles ...string) *client.Client {
	t.Helper()
	token := s.token(t, person, roles...)
	c, err := client.New(client.Config{URL: s.url, Token: func(context.Context) (string, error) { return token, nil }})
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func (s *site) publish(t *testing.T, file string) string {
	t.Helper()
	source, err := os.ReadFile(file)
	must(t, err)
	w, err := s.as(t, "erin").Publish(t.Context(), client.Publication{Source: source})
	must(t, err)
	if len(w.Warnings) > 0 {
		t.Errorf("%s: %v", file, w.Warnings)
	}
	return w.Name
}

// submit starts a run as alice and returns when it waits for people or is over.
func (s *site) submit(t *testing.T, name, input string) client.Run {
	t.Helper()
	r, err := s.as(t, "alice").Submit(t.Context(), client.Submission{Workflow: name, Input: json.RawMessage(input)})
	must(t, err)
	return s.rest(t, r.ID)
}

// rest follows a run until it waits for people or is over.
func (s *site) rest(t *testing.T, id string) client.Run {
	t.Helper()
	return s.until(t, id, func(r client.Run) bool { return r.Closed() || r.State == "waiting" })
}

// over follows a run to its end.
func (s *site) over(t *testing.T, id string) client.Run {
	t.Helper()
	return s.until(t, id, client.Run.Closed)
}

func (s *site) until(t *testing.T, id string, enough func(client.Run) bool) client.Run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	alice := s.as(t, "alice")
	for {
		r, err := alice.Run(ctx, id)
		must(t, err)
		if enough(r) {
			return r
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// vote decides on a step's approval, after having recomputed what it shows.
func (s *site) vote(t *testing.T, c *client.Client, run, step, decision string) error {
	t.Helper()
	a := s.pending(t, c, run, step)
	if a.You.MayVote {
		shown, err := c.Shown(t.Context(), a.ID)
		must(t, err)
		must(t, a.Verify(shown))
	}
	_, err := c.Vote(t.Context(), client.Ballot{Approval: a.ID, Decision: decision, Digest: a.Digest})
	return err
}

// pending waits for a step's approval: branches side by side ask one by one.
func (s *site) pending(t *testing.T, c *client.Client, run, step string) client.Approval {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for a, err := range c.Approvals(t.Context(), client.ApprovalFilter{Run: run, For: "all"}) {
			must(t, err)
			if a.Step == step {
				return a
			}
		}
	}
	t.Fatalf("%s does not ask", step)
	return client.Approval{}
}

func (s *site) output(t *testing.T, run string) map[string]any {
	t.Helper()
	raw, err := s.as(t, "alice").Output(t.Context(), run)
	must(t, err)
	var v map[string]any
	must(t, json.Unmarshal(raw, &v))
	return v
}

func states(r client.Run) map[string]string {
	out := map[string]string{}
	for _, s := range r.Steps {
		out[s.ID] = s.State
	}
	return out
}

func TestExamples(t *testing.T) {
	t.Parallel()
	s := open(t)
	for name, f := range map[string]func(*testing.T, *site){
		"support triage": supportTriage, "expense approval": expenseApproval, "draft, critique, revise": draftCritiqueRevise,
		"nightly report": nightlyReport, "Python": python,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, s)
		})
	}
}

const outage = `{"subject": "Outage", "text": "There is an outage since 9 o'clock. Nobody can sign in. We sell nothing."}`

func supportTriage(t *testing.T, s *site) {
	name := s.publish(t, "support-triage.yaml")

	// A question is answered, and nobody is woken.
	r := s.over(t, s.submit(t, name, `{"subject": "A question", "text": "One question: how do I add a colleague? We are 12 people."}`).ID)
	if diff := cmp.Diff(map[string]string{
		"sort": "succeeded", "facts": "succeeded", "draft": "succeeded", "wake": "skipped", "page": "skipped", "result": "succeeded",
	}, states(r)); diff != "" {
		t.Error(diff)
	}
	if out := s.output(t, r.ID); out["topic"] != "question" || out["answer"] == "" {
		t.Errorf("%v", out)
	}

	// An outage waits for a manager; what was shown is what is sent.
	r = s.submit(t, name, outage)
	if r.State != "waiting" || s.filed.of(r.ID+"/page") != "" {
		t.Fatalf("%s before anybody was asked", r.State)
	}
	must(t, s.vote(t, s.as(t, "bob"), r.ID, "wake", "approve"))
	if r = s.over(t, r.ID); r.State != "succeeded" || !strings.Contains(s.filed.of(r.ID+"/page"), "Nobody can sign in.") {
		t.Errorf("%s, sent %q", r.State, s.filed.of(r.ID+"/page"))
	}

	// A no ends the branch, not the run.
	r = s.submit(t, name, outage)
	must(t, s.vote(t, s.as(t, "bob"), r.ID, "wake", "reject"))
	if r = s.over(t, r.ID); r.State != "succeeded" || states(r)["page"] != "skipped" || s.filed.of(r.ID+"/page") != "" {
		t.Errorf("%s: %v", r.State, states(r))
	}
}

func expenseApproval(t *testing.T, s *site) {
	name := s.publish(t, "expense-approval.yaml")
	bob, carol := s.as(t, "bob"), s.as(t, "carol")

	// A small one: one manager and security, in any order.
	r := s.submit(t, name, `{"purpose": "A chair", "cents": 9900}`)
	if err := s.vote(t, s.as(t, "alice", "manager"), r.ID, "manager", "approve"); kind(err) != "not-eligible" {
		t.Errorf("whoever asked may vote: %v", err)
	}
	must(t, s.vote(t, carol, r.ID, "security", "approve"))
	if r = s.rest(t, r.ID); r.State != "waiting" {
		t.Fatalf("%s without a manager", r.State)
	}
	must(t, s.vote(t, bob, r.ID, "manager", "approve"))
	if r = s.over(t, r.ID); r.State != "succeeded" || s.filed.of(r.ID+"/pay") != `{"cents":9900,"purpose":"A chair"}` {
		t.Errorf("%s, paid %q", r.State, s.filed.of(r.ID+"/pay"))
	}

	// A large one: two managers, who are two people.
	r = s.submit(t, name, `{"purpose": "Ten chairs", "cents": 100001}`)
	must(t, s.vote(t, carol, r.ID, "security", "approve"))
	must(t, s.vote(t, bob, r.ID, "managers", "approve"))
	if err := s.vote(t, bob, r.ID, "managers", "approve"); err == nil {
		t.Error("one manager voted twice")
	}
	if r = s.rest(t, r.ID); r.State != "waiting" || s.filed.of(r.ID+"/pay") != "" {
		t.Fatalf("%s after one of two managers", r.State)
	}
	must(t, s.vote(t, s.as(t, "zoe", "manager"), r.ID, "managers", "approve"))
	if r = s.over(t, r.ID); r.State != "succeeded" || s.filed.of(r.ID+"/pay") == "" {
		t.Errorf("%s, paid %q", r.State, s.filed.of(r.ID+"/pay"))
	}

	// One no is enough.
	r = s.submit(t, name, `{"purpose": "A yacht", "cents": 9000000}`)
	must(t, s.vote(t, carol, r.ID, "security", "reject"))
	if r = s.over(t, r.ID); r.State != "failed" || s.filed.of(r.ID+"/pay") != "" {
		t.Errorf("%s, paid %q", r.State, s.filed.of(r.ID+"/pay"))
	}
}

func kind(err error) string {
	var p *client.Problem
	if errors.As(err, &p) {
		return p.Kind()
	}
	return ""
}

func draftCritiqueRevise(t *testing.T, s *site) {
	name := s.publish(t, "draft-critique-revise.yaml")
	const marked = "The zebra clause ends on 1 March."
	r := s.submit(t, name, `{"brief": "`+marked+` Customers keep their data. Prices stay as they are."}`)
	r = s.over(t, r.ID)
	if r.State != "succeeded" {
		t.Fatalf("%s: %v", r.State, r.Reason)
	}
	if out := s.output(t, r.ID); out["text"] == "" || len(out["points"].([]any)) == 0 {
		t.Errorf("%v", out)
	}
	// What the caller and the models said is data: it is in the user's message, as
	// JSON, and not in the statement.
	for _, step := range []string{"draft", "critique", "revise"} {
		var q struct {
			Messages []struct{ Role, Content string }
		}
		must(t, json.Unmarshal([]byte(s.asked.of(r.ID+"/"+step)), &q))
		for _, m := range q.Messages {
			data := m.Role == "user" && json.Valid([]byte(m.Content))
			if strings.Contains(m.Content, "zebra") != data {
				t.Errorf("%s: a message of the %s holds %q", step, m.Role, m.Content)
			}
		}
	}
}

// program builds the command, once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "custody-examples-")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "custody"), "../cmd/custody").CombinedOutput()
	if err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return dir, nil
})

// nightly starts the script as cron does: with the settings of crontab, at other
// places, and nothing else.
func nightly(t *testing.T, settings map[string]string) (int, string) {
	t.Helper()
	raw, err := os.ReadFile("nightly/crontab")
	must(t, err)
	var env []string
	for _, m := range regexp.MustCompile(`(?m)^([A-Z_]+)=`).FindAllStringSubmatch(string(raw), -1) {
		if _, ok := settings[m[1]]; !ok {
			t.Errorf("crontab sets %s, and this test does not know it", m[1])
		}
	}
	if !regexp.MustCompile(`(?m)^\d+ [\d,]+ \* \* \* /\S+/nightly-report\.sh$`).Match(raw) {
		t.Error("crontab has no line that starts the script at a time of the night")
	}
	for name, v := range settings {
		env = append(env, name+"="+v)
	}
	cmd := exec.Command("./nightly/nightly-report.sh", "2026-11-20")
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func nightlyReport(t *testing.T, s *site) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("the example is a shell script, and there is no sh")
	}
	if testing.Short() {
		t.Skip("it builds the program")
	}
	s.publish(t, "nightly/nightly-report.yaml")
	bin, err := program()
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(bin) })
	dir := t.TempDir()
	write := func(name, text string) { must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)) }
	write("token", s.token(t, devidp.Agent))
	write("nobody", s.token(t, "mallory"))
	const notes = `{"date": "2026-11-20", "notes": "The press stood still for 2 hours. 400 parts were made. Nobody was hurt."}`
	write("2026-11-20.json", notes)
	reports := filepath.Join(dir, "reports")
	must(t, os.Mkdir(reports, 0o700))
	settings := map[string]string{
		"PATH": bin + string(filepath.ListSeparator) + os.Getenv("PATH"), "HOME": dir,
		"CUSTODY_URL": s.url, "CUSTODY_TOKEN_FILE": filepath.Join(dir, "token"), "NOTES": dir, "REPORTS": reports,
	}
	with := func(name, v string) map[string]string {
		out := maps.Clone(settings)
		out[name] = v
		return out
	}

	if code, out := nightly(t, with("CUSTODY_TOKEN_FILE", filepath.Join(dir, "nobody"))); code != 1 || !strings.Contains(out, "refused") {
		t.Errorf("without the role: exit %d, %s", code, out)
	}
	if code, out := nightly(t, with("CUSTODY_URL", "http://127.0.0.1:1")); code != 75 {
		t.Errorf("without a server: exit %d, %s", code, out)
	}
	for range 2 { // the second start does nothing
		if code, out := nightly(t, settings); code != 0 {
			t.Fatalf("exit %d, %s", code, out)
		}
	}
	report, err := os.ReadFile(filepath.Join(reports, "2026-11-20.json"))
	must(t, err)
	if !strings.Contains(string(report), "400 parts") {
		t.Errorf("%s", report)
	}
	var runs []client.Run
	for r, err := range s.as(t, "oscar").Runs(t.Context(), client.RunFilter{Workflow: "nightly-report"}) {
		must(t, err)
		runs = append(runs, r)
	}
	if len(runs) != 1 || runs[0].Caller.Kind != "agent" {
		t.Errorf("%d runs: %v", len(runs), runs)
	}
	write("2026-11-20.json", strings.Replace(notes, "400", "500", 1))
	if code, out := nightly(t, settings); code != 1 || !strings.Contains(out, "changed") {
		t.Errorf("with other notes: exit %d, %s", code, out)
	}
}

func python(t *testing.T, s *site) {
	interpreter, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	s.publish(t, "contract-review.yaml")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	contract := write("contract.txt", "The supplier delivers 40 pumps by 1 March. The price is 12,000 euros.\n")
	start := func(approver string) (string, error) {
		cmd := exec.Command(interpreter, "python/contract_review.py", contract)
		cmd.Env = append(os.Environ(), "CUSTODY_URL="+s.url,
			"CALLER_TOKEN_FILE="+write("caller", s.token(t, "alice")), "APPROVER_TOKEN_FILE="+write("approver", approver))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	// Whoever asked cannot approve, and neither can somebody with another role.
	if out, err := start(s.token(t, "audrey")); err == nil {
		t.Errorf("an auditor approved: %s", out)
	}
	// What is refused is said in a line, as a person reads it.
	if out, err := start("junk"); err == nil || !strings.Contains(out, "contract_review: urn:custody:problem:unauthenticated: ") || strings.Contains(out, "Traceback") {
		t.Errorf("with a token that is none: %v\n%s", err, out)
	}
	out, err := start(s.token(t, "bob")) // the same key: the run goes on
	if err != nil || !slices.Contains(strings.Split(out, "\n"), "filed as doc-1") || !strings.Contains(out, "the record holds") {
		t.Errorf("%v\n%s", err, out)
	}
	// A third start finds everything done, and checks it again.
	if again, err := start(s.token(t, "bob")); err != nil || !strings.Contains(again, "filed as doc-1") {
		t.Errorf("%v\n%s", err, again)
	}
}
