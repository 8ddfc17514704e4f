package api

import (
	"cmp"
	"encoding/json"
	"strings"
	"sync"

	"github.com/custodyhq/custody/security/audit"
)

// ocsfVersion is the version of the Open Cybersecurity Schema Framework that the
// events follow.
const ocsfVersion = "1.4.0"

// Classes of events (OCSF 1.4.0), by their class_uid.
const (
	ocsfFinding = 2004 // Detection Finding
	ocsfSignIn  = 3002 // Authentication
	ocsfAPI     = 6003 // API Activity
)

// What is done, of a class that says so; ocsfOther goes with activity_name.
const (
	ocsfCreate, ocsfRead, ocsfUpdate, ocsfDelete = 1, 2, 3, 4 // API Activity
	ocsfLogon, ocsfLogoff                        = 1, 2       // Authentication
	ocsfOther                                    = 99
)

// Severities: of what went well, and of what a person should look at.
const (
	ocsfInformational, ocsfLow, ocsfMedium = 1, 2, 3
)

// An ocsfKind is what one action becomes.
type ocsfKind struct {
	class, activity int
	severity        int // of an entry whose outcome is a failure, or always for a finding
}

// ocsfKinds has every action of the catalogue; a test says so. It is made once.
var ocsfKinds = sync.OnceValue(func() map[audit.Action]ocsfKind {
	return map[audit.Action]ocsfKind{
		audit.RunSubmitted:       {ocsfAPI, ocsfCreate, ocsfLow},
		audit.StepIntent:         {ocsfAPI, ocsfOther, ocsfLow},
		audit.StepResult:         {ocsfAPI, ocsfOther, ocsfLow},
		audit.StepDenied:         {ocsfAPI, ocsfOther, ocsfMedium},
		audit.StepBlocked:        {ocsfFinding, ocsfCreate, ocsfMedium},
		audit.StepWithheld:       {ocsfFinding, ocsfCreate, ocsfLow},
		audit.StepUnknown:        {ocsfAPI, ocsfOther, ocsfLow},
		audit.StepSkipped:        {ocsfAPI, ocsfOther, ocsfInformational},
		audit.CallIntent:         {ocsfAPI, ocsfOther, ocsfLow},
		audit.CallResult:         {ocsfAPI, ocsfOther, ocsfLow},
		audit.ApprovalRequested:  {ocsfAPI, ocsfCreate, ocsfLow},
		audit.ApprovalVoted:      {ocsfAPI, ocsfCreate, ocsfInformational},
		audit.ApprovalClosed:     {ocsfAPI, ocsfUpdate, ocsfInformational},
		audit.RunCancelRequested: {ocsfAPI, ocsfUpdate, ocsfInformational},
		audit.RunRecovered:       {ocsfAPI, ocsfUpdate, ocsfLow},
		audit.RunClosed:          {ocsfAPI, ocsfUpdate, ocsfLow},

		audit.CtlOpened:          {ocsfAPI, ocsfCreate, ocsfInformational},
		audit.AuthDenied:         {ocsfSignIn, ocsfLogon, ocsfMedium},
		audit.AccessDenied:       {ocsfAPI, ocsfOther, ocsfMedium},
		audit.LimitHit:           {ocsfAPI, ocsfOther, ocsfLow},
		audit.PayloadRead:        {ocsfAPI, ocsfRead, ocsfLow},
		audit.PayloadErased:      {ocsfAPI, ocsfDelete, ocsfMedium},
		audit.ApprovalViewed:     {ocsfAPI, ocsfRead, ocsfLow},
		audit.AuditRead:          {ocsfAPI, ocsfRead, ocsfLow},
		audit.AuditExported:      {ocsfAPI, ocsfRead, ocsfMedium},
		audit.AuditVerified:      {ocsfAPI, ocsfRead, ocsfMedium},
		audit.WorkflowRegistered: {ocsfAPI, ocsfCreate, ocsfLow},
		audit.WorkflowChosen:     {ocsfAPI, ocsfUpdate, ocsfLow},
		audit.KeyUsed:            {ocsfAPI, ocsfOther, ocsfLow},
		audit.RevocationAdded:    {ocsfAPI, ocsfCreate, ocsfMedium},
		audit.RevocationLifted:   {ocsfAPI, ocsfDelete, ocsfMedium},
		audit.GuardReleased:      {ocsfAPI, ocsfCreate, ocsfMedium},
		audit.GuardReleaseLifted: {ocsfAPI, ocsfDelete, ocsfMedium},
		audit.GuardModeChanged:   {ocsfAPI, ocsfUpdate, ocsfMedium},
	}
})

