package api

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

func TestEntriesComeAsTheClientAsks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "hello"}`)
	const path = "/v1/audit/entries"
	of := path + "?run=" + run.ID
	for name, c := range map[string]struct{ path, accept, media string }{
		"nothing said":         {of, "", "application/json"},
		"anything":             {of, "*/*", "application/json"},
		"unknown":              {of, "text/html", "application/json"},
		"lines":                {of, "application/x-ndjson", "application/x-ndjson"},
		"a table":              {of, "text/csv", "text/csv; charset=utf-8; header=present"},
		"a table rather":       {of, "application/json;q=0.5, text/csv", "text/csv; charset=utf-8; header=present"},
		"no table":             {of, "text/csv;q=0, application/json;q=0.1", "application/json"},
		"events":               {of + "&schema=ocsf", "", "application/json"},
		"events as lines":      {of + "&schema=ocsf", "application/x-ndjson", "application/x-ndjson"},
		"a page of a table":    {of + "&limit=2", "text/csv", "text/csv; charset=utf-8; header=present"},
		"a table of nothing":   {path + "?stream=nonsense", "text/csv", "text/csv; charset=utf-8; header=present"},
		"what has no index":    {path + "?min_index=0", "", "application/json"},
		"a whole tenant's":     {path, "text/csv", "text/csv; charset=utf-8; header=present"},
		"a version's":          {path + "?workflow=" + url.QueryEscape(run.Workflow.Digest), "", "application/json"},
		"a weight that is bad": {of, "text/csv;q=many", "application/json"},
	} {
		got := b.send("audrey", "GET", c.path, "", "Accept", c.accept)
		if got.StatusCode != 200 || got.Header.Get("Content-Type") != c.media {
			t.Errorf("%s: %d %s: %.300s", name, got.StatusCode, got.Header.Get("Content-Type"), got.body)
		}
	}
	for _, bad := range []struct{ path, accept string }{
		{path + "?schema=ocsf", "text/csv"},
		{path + "?schema=ecs", ""},
		{path + "?min_index=x", ""},
		{path + "?from=yesterday", ""},
		{path + "?limit=0x", ""},
		{path + "?nonsense=1", ""},
		{path + "?cursor=x", ""},
	} {
		got := b.send("audrey", "GET", bad.path, "", "Accept", bad.accept)
		if p := got.problem(t); p.Status != 400 || len(p.Errors) == 0 {
			t.Errorf("%s: %d %s", bad.path, got.StatusCode, got.body)
		}
	}
}

func TestACursorOfEntriesBindsItsFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "hello"}`)
	var page Page[client.Entry]
	b.send("audrey", "GET", "/v1/audit/entries?limit=2&run="+run.ID, "").decode(t, &page)
	if page.Next == nil || len(page.Data) != 2 {
		t.Fatalf("%+v", page)
	}
	at := "/v1/audit/entries?cursor=" + *page.Next
	var next Page[client.Entry]
	b.send("audrey", "GET", at+"&limit=200&run="+run.ID, "").decode(t, &next)
	if len(next.Data) != 3 || next.Data[0].Seq != 2 || next.Next != nil {
		t.Errorf("the next page: %+v", next)
	}
	for _, other := range []string{"", "&run=" + run.ID + "&action=run.closed", "&run=" + run.ID + "&min_index=1", "&run=" + run.ID + "&to=2030-01-01T00:00:00Z"} {
		if got := b.send("audrey", "GET", at+other, ""); got.StatusCode != 400 {
			t.Errorf("%s: %d", other, got.StatusCode)
		}
	}
	var whole Page[client.Entry]
	b.send("audrey", "GET", "/v1/audit/entries?limit=2", "").decode(t, &whole)
	for other, want := range map[string]int{"": 200, "&min_index=1": 400, "&run=nonsense": 400} {
		if got := b.send("audrey", "GET", "/v1/audit/entries?cursor="+*whole.Next+other, ""); got.StatusCode != want {
			t.Errorf("a whole tenant's%s: %d", other, got.StatusCode)
		}
	}
	if got := b.send("alice", "GET", at+"&run="+run.ID, ""); got.StatusCode != 400 { // who sees less has other filters
		t.Errorf("another person's cursor: %d", got.StatusCode)
	}
}

