package api

import (
	"cmp"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// about is what a stranger must know of the whole API.
const about = `Durable LLM workflows with a provable record.

Ids are opaque, prefixed and sort by time. Times are RFC 3339 in UTC with microseconds. Absent and null mean the same. Unknown fields and query parameters are refused. Rows that the caller may not see are left out of lists, and an object that the caller may not see is 404.

Every POST that changes something accepts Idempotency-Key: the same key with the same body gives the same status and the object as it is now, with Idempotent-Replayed: true; with another body it is 422 idempotency-mismatch. Every change accepts dry_run=true: all checks are made, nothing is written except the audit of the attempt, no key is used up, and the answer is 200 with what would have been answered. Single objects carry ETag; If-None-Match gives 304, and If-Match on a change gives 412.

Whoever causes an entry in the ledger gets its receipt: stream, seq and hash. A refusal is an answer: application/problem+json (RFC 9457), whose type clients switch on. HEAD and OPTIONS are not supported (405); an Accept header that cannot be served gets JSON.`

// Notes are what the description says of an operation beside its summary: its
// noun, who may call it, what it writes, what a rehearsal does, and the problems
// that are its own. Those that every operation may have are added.
type notes struct {
	tag      string
	text     string
	problems []string
}

// A problemType is one that clients may meet: its status, and why.
type problemType struct {
	status int
	why    string
}

// problemTypes is the closed list (API.md section 4).
func problemTypes() map[string]problemType {
	return map[string]problemType{
		"malformed":              {http.StatusBadRequest, "the request is not what is described here"},
		"unauthenticated":        {http.StatusUnauthorized, "no token was sent, or one that does not hold"},
		"step-up-required":       {http.StatusUnauthorized, "a person who signed in within five minutes with a second factor is needed (RFC 9470)"},
		"denied":                 {http.StatusForbidden, "the caller may not do this"},
		"not-eligible":           {http.StatusForbidden, "the approval's rule does not let the caller vote; reasons says why"},
		"not-found":              {http.StatusNotFound, "there is no such thing, or the caller may not see it"},
		"run-closed":             {http.StatusConflict, "the run has ended"},
		"run-not-failed":         {http.StatusConflict, "only a failed run can be retried"},
		"approval-closed":        {http.StatusConflict, "the approval was decided, has expired or was withdrawn"},
		"digest-stale":           {http.StatusConflict, "the digest is not the one of this approval"},
		"already-voted":          {http.StatusConflict, "the caller has a vote that counts"},
		"erased":                 {http.StatusGone, "the content is not there any more"},
		"precondition-failed":    {http.StatusPreconditionFailed, "If-Match names another version"},
		"too-large":              {http.StatusRequestEntityTooLarge, "the body is too large"},
		"unsupported-media-type": {http.StatusUnsupportedMediaType, "the body is of another media type, or encoded"},
		"invalid-input":          {http.StatusUnprocessableEntity, "a value does not fit; errors says which"},
		"invalid-workflow":       {http.StatusUnprocessableEntity, "the definition does not hold; errors gives line and column"},
		"idempotency-mismatch":   {http.StatusUnprocessableEntity, "the key was used with another request"},
		"rate-limited":           {http.StatusTooManyRequests, "too many requests; Retry-After says when to come back"},
		"internal":               {http.StatusInternalServerError, "something went wrong; the log knows more under the request id"},
		"unavailable":            {http.StatusServiceUnavailable, "not just now: the same request with the same key may be made again"},
	}
}

// rehearses is what dry_run does, for most.
const rehearses = " With dry_run it makes every check and changes nothing."

// described is what is said of each operation.
func described() map[string]notes {
	const (
		workflows, runs, approvals, ledger = "Workflows", "Runs", "Approvals", "Ledger"
		principals, system, firewall       = "Principals", "System", "Firewall"
	)
	return map[string]notes{
		"publishWorkflow":      {workflows, "Registers a version under the digest of its canonical form and, unless current=false, makes it the current one: 201, or 200 if the version was there. Needs the role author; with dry_run anybody who signed in may validate a definition, and gets its digest and warnings. Writes workflow.registered.", []string{"denied", "invalid-workflow", "idempotency-mismatch"}},
		"listWorkflows":        {workflows, "The current versions, by name. Anybody who signed in may list them.", nil},
		"getWorkflow":          {workflows, "The current version, or with digest an older one. Anybody who signed in may read it. The ETag is the digest. With Accept: application/yaml it is the text as it was registered.", []string{"not-found"}},
		"listWorkflowVersions": {workflows, "Every registered version of one workflow, newest first. Anybody who signed in may list them.", []string{"not-found"}},
		"chooseWorkflow":       {workflows, "Makes a registered version the current one; new runs use it from then on, runs under way keep theirs. Needs the role author. If-Match holds the ETag of the version that is thought to be current. Writes workflow.chosen." + rehearses, []string{"denied", "not-found", "precondition-failed"}},
		"submitRun":            {runs, "Starts a run of the current version, or of the one with this digest, in the caller's name. Needs the roles that the workflow requires. Writes run.submitted with the run. Prefer: wait=N holds the answer until the run has closed (then 200) or N seconds have passed (then 202)." + rehearses, []string{"denied", "not-found", "invalid-input", "idempotency-mismatch"}},
		"listRuns":             {runs, "Runs, newest first: one's own, or with the role operator or auditor everybody's.", nil},
		"getRun":               {runs, "Where a run stands, without content. For the owner and the roles operator and auditor. The ETag is the version, which counts changes.", []string{"not-found"}},
		"getRunEvents":         {runs, "What happens in a run, which is its stream in the ledger: as server-sent events that go on until run.closed, or as a list. For the owner and the roles operator and auditor. Last-Event-ID continues after an event, at any process; 204 says that the run has closed and nothing is left.", []string{"not-found"}},
		"getRunInput":          {runs, "What the run was given. For the owner. Writes payload.read before anything is sent.", []string{"denied", "not-found", "erased"}},
		"getRunOutput":         {runs, "What the run returned; 404 until there is something. For the owner. Writes payload.read before anything is sent.", []string{"denied", "not-found", "erased"}},
		"getStepOutput":        {runs, "What a step returned; 404 until there is something. For the owner. Writes payload.read before anything is sent.", []string{"denied", "not-found", "erased"}},
		"cancelRun":            {runs, "Asks a run to end: calls under way are cancelled, each one's outcome is recorded, then the run closes. For the owner and the role operator. Writes run.cancel_requested." + rehearses, []string{"denied", "not-found", "run-closed", "precondition-failed", "idempotency-mismatch"}},
		"retryRun":             {runs, "Starts a new run that goes on from the failed step; finished steps are taken over and not paid again, approvals are asked anew. Needs the roles that the workflow requires: the new run acts in the caller's name. Writes run.submitted." + rehearses, []string{"denied", "not-found", "run-not-failed", "erased", "precondition-failed", "idempotency-mismatch"}},
		"listApprovals":        {approvals, "Requests for votes, newest first: those that the caller may decide, or with for=all those that they may see.", nil},
		"getApproval":          {approvals, "What is asked, its digest, the votes, and whether the caller may vote and if not why. For whoever has the roles that are asked, the run's owner and the role auditor. The ETag is the digest, which names what is asked and not how it stands: 304 is answered only as long as nothing has happened to the approval.", []string{"not-found"}},
		"getApprovalShown":     {approvals, "The content that voters decide on, with salts, so that a client recomputes every commitment and the digest. For whoever may vote or could before they did. Writes approval.viewed before anything is sent.", []string{"denied", "not-found", "erased"}},
		"vote":                 {approvals, "Approves or rejects. For people whom the rule admits, with a second factor, signed in within five minutes. A rejection rejects at once; as many distinct people as the quorum approve. Writes approval.voted with the signed vote, and approval.closed if it decides." + rehearses, []string{"step-up-required", "denied", "not-eligible", "not-found", "approval-closed", "digest-stale", "already-voted", "precondition-failed", "idempotency-mismatch"}},
		"withdrawVote":         {approvals, "Takes one's own approval back as long as the quorum is not reached; the vote then counts for nothing, for ever, and its voter may vote again. For the voter, with a second factor, signed in within five minutes. Without a vote that counts it is 404, also when it was withdrawn before. Writes approval.voted with the outcome withdraw." + rehearses, []string{"step-up-required", "denied", "not-found", "approval-closed", "precondition-failed"}},
		"listEntries":          {ledger, "Entries of the ledger, oldest first: as a list, or with Accept: application/x-ndjson one a line, or with Accept: text/csv as a table, the last two whole unless limit is given. With schema=ocsf each entry is an event of the Open Cybersecurity Schema Framework. The role auditor sees all, everybody else those of their own runs. Writes audit.read, once a minute and person.", nil},
		"getEntry":             {ledger, "The entry with this hash. For the role auditor, and for the owner of the run that it is about. The ETag is the hash. Writes audit.read, once a minute and person.", []string{"not-found"}},
		"getBundle":            {ledger, "Evidence to take away and verify offline: of one run, of a person's runs, of a time, or of the whole ledger. For the role auditor, and for the owner of the runs. Writes audit.exported before anything is sent.", []string{"denied", "not-found"}},
		"verifyRecord":         {ledger, "Verifies the live record read-only, or a posted bundle of at most 64 MiB: a convenience, never the proof, which is custody audit verify on a machine of one's own. Needs the role auditor. It may take minutes; a process makes one at a time. Writes audit.verified with the verdict. It changes nothing, so it has no dry_run, and an Idempotency-Key makes no difference. What is no bundle is a broken one.", []string{"denied"}},
		"getMe":                {principals, "How Custody reads the caller's token: name in the ledger, roles, factors, age of the sign-in, and claims that are missing. For whoever signed in.", nil},
		"listRevocations":      {principals, "What is revoked now, newest first. Needs the role security or auditor. The kind sub includes logouts of all of a person's sessions, which concern only what began before them.", []string{"denied"}},
		"revoke":               {principals, "Takes a right away at once: new requests are refused in every process, and a run under way is refused its next step and fails with the reason revoked. Needs the role security; for a session or a token of one's own, that of the present request or one in which one submitted a run, it needs none. In every case a person with a second factor who signed in within five minutes. A person is named as in the ledger, subj_…, because what the provider calls them is personal and not unique. Of a key that signs mandates and votes, nothing that it signed counts any more. 200 says that it was revoked already. Writes revocation.added." + rehearses, []string{"step-up-required", "denied", "invalid-input", "idempotency-mismatch"}},
		"liftRevocation":       {principals, "Gives back what a revocation took; runs that failed by it stay failed. Needs the role security and a person with a second factor who signed in within five minutes. 404 also if it was lifted before. Writes revocation.lifted." + rehearses, []string{"step-up-required", "denied", "not-found"}},
		"listReleases":         {firewall, "Releases of texts that the firewall stopped, newest first, those that have ended and those that were lifted included. They name texts by keyed fingerprints. Needs the role security or auditor.", []string{"denied"}},
		"releaseText":          {firewall, "Lets a text pass that the firewall stopped, for that text only, until an end: one that is handed in, or all for which the last attempt of a step was blocked or withheld. Needs the role security and a person with a second factor who signed in within five minutes. Nobody releases texts of a run that they submitted, and a release does nothing in runs of the person who made it. A secret in the text is stopped all the same. Writes guard.released." + rehearses, []string{"step-up-required", "denied", "not-eligible", "not-found", "invalid-input", "idempotency-mismatch"}},
		"liftRelease":          {firewall, "Ends a release at once; what it has let begin goes on. Needs the role security and a person with a second factor who signed in within five minutes. 404 also if it was lifted before. Writes guard.release_lifted." + rehearses, []string{"step-up-required", "denied", "not-found"}},
		"getGuardMode":         {firewall, "Whether the firewall enforces or only observes, until when, and who said so. For whoever signed in. The ETag changes with every order and when one ends.", nil},
		"setGuardMode":         {firewall, "Lets the firewall only observe until an end, at most 30 days ahead, or enforce again: what would stop a text is then a note in the ledger that names this order; the schema, the size and the judge hold all the same. Needs the role security and a person with a second factor who signed in within five minutes. An order to enforce does not end what the server's configuration orders. If-Match holds the ETag of the mode that is thought to hold. Writes guard.mode_changed." + rehearses, []string{"step-up-required", "denied", "invalid-input", "precondition-failed"}},
		"getGuardLabels":       {firewall, "What people decided about texts that the firewall stopped as instructions, one JSON object a line in the format that security/guard/train reads: benign what a review or a release let pass, attack what a review of one text rejected. Texts that were erased and releases that were lifted are left out. Needs the role security and a person with a second factor who signed in within five minutes. Writes payload.read for every text before it is sent.", []string{"step-up-required", "denied"}},
		"backchannelLogout":    {principals, "The provider says that a session, or all of a person's, has ended (OpenID Connect Back-Channel Logout 1.0). The signed logout token is the authority: no bearer token is needed. The session is revoked, or without sid every session of the person that began until now. A token counts once. Writes revocation.added. There is no dry_run.", nil},
		"livez":                {system, "Answers as long as the process does. Public.", nil},
		"readyz":               {system, "Whether database, schema, keys and provider are usable: 200, or 503 with the check that failed. Public.", nil},
		"getResourceMetadata":  {system, "Where one can sign in to call this API (RFC 9728). Public.", nil},
		"getOpenAPI":           {system, "This description as JSON. Public.", nil},
		"getOpenAPIYAML":       {system, "This description as YAML. Public.", nil},
		"getReference":         {system, "This description as a page for people. Public.", nil},
		"getMetrics":           {system, "Figures of this process in the text format of Prometheus, without ids and content. Needs the role operator.", []string{"denied"}},
		"getStatus":            {system, "Processes with their heartbeats, runs by state, what is due, and how large the ledger is; without content. Needs the role operator.", []string{"denied"}},
	}
}

// parameters are described here where an operation does not do it itself.
func parameters() map[string]string {
	return map[string]string{
		"Accept":            "media types; one that cannot be served gets JSON",
		"Content-Type":      "media type of the body",
		"If-None-Match":     "ETags; 304 if the object has one of them",
		"action":            "of the entry, such as run.closed",
		"created_after":     "submitted at this time or later",
		"created_before":    "submitted before this time",
		"from":              "at this time or later",
		"name":              "of the workflow",
		"name_prefix":       "how the name begins",
		"outcome":           "of the entry: ok, error, denied, …",
		"run":               "run_…",
		"state":             "where it stands",
		"step":              "id of the step in the workflow",
		"to":                "before this time",
		"waiting_for":       "what the run waits for",
		"subject":           "subj_…",
		"min_index":         "of the entry in the log; without a notary no entry has one",
		"schema":            "of the answer",
		"Last-Event-ID":     "seq of the last event seen",
		"Prefer":            "RFC 7240",
		"If-Match":          "ETags; 412 if the object has none of them",
		"Idempotency-Key":   "makes the request safe to repeat",
		"Request-Id":        "1 to 64 letters, digits, dots, dashes and underscores",
		"Traceparent":       "W3C Trace Context",
		"X-Forwarded-Proto": "ignored",
	}
}

// describe completes the description of every operation: what huma cannot know
// of headers, problems and examples.
func (a *API) describe() {
	o := a.huma.OpenAPI()
	o.Info.Description = about
	o.Tags = nil
	for _, tag := range []string{"Workflows", "Runs", "Approvals", "Ledger", "Firewall", "Principals", "System"} {
		o.Tags = append(o.Tags, &huma.Tag{Name: tag})
	}
	o.Components.Headers = headers()
	all, types, samples := described(), problemTypes(), examples()
	for op := range a.operations() {
		n := all[op.OperationID]
		if op.Description = n.text; n.tag != "" {
			op.Tags = []string{n.tag}
		}
		describeParameters(op)
		a.describeBody(op)
		addAnswers(op)
		describeAnswers(op)
		describeProblems(op, n.problems, types)
		exemplify(op, samples)
	}
}

func describeParameters(op *huma.Operation) {
	known := parameters()
	op.Parameters = slices.DeleteFunc(op.Parameters, func(p *huma.Param) bool {
		return p.In == "header" && (p.Name == "Accept" || p.Name == "Content-Type") // OpenAPI 3.1: such a parameter is ignored
	})
	for _, p := range op.Parameters {
		if p.Description == "" {
			p.Description = known[p.Name]
		}
		if pattern := patternOf(p); pattern != "" {
			schema := *p.Schema // huma checks by its own: what has another form is not there, so it is 404 or an empty list
			schema.Pattern = pattern
			p.Schema = &schema
		}
	}
}

// describeBody says that null means absent: decodeStrict leaves it out before
// huma looks.
func (a *API) describeBody(op *huma.Operation) {
	if op.RequestBody == nil || op.RequestBody.Content["application/json"] == nil {
		return
	}
	schemas := a.huma.OpenAPI().Components.Schemas
	body := schemas.SchemaFromRef(op.RequestBody.Content["application/json"].Schema.Ref)
	if body == nil {
		return
	}
	for field, s := range body.Properties {
		s.Nullable = s.Type != "" && !slices.Contains(body.Required, field)
	}
}

// patternOf is the form of what a parameter holds, where it is more than huma
// checks.
func patternOf(p *huma.Param) string {
	ids := map[string]string{"run": "run", "approval": "apr", "revocation": "rev"}
	s := p.Schema
	switch {
	case s == nil || s.Type != huma.TypeString || s.Pattern != "" || s.Format != "" || len(s.Enum) > 0:
		return ""
	case p.In == "path" && ids[p.Name] != "":
		return "^" + ids[p.Name] + "_[0-9a-z]{26}$"
	case p.In == "path" && p.Name == "hash":
		return "^[0-9a-f]{64}$"
	case p.Name == "cursor":
		return "^[A-Za-z0-9_-]*$"
	case p.In == "path":
		return `^[^\x00-\x1f\x7f]+$`
	case p.In == "query":
		return `^[^\x00-\x1f\x7f]*$`
	}
	return ""
}

// strictParameters are the query parameters that cannot be empty: numbers,
// times, those of a closed list, and those whose pattern refuses it.
func (a *API) strictParameters() map[string]bool {
	out := map[string]bool{}
	for op := range a.operations() {
		for _, p := range op.Parameters {
			if s := p.Schema; p.In == "query" && (s.Type != huma.TypeString || s.Format != "" || len(s.Enum) > 0 || !regexp.MustCompile(s.Pattern).MatchString("")) {
				out[p.Name] = true
			}
		}
	}
	return out
}

// headers are those that several answers have.
func headers() map[string]*huma.Header {
	text := func(description, example string) *huma.Header {
		return &huma.Header{Description: description, Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
	}
	return map[string]*huma.Header{
		"Request-Id":       text("names the request in logs and in the ledger", exampleRequest),
		"RateLimit-Policy": text("the limit that the request counts towards, if there is one", `"reads";q=60;w=60`),
		"RateLimit":        text("what is left of it", `"reads";r=59;t=60`),
		"Retry-After":      text("whole seconds after which to come back", "1"),
		"WWW-Authenticate": text("what is missing (RFC 6750, RFC 9470, RFC 9728)", `Bearer realm="custody", resource_metadata="https://custody.example/.well-known/oauth-protected-resource"`),
	}
}

func refer(name string) *huma.Header { return &huma.Header{Ref: "#/components/headers/" + name} }

// addAnswers adds what follows from parameters: 304 where there is
// If-None-Match, 200 where there is dry_run.
func addAnswers(op *huma.Operation) {
	main := op.Responses[strconv.Itoa(op.DefaultStatus)]
	for _, p := range op.Parameters {
		switch {
		case p.Name == "If-None-Match" && op.Responses["304"] == nil:
			op.Responses["304"] = &huma.Response{Description: "the object is the one that If-None-Match names"}
		case p.Name == "dry_run" && op.Responses["200"] == nil && main != nil:
			op.Responses["200"] = &huma.Response{Description: "with dry_run: what would have been answered", Content: maps.Clone(main.Content)}
		}
	}
}

// describeAnswers says which headers good answers have.
func describeAnswers(op *huma.Operation) {
	delete(op.Responses, "default")
	notes := map[string]string{
		"ETag": "validator of the object", "Location": "of the object", "Idempotent-Replayed": "true: an earlier request with the same key did it",
		"Preference-Applied": "the wait that was granted", "Cache-Control": "whether the answer may be kept", "Content-Type": "media type of the answer",
	}
	main := op.Responses[strconv.Itoa(cmp.Or(op.DefaultStatus, http.StatusOK))]
	for status, r := range op.Responses {
		if r.Headers == nil {
			r.Headers = map[string]*huma.Header{}
		}
		if status != "204" && main != nil && status != strconv.Itoa(op.DefaultStatus) {
			for name, h := range main.Headers {
				if r.Headers[name] == nil && (status != "304" || name == "ETag") {
					r.Headers[name] = h
				}
			}
		}
		delete(r.Headers, "Content-Type")
		for name, h := range r.Headers {
			if h.Description == "" && h.Ref == "" {
				h.Description = notes[name]
			}
		}
		r.Headers["Request-Id"] = refer("Request-Id")
		if len(op.Security) > 0 {
			r.Headers["RateLimit"], r.Headers["RateLimit-Policy"] = refer("RateLimit"), refer("RateLimit-Policy")
		}
	}
}

// describeProblems adds an answer for every status that a problem of the
// operation has.
func describeProblems(op *huma.Operation, own []string, types map[string]problemType) {
	names := append([]string{"malformed", "internal", "unavailable"}, own...)
	if len(op.Security) > 0 {
		names = append(names, "unauthenticated", "rate-limited")
	}
	if op.RequestBody != nil {
		names = append(names, "too-large", "unsupported-media-type")
	}
	slices.Sort(names)
	by := map[int][]string{}
	for _, name := range names {
		by[types[name].status] = append(by[types[name].status], name)
	}
	for _, status := range slices.Sorted(maps.Keys(by)) {
		if there := op.Responses[strconv.Itoa(status)]; there != nil { // readyz answers 503 in its own words
			continue
		}
		var lines []string
		for _, name := range by[status] {
			lines = append(lines, name+": "+types[name].why)
		}
		r := &huma.Response{
			Description: strings.Join(lines, "; "), Headers: map[string]*huma.Header{"Request-Id": refer("Request-Id")},
			Content: map[string]*huma.MediaType{"application/problem+json": {
				Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}, Example: problemExample(status, by[status][0], types),
			}},
			Extensions: map[string]any{"x-custody-problems": by[status]},
		}
		switch status {
		case http.StatusUnauthorized:
			r.Headers["WWW-Authenticate"] = refer("WWW-Authenticate")
		case http.StatusTooManyRequests:
			r.Headers["RateLimit"], r.Headers["RateLimit-Policy"], r.Headers["Retry-After"] = refer("RateLimit"), refer("RateLimit-Policy"), refer("Retry-After")
		case http.StatusServiceUnavailable:
			r.Headers["Retry-After"] = refer("Retry-After")
		}
		op.Responses[strconv.Itoa(status)] = r
	}
}
