package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/api/client"
)

// What passes has one meaning: the two ways in which huma decodes it, loosely
// and into a struct, agree.
func FuzzDecodeStrict(f *testing.F) {
	for _, seed := range []string{hello, `{}`, `null`, `{"workflow": "a", "workflow": "b"}`, `{"a": {"b": 1, "b": 2}}`, `[1, {"x": [null]}]`, `{"workflow": null}`, "{\"workflow\": \"\xff\"}", `{"input": 1e999}`, strings.Repeat("[", 200) + strings.Repeat("]", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var loose any
		if decodeStrict([]byte(body), &loose) != nil {
			return
		}
		o, ok := loose.(map[string]any)
		if name, isText := o["workflow"].(string); ok && isText {
			var s submission
			if err := decodeStrict([]byte(body), &s); err == nil && o["Workflow"] == nil && s.Workflow != name && !folded(o) {
				t.Errorf("%q is %q and %q", body, name, s.Workflow)
			}
		}
		for name, v := range o {
			if v == nil {
				t.Errorf("%q is null and there", name)
			}
		}
	})
}

// folded reports whether a name differs from workflow in case only. Huma
// refuses such names as unknown before the struct is looked at.
func folded(o map[string]any) bool {
	for name := range o {
		if name != "workflow" && strings.EqualFold(name, "workflow") {
			return true
		}
	}
	return false
}

// What decodes was encoded for these filters; what was encoded decodes.
func FuzzCursor(f *testing.F) {
	f.Add("", int64(1), int64(2))
	f.Add(*next(filterOf("a"), place{At: 1}), int64(1), int64(2))
	f.Add("e30", int64(0), int64(0))
	f.Fuzz(func(t *testing.T, text string, at, seq int64) {
		var got place
		_ = Paging{Cursor: text}.place(filterOf("a"), &got) // must not panic
		want := place{At: at, Seq: seq, Stream: idText{1, 2, 3}}
		again := Paging{Cursor: *next(filterOf("a"), want)}
		if err := again.place(filterOf("a"), &got); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%v: %+v became %+v", err, want, got)
		}
		if again.place(filterOf("b"), &got) == nil {
			t.Error("a cursor of other filters passed")
		}
	})
}

func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{"wait=30", `respond-async, wait="5"`, "WAIT = 7;x=y", "wait=-1", "application/yaml;q=0.5, */*", `"1", W/"2"`, ","} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if d := waitOf(header); d < 0 || d > maxWait || d%time.Second != 0 {
			t.Errorf("%q waits %s", header, d)
		}
		_ = accepts(header, "application/yaml")
		_ = matches(header, `"1"`)
		_, _ = bearer([]string{header})
	})
}

func TestPreferences(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"wait=30": 30 * time.Second, "respond-async, Wait=5": 5 * time.Second, `wait="7"; x=y`: 7 * time.Second, "wait=3600": maxWait,
		"": 0, "wait": 0, "wait=0": 0, "wait=-3": 0, "wait=x": 0, "waits=3": 0,
	} {
		if got := waitOf(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
	for header, want := range map[string]bool{
		"application/yaml": true, "text/html, Application/YAML;q=0.8": true, "application/yaml; charset=utf-8": true,
		"*/*": false, "": false, "application/json": false, "application/yaml;q=0": false,
	} {
		if got := accepts(header, "application/yaml"); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func TestPlacesOfFaults(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]string{
		"body": "", "body.workflow": "/workflow", "body.labels[0].a": "/labels/0/a", "query.limit": "/query/limit", "bodywork": "/bodywork",
		"header.Idempotency-Key": "/header/Idempotency-Key", "body.a/b~c": "/a~1b~0c",
	} {
		if got := pointerOf(location); got != want {
			t.Errorf("%s: %q, want %q", location, got, want)
		}
	}
}

func TestACoalescerTellsTheFirstInAWhile(t *testing.T) {
	t.Parallel()
	c := coalescer{every: time.Hour}
	if !c.first("a") || c.first("a") || !c.first("b") {
		t.Error("not the first")
	}
	if c.forget("a"); !c.first("a") {
		t.Error("what was forgotten is not new")
	}
	never := coalescer{}
	if first, second := never.first("a"), never.first("a"); !first || !second {
		t.Error("without a time everything is new")
	}
}

// The client's objects are those of the API: what one writes the other reads
// to the last field.
func TestTheClientKnowsEveryField(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("asking", `{"text": "x"}`)
	for path, into := range map[string]any{
		"/v1/runs/" + run.ID: new(clientRun), "/v1/me": new(clientPrincipal), "/v1/approvals/" + run.WaitingFor[0].ID: new(clientApproval),
		"/v1/workflows/plain": new(clientWorkflow), "/readyz": new(clientReadiness), "/v1/audit/entries/" + run.Receipt.Hash: new(clientEntry),
	} {
		got := b.send("alice", "GET", path, "")
		dec := json.NewDecoder(strings.NewReader(string(got.body)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(into); err != nil {
			t.Errorf("%s: %v in %s", path, err, got.body)
			continue
		}
		again, err := json.Marshal(into)
		must(t, err)
		var one, two any
		must(t, json.Unmarshal(got.body, &one))
		must(t, json.Unmarshal(again, &two))
		if diff := cmp.Diff(absent(one), absent(two)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// The description's examples are made of what is sent, so a client that keeps
// every one of their fields knows everything.
func TestTheClientKnowsEveryObject(t *testing.T) {
	t.Parallel()
	for name, into := range map[string]any{
		"Run": new(client.Run), "Workflow": new(client.Workflow), "Approval": new(client.Approval), "Vote": new(client.Vote), "Entry": new(client.Entry),
		"Revocation": new(client.Revocation), "Report": new(client.Report), "Principal": new(client.Principal), "Status": new(client.Status),
		"Readiness": new(client.Readiness), "Resource": new(client.Resource), "Validation": new(client.Validation), "Shown": new(client.Shown),
	} {
		sent, err := json.Marshal(examples()[name])
		must(t, err)
		dec := json.NewDecoder(strings.NewReader(string(sent)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(into); err != nil {
			t.Errorf("%s: %v in %s", name, err, sent)
			continue
		}
		again, err := json.Marshal(into)
		must(t, err)
		var one, two any
		must(t, json.Unmarshal(sent, &one))
		must(t, json.Unmarshal(again, &two))
		if diff := cmp.Diff(absent(one), absent(two)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// absent leaves out what is null or false by default: it means the same.
func absent(v any) any {
	o, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name, member := range o {
		if member == nil {
			delete(o, name)
		} else {
			o[name] = absent(member)
		}
	}
	return o
}