func TestATableHasTheFieldsOfEachEntryAndItsExactBody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "hello"}`)
	got := b.send("audrey", "GET", "/v1/audit/entries?run="+run.ID, "", "Accept", "text/csv")
	if !bytes.HasPrefix(got.body, []byte("at,log,index,stream,seq,action,outcome,")) || !bytes.Contains(got.body, []byte("\r\n")) {
		t.Errorf("%.200s", got.body)
	}
	rows, err := csv.NewReader(bytes.NewReader(got.body)).ReadAll()
	must(t, err)
	cell := func(row []string, name string) string { return row[slices.Index(rows[0], name)] }
	n := 0
	for e, err := range b.as("audrey").Entries(t.Context(), client.EntryFilter{Run: run.ID}) {
		must(t, err)
		n++
		row := rows[n]
		if cell(row, "hash") != e.Hash || cell(row, "seq") != strconv.FormatInt(e.Seq, 10) || cell(row, "stream") != run.ID || row[len(row)-1] != e.Body || cell(row, "index") != "" {
			t.Errorf("row %d: %q", n, row)
		}
		if _, err := time.Parse(time.RFC3339, cell(row, "at")); err != nil || !strings.Contains(e.Body, `"action":"`+cell(row, "action")+`"`) {
			t.Errorf("row %d: %q, %v", n, row, err)
		}
	}
	if len(rows) != 6 || n != 5 || cell(rows[1], "action") != "run.submitted" || cell(rows[1], "name") != "plain" {
		t.Errorf("%d rows, %d entries", len(rows), n)
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1", "＝1": "'＝1",
		"": "", "plain": "plain", "a=b": "a=b", `{"a":1}`: `{"a":1}`, "12": "12", "'quoted": "'quoted",
	} {
		if got := harmless(cell); got != want {
			t.Errorf("%q became %q", cell, got)
		}
	}
	hostile := audit.Fact{
		Action: "=cmd", Outcome: "@x", Run: "+r", Step: "-s", Item: "=i", Call: "=c", Key: "=k", Actor: "=a", ActorKind: "=h", Client: "=cl", Act: []string{"=b"},
		Name: "=n", Workflow: "=w", Target: "=t", Code: "=o", State: "=st", Reason: "=re", RetryOf: "=ro", Adopted: "=ad", Request: "=rq", Tenant: "=te", Build: "=bu",
		Attempt: -1, Status: -2, Count: -3,
	}
	rows, err := csv.NewReader(bytes.NewReader(csvEntries([]audit.Entry{
		{Log: "=log", Stream: "=s", Seq: -1, Body: string(hostile.AppendBody(nil, 1))}, {Body: "=altered"},
	}))).ReadAll()
	must(t, err)
	for _, row := range rows {
		for i, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("%s: %q", columns()[i].name, cell)
			}
		}
	}
	if body := rows[0][len(rows[0])-1]; body != string(hostile.AppendBody(nil, 1)) {
		t.Errorf("the body was changed: %q", body)
	}
}

func FuzzTable(f *testing.F) {
	f.Add("=1+1", "x\r\n", `"`)
	f.Add("-", ",", "'")
	f.Fuzz(func(t *testing.T, name, key, log string) {
		fact := audit.Fact{Action: audit.StepResult, Name: name, Key: key}
		rows, err := csv.NewReader(bytes.NewReader(csvEntries([]audit.Entry{{Log: log, Body: string(fact.AppendBody(nil, 1))}}))).ReadAll()
		if err != nil || len(rows) != 1 || len(rows[0]) != len(columns()) {
			t.Fatalf("%q, %v", rows, err)
		}
		for _, cell := range rows[0] {
			if cell != harmless(cell) {
				t.Errorf("%q", cell)
			}
		}
	})
}

// actionsOf reads the constants of type Action from the code, so that one that
// is missing from the catalogue is missed here, too.
func actionsOf(t *testing.T) (out []audit.Action) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../security/audit/action.go", nil, 0)
	must(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Action" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			must(t, err)
			out = append(out, audit.Action(text))
		}
		return true
	})
	return out
}

func TestEveryActionIsAnOCSFEvent(t *testing.T) {
	t.Parallel()
	actions := actionsOf(t)
	if diff := cmp.Diff(audit.Actions(), actions); diff != "" {
		t.Errorf("the catalogue and the constants (-want +got):\n%s", diff)
	}
	kinds := ocsfKinds()
	if len(kinds) != len(actions) {
		t.Errorf("%d actions have a mapping, %d exist", len(kinds), len(actions))
	}
	for _, action := range actions {
		if _, ok := kinds[action]; !ok {
			t.Errorf("%s has no mapping: add it to ocsfKinds", action)
			continue
		}
		for _, outcome := range []string{"ok", "denied", "unknown", "reject"} {
			fact := audit.Fact{
				Action: action, Outcome: outcome, Tenant: "main", Run: "run_x", Actor: "subj_a", ActorKind: "human", Client: "custody-cli", Call: "call_x",
				Findings: []security.Finding{{Rule: "R1"}, {Rule: "R1"}, {Rule: "R2"}}, Status: 200,
			}
			e := ocsfOf(audit.Entry{Log: "localhost/dev", Stream: "run_x", Seq: 3, Hash: audit.Hash{1}, Body: string(fact.AppendBody(nil, 1_800_000_000_123_456))})
			checkOCSF(t, e, string(action)+" "+outcome)
			if e.Metadata.EventCode != string(action) || e.Time != 1_800_000_000_123 || e.Metadata.UID != (audit.Hash{1}).String() || e.Unmapped.Seq != 3 {
				t.Errorf("%s: %+v", action, e)
			}
		}
	}
}