// An OCSFEvent is an entry in the words of the Open Cybersecurity Schema
// Framework, for systems that collect security events. It has no hash of its own:
// metadata.uid is the entry's, and raw_data the text that was hashed.
type OCSFEvent struct {
	ActivityID   int          `json:"activity_id"`
	ActivityName string       `json:"activity_name"`
	CategoryUID  int          `json:"category_uid"`
	CategoryName string       `json:"category_name"`
	ClassUID     int          `json:"class_uid" doc:"2004 Detection Finding, 3002 Authentication, 6003 API Activity"`
	ClassName    string       `json:"class_name"`
	TypeUID      int          `json:"type_uid"`
	SeverityID   int          `json:"severity_id"`
	Severity     string       `json:"severity"`
	StatusID     int          `json:"status_id"`
	Status       string       `json:"status"`
	StatusCode   string       `json:"status_code,omitempty"`
	StatusDetail string       `json:"status_detail,omitempty"`
	Time         int64        `json:"time" doc:"milliseconds since 1970"`
	Message      string       `json:"message"`
	Metadata     ocsfMetadata `json:"metadata"`
	Actor        *ocsfActor   `json:"actor,omitempty"`
	API          *ocsfCall    `json:"api,omitempty"`
	SrcEndpoint  *ocsfPeer    `json:"src_endpoint,omitempty"`
	User         *ocsfUser    `json:"user,omitempty" doc:"Authentication: who was to be signed in"`
	Service      *ocsfNamed   `json:"service,omitempty"`
	Finding      *ocsfInfo    `json:"finding_info,omitempty"`
	IsAlert      bool         `json:"is_alert,omitempty"`
	Resources    []ocsfThing  `json:"resources,omitempty"`
	RawData      string       `json:"raw_data" doc:"the entry's body, exactly what was hashed"`
	Unmapped     ocsfPlace    `json:"unmapped" doc:"the entry's place in the ledger, and what OCSF has no word for"`
}

type (
	ocsfMetadata struct {
		Version     string      `json:"version"`
		UID         string      `json:"uid" doc:"the entry's hash"`
		EventCode   string      `json:"event_code" doc:"the entry's action"`
		LogName     string      `json:"log_name"`
		Sequence    int64       `json:"sequence"`
		Correlation string      `json:"correlation_uid,omitempty" doc:"the run"`
		Tenant      string      `json:"tenant_uid,omitempty"`
		Original    string      `json:"original_time" doc:"with microseconds"`
		Product     ocsfProduct `json:"product"`
	}
	ocsfProduct struct {
		Name    string `json:"name"`
		Vendor  string `json:"vendor_name"`
		Version string `json:"version,omitempty"`
	}
	ocsfActor struct {
		User *ocsfUser `json:"user,omitempty"`
		App  string    `json:"app_name,omitempty"`
	}
	ocsfUser struct {
		UID    string `json:"uid"`
		TypeID int    `json:"type_id"`
		Type   string `json:"type"`
	}
	ocsfCall struct {
		Operation string        `json:"operation"`
		Service   ocsfNamed     `json:"service"`
		Request   *ocsfUID      `json:"request,omitempty"`
		Response  *ocsfResponse `json:"response,omitempty"`
	}
	ocsfResponse struct {
		Code  int    `json:"code,omitempty"`
		Error string `json:"error,omitempty"`
	}
	ocsfNamed struct {
		Name string `json:"name"`
	}
	ocsfUID struct {
		UID string `json:"uid"`
	}
	ocsfPeer struct {
		Service string `json:"svc_name"`
	}
	ocsfInfo struct {
		UID   string   `json:"uid"`
		Title string   `json:"title"`
		Types []string `json:"types,omitempty" doc:"rules of the firewall that matched"`
	}
	ocsfThing struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
		Name string `json:"name,omitempty"`
	}
	ocsfPlace struct {
		Stream  string   `json:"stream"`
		Seq     int64    `json:"seq"`
		Prev    string   `json:"prev"`
		Hash    string   `json:"hash"`
		Outcome string   `json:"outcome"`
		Index   *int64   `json:"index"`
		Act     []string `json:"act,omitempty"`
		Step    string   `json:"step,omitempty"`
		Item    string   `json:"item,omitempty"`
		Attempt int      `json:"attempt,omitempty"`
		Call    string   `json:"call,omitempty"`
		Key     string   `json:"key,omitempty"`
	}
)

// ocsfOf converts an entry. One that was altered and cannot be read is an event
// of which only the place is known.
func ocsfOf(e audit.Entry) OCSFEvent {
	b, err := audit.ParseBody(e.Body)
	kind, known := ocsfKinds()[b.Action]
	if !known { // a later version's
		kind = ocsfKind{ocsfAPI, ocsfOther, ocsfLow}
	}
	if err != nil {
		kind.severity, b.Outcome = ocsfMedium, "altered"
	}
	out := OCSFEvent{
		ActivityID: kind.activity, ClassUID: kind.class, CategoryUID: kind.class / 1000, TypeUID: 100*kind.class + kind.activity,
		Time: b.AtUS / 1000, Message: strings.TrimSpace(string(b.Action) + " " + b.Outcome),
		StatusCode: b.Code, StatusDetail: b.Reason, RawData: e.Body,
		Metadata: ocsfMetadata{
			Version: ocsfVersion, UID: e.Hash.String(), EventCode: string(b.Action), LogName: e.Log, Sequence: e.Seq, Correlation: b.Run,
			Tenant: b.Tenant, Original: stamp(b.AtUS), Product: ocsfProduct{Name: "Custody", Vendor: "Custody", Version: b.Build},
		},
		Unmapped: ocsfPlace{
			Stream: e.Stream, Seq: e.Seq, Prev: e.Prev.String(), Hash: e.Hash.String(), Outcome: b.Outcome, Index: e.Index,
			Act: b.Act, Step: b.Step, Item: b.Item, Attempt: b.Attempt, Call: b.Call, Key: b.Key,
		},
	}
	out.ClassName, out.CategoryName, out.ActivityName = ocsfNames(kind, b.Action)
	out.judge(kind, b.Outcome)
	out.concern(kind, b)
	return out
}

