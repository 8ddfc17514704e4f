package policy

import (
	"strings"

	"github.com/custodyhq/custody/security"
)

// An Action is something that the API does for a caller. The list is closed:
// what is not in it is denied. Submitting a run is not in it (see Submit),
// and where API.md asks for a person with a second factor, StepUp is asked too.
type Action string

// The actions, as in API.md section 5.
const (
	WorkflowPublish  Action = "workflow.publish"
	WorkflowValidate Action = "workflow.validate"
	WorkflowRead     Action = "workflow.read"
	RunList          Action = "run.list"
	RunRead          Action = "run.read"
	RunCancel        Action = "run.cancel"
	PayloadRead      Action = "payload.read"
	ApprovalList     Action = "approval.list"
	ApprovalRead     Action = "approval.read"
	ApprovalView     Action = "approval.view" // the content shown
	ApprovalVote     Action = "approval.vote"
	ApprovalWithdraw Action = "approval.withdraw" // one's own vote
	AuditRead        Action = "audit.read"
	AuditExport      Action = "audit.export"
	AuditVerify      Action = "audit.verify"
	CheckpointRead   Action = "checkpoint.read"
	PrincipalRead    Action = "principal.read" // how my own token is read
	AgentRead        Action = "agent.read"
	AgentWrite       Action = "agent.write"
	RevocationRead   Action = "revocation.read"
	RevocationAdd    Action = "revocation.add"
	RevocationLift   Action = "revocation.lift"
	ReleaseRead      Action = "release.read" // of texts that the firewall stopped
	ReleaseAdd       Action = "release.add"
	ReleaseLift      Action = "release.lift"
	ModeRead         Action = "mode.read" // whether the firewall enforces
	ModeWrite        Action = "mode.write"
	LabelRead        Action = "label.read" // what people decided about stopped texts, with these
	ErasureRead      Action = "erasure.read"
	ErasureAdd       Action = "erasure.add"
	HoldRead         Action = "hold.read"
	HoldWrite        Action = "hold.write"
	PolicyRead       Action = "policy.read"
	PolicyWrite      Action = "policy.write"
	PolicyExplain    Action = "policy.explain"
	PolicyReplay     Action = "policy.replay"
	MetricsRead      Action = "metrics.read"
	StatusRead       Action = "status.read"
)

// The built-in roles of API.md section 2. Admin includes Security.
const (
	Author   = "author"
	Operator = "operator"
	Auditor  = "auditor"
	Security = "security"
	Admin    = "admin"
)

// A Target is what the action is done to. The zero Target is in no tenant, so
// nobody may do anything to it.
type Target struct {
	Tenant   string
	Owner    string // subj_… of who submitted the run, or whom the thing concerns
	Eligible bool   // the approval's rule lets the caller vote, or let them before they did
}

// A rule says who may: any one of what it names is enough.
type rule struct {
	any, owner, eligible bool
	roles                []string
}

// ruleOf is the default policy set. The zero rule admits nobody.
func ruleOf(a Action) rule {
	switch a {
	case WorkflowValidate, WorkflowRead, RunList, ApprovalList, CheckpointRead, PrincipalRead, ModeRead:
		return rule{any: true}
	case WorkflowPublish:
		return rule{roles: []string{Author}}
	case RunRead:
		return rule{owner: true, roles: []string{Operator, Auditor}}
	case RunCancel:
		return rule{owner: true, roles: []string{Operator}}
	case PayloadRead, ApprovalWithdraw:
		return rule{owner: true}
	case ApprovalRead:
		return rule{owner: true, eligible: true, roles: []string{Auditor}}
	case ApprovalView, ApprovalVote:
		return rule{eligible: true}
	case AuditRead, AuditExport:
		return rule{owner: true, roles: []string{Auditor}}
	case AuditVerify:
		return rule{roles: []string{Auditor}}
	case AgentWrite, PolicyWrite:
		return rule{roles: []string{Admin}}
	case AgentRead, PolicyRead, PolicyReplay:
		return rule{roles: []string{Admin, Auditor}}
	case PolicyExplain:
		return rule{owner: true, roles: []string{Admin, Auditor}}
	case RevocationAdd:
		return rule{owner: true, roles: []string{Security}}
	case RevocationLift, ErasureAdd, HoldRead, HoldWrite, ReleaseAdd, ReleaseLift, ModeWrite, LabelRead:
		return rule{roles: []string{Security}}
	case RevocationRead, ErasureRead, ReleaseRead:
		return rule{roles: []string{Security, Auditor}}
	case MetricsRead, StatusRead:
		return rule{roles: []string{Operator}}
	}
	return rule{}
}

// Do says whether the caller may do this to that. A denial for another tenant
// has the code tenant: such a thing does not exist for the caller (404).
func Do(p security.Principal, a Action, t Target) security.Decision {
	if anonymous(p) {
		return deny(a, "unauthenticated", string(a)+" needs a caller that signed in")
	}
	if t.Tenant != p.Tenant {
		return deny(a, "tenant", string(a)+" is not possible in another tenant")
	}
	r := ruleOf(a)
	if by := r.admits(p, t); len(by) > 0 {
		return security.Allow(by...)
	}
	return deny(a, "role", string(a)+" needs "+r.String()+lacks(p))
}

func deny(a Action, code, detail string) security.Decision {
	return security.Deny([]string{"action." + string(a)}, security.Reason{Code: code, Detail: detail})
}

// admits names every part of the rule that lets the caller in.
func (r rule) admits(p security.Principal, t Target) []string {
	var by []string
	if r.any {
		by = append(by, "signed-in")
	}
	if r.owner && t.Owner == p.ID {
		by = append(by, "owner")
	}
	if r.eligible && t.Eligible {
		by = append(by, "eligible")
	}
	for _, role := range r.roles {
		if p.Has(role) || role == Security && p.Has(Admin) {
			by = append(by, "role."+role)
		}
	}
	return by
}

// String says who is let in, for people.
func (r rule) String() string {
	var who []string
	if len(r.roles) > 0 {
		who = append(who, "the role "+strings.Join(r.roles, " or "))
	}
	if r.owner {
		who = append(who, "to be the owner")
	}
	if r.eligible {
		who = append(who, "to be eligible to vote")
	}
	if len(who) == 0 {
		return "a permission that nobody has"
	}
	return strings.Join(who, ", or ")
}

// Who says, for people, whom the default policy set lets do this.
func (a Action) Who() string {
	r := ruleOf(a)
	if r.any {
		return "whoever has signed in"
	}
	var who []string
	if r.owner {
		who = append(who, "the owner")
	}
	if r.eligible {
		who = append(who, "whoever is eligible to vote")
	}
	for _, role := range r.roles {
		who = append(who, "the role "+role)
	}
	if len(who) == 0 {
		return "nobody"
	}
	return strings.Join(who, ", or ")
}