// checkOCSF holds an event against what its class requires (OCSF 1.4.0).
func checkOCSF(t *testing.T, e OCSFEvent, name string) {
	t.Helper()
	if e.CategoryUID != e.ClassUID/1000 || e.TypeUID != 100*e.ClassUID+e.ActivityID || e.ActivityName == "" || e.ClassName == "" || e.CategoryName == "" ||
		e.Severity == "" || e.Status == "" && e.StatusID != 99 || e.Metadata.Version == "" || e.Metadata.Product.Vendor == "" {
		t.Errorf("%s: incomplete: %+v", name, e)
	}
	switch e.ClassUID {
	case ocsfAPI: // actor, api, src_endpoint
		if e.Actor == nil || e.Actor.App == "" || e.API == nil || e.API.Operation == "" || e.SrcEndpoint == nil {
			t.Errorf("%s: an API Activity lacks something: %+v", name, e)
		}
	case ocsfSignIn: // user, and a service or an endpoint
		if e.User == nil || e.User.UID == "" || e.Service == nil {
			t.Errorf("%s: an Authentication lacks something: %+v", name, e)
		}
	case ocsfFinding: // finding_info with uid and title
		if e.Finding == nil || e.Finding.UID == "" || e.Finding.Title == "" || len(e.Finding.Types) != 2 || e.StatusID != 1 {
			t.Errorf("%s: a Detection Finding lacks something: %+v", name, e)
		}
	default:
		t.Errorf("%s: class %d", name, e.ClassUID)
	}
}

func TestAnEventSaysHowItWent(t *testing.T) {
	t.Parallel()
	event := func(f audit.Fact) OCSFEvent { return ocsfOf(audit.Entry{Body: string(f.AppendBody(nil, 1))}) }
	for _, c := range []struct {
		fact             audit.Fact
		status, severity string
	}{
		{audit.Fact{Action: audit.RunSubmitted, Outcome: "ok"}, "Success", "Informational"},
		{audit.Fact{Action: audit.AccessDenied, Outcome: "denied"}, "Failure", "Medium"},
		{audit.Fact{Action: audit.AuthDenied, Outcome: "denied", Code: "expired"}, "Failure", "Medium"},
		{audit.Fact{Action: audit.StepUnknown, Outcome: "unknown"}, "Unknown", "Low"},
		{audit.Fact{Action: audit.ApprovalVoted, Outcome: "reject"}, "reject", "Informational"},
		{audit.Fact{Action: audit.StepBlocked, Outcome: "blocked"}, "New", "Medium"},
		{audit.Fact{Action: "later.version", Outcome: "ok"}, "Success", "Informational"},
	} {
		if e := event(c.fact); e.Status != c.status || e.Severity != c.severity || e.StatusCode != c.fact.Code {
			t.Errorf("%+v: %+v", c.fact, e)
		}
	}
	if e := ocsfOf(audit.Entry{Stream: "run_x", Body: "altered"}); e.Status != "Failure" || e.Severity != "Medium" || e.RawData != "altered" || e.Unmapped.Stream != "run_x" {
		t.Errorf("an altered entry: %+v", e)
	}
}

func TestEventsOfOCSFAreTheSameEntries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "hello"}`)
	var page Page[OCSFEvent]
	b.send("audrey", "GET", "/v1/audit/entries?schema=ocsf&run="+run.ID, "").decode(t, &page)
	lines := bytes.Split(bytes.TrimSpace(b.send("audrey", "GET", "/v1/audit/entries?schema=ocsf&run="+run.ID, "", "Accept", "application/x-ndjson").body), []byte("\n"))
	var entries Page[client.Entry]
	b.send("audrey", "GET", "/v1/audit/entries?run="+run.ID, "").decode(t, &entries)
	if len(page.Data) != len(entries.Data) || len(lines) != len(entries.Data) {
		t.Fatalf("%d events, %d lines, %d entries", len(page.Data), len(lines), len(entries.Data))
	}
	for i, e := range entries.Data {
		var line OCSFEvent
		must(t, json.Unmarshal(lines[i], &line))
		if diff := cmp.Diff(page.Data[i], line); diff != "" || line.Metadata.UID != e.Hash || line.RawData != e.Body || line.Unmapped.Prev != e.Prev {
			t.Errorf("entry %d: %s", i, diff)
		}
	}
}