// judge says how it went and how grave that is.
func (e *OCSFEvent) judge(kind ocsfKind, outcome string) {
	e.StatusID, e.Status, e.SeverityID = 99, outcome, ocsfInformational
	switch outcome {
	case "ok", "approve", "intact":
		e.StatusID, e.Status = 1, "Success"
	case "error", "denied", "blocked", "withheld", "altered", "broken":
		e.StatusID, e.Status, e.SeverityID = 2, "Failure", kind.severity
	case "unknown":
		e.StatusID, e.Status, e.SeverityID = 0, "Unknown", kind.severity
	}
	if kind.class == ocsfFinding { // its status is that of the finding: New
		e.StatusID, e.Status, e.SeverityID = 1, "New", kind.severity
	}
	e.Severity = map[int]string{ocsfInformational: "Informational", ocsfLow: "Low", ocsfMedium: "Medium"}[e.SeverityID]
}

// concern says who did it to what.
func (e *OCSFEvent) concern(kind ocsfKind, b audit.Body) {
	app := b.Client
	if app == "" {
		app = "custody"
	}
	user := ocsfUserOf(b)
	for _, t := range []ocsfThing{{"run", b.Run, ""}, {"workflow", b.Workflow, b.Name}, {"target", b.Target, ""}} {
		if t.UID != "" {
			e.Resources = append(e.Resources, t)
		}
	}
	switch kind.class {
	case ocsfSignIn:
		if user == nil {
			user = &ocsfUser{UID: "unknown", Type: "Unknown"}
		}
		e.User, e.Service, e.SrcEndpoint = user, &ocsfNamed{"custody"}, &ocsfPeer{app}
		return
	case ocsfFinding:
		e.Finding, e.IsAlert = &ocsfInfo{UID: e.Metadata.UID, Title: ocsfTitle(b.Action), Types: rulesOf(b)}, true
	case ocsfAPI:
		e.API, e.SrcEndpoint = ocsfCallOf(b), &ocsfPeer{app}
	}
	e.Actor = &ocsfActor{User: user, App: app}
}

func ocsfUserOf(b audit.Body) *ocsfUser {
	if b.Actor == "" {
		return nil
	}
	switch b.ActorKind {
	case "human":
		return &ocsfUser{b.Actor, 1, "User"}
	case "agent":
		return &ocsfUser{b.Actor, 99, "agent"}
	case "service":
		return &ocsfUser{b.Actor, 3, "System"}
	}
	return &ocsfUser{b.Actor, 0, "Unknown"}
}

func ocsfCallOf(b audit.Body) *ocsfCall {
	c := &ocsfCall{Operation: string(b.Action), Service: ocsfNamed{"custody"}}
	if uid := cmp.Or(b.Call, b.Request); uid != "" {
		c.Request = &ocsfUID{uid}
	}
	if b.Status != 0 || b.Code != "" {
		c.Response = &ocsfResponse{Code: b.Status, Error: b.Code}
	}
	return c
}

// rulesOf are the rules that matched, each once.
func rulesOf(b audit.Body) []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range b.Findings {
		if !seen[f.Rule] {
			out = append(out, f.Rule)
		}
		seen[f.Rule] = true
	}
	return out
}

func ocsfTitle(action audit.Action) string {
	if action == audit.StepWithheld {
		return "the output of a step was withheld"
	}
	return "the prompt firewall blocked a step"
}

// ocsfNames are the framework's captions.
func ocsfNames(kind ocsfKind, action audit.Action) (class, category, activity string) {
	if kind.activity == ocsfOther {
		activity = string(action)
	}
	switch kind.class {
	case ocsfFinding:
		return "Detection Finding", "Findings", "Create"
	case ocsfSignIn:
		return "Authentication", "Identity & Access Management", map[int]string{ocsfLogon: "Logon", ocsfLogoff: "Logoff"}[kind.activity]
	}
	if activity == "" {
		activity = map[int]string{ocsfCreate: "Create", ocsfRead: "Read", ocsfUpdate: "Update", ocsfDelete: "Delete"}[kind.activity]
	}
	if activity == "" {
		activity = "Other"
	}
	return "API Activity", "Application Activity", activity
}

// ocsfLines is one event a line.
func ocsfLines(entries []audit.Entry) []byte {
	var out []byte
	for _, e := range entries {
		line, err := json.Marshal(ocsfOf(e))
		if err != nil {
			panic(err) // an event is strings and numbers
		}
		out = append(append(out, line...), '\n')
	}
	return out
}
