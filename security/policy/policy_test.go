package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/policy"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func person(roles ...string) security.Principal {
	return security.Principal{
		Tenant: "main", ID: "subj_alice", Kind: security.Human, Roles: roles, ACR: "mfa",
		AuthTime: now.Add(-time.Minute), Expires: now.Add(time.Minute),
	}
}

func mandate(roles ...string) security.Mandate {
	return security.NewMandate(person(roles...), security.NewID(), "sha256:1", "", now.Add(-time.Minute), now.Add(time.Hour))
}

func codes(d security.Decision) []string {
	list := []string{}
	for _, r := range d.Reasons() {
		list = append(list, r.Code)
	}
	return list
}

func needs(roles ...string) security.Requirement { return security.Requirement{Roles: roles} }

func TestAStepNeedsAllThatIsAskedAtThatMoment(t *testing.T) {
	t.Parallel()
	mfa := security.Requirement{MFA: true}
	agent := mandate("analyst")
	agent.Kind = security.Agent
	password := mandate("analyst")
	password.ACR = "pwd"
	for name, c := range map[string]struct {
		m              security.Mandate
		workflow, step security.Requirement
		at             time.Time
		want           []string // codes; empty is allowed
		by             []string
	}{
		"the role":                 {mandate("analyst"), needs("analyst"), needs(), now, nil, []string{"workflow.requires"}},
		"both roles":               {mandate("analyst", "legal"), needs("analyst"), needs("legal"), now, nil, []string{"workflow.requires", "step.requires"}},
		"not the workflow's":       {mandate("legal"), needs("analyst"), needs("legal"), now, []string{"role"}, []string{"workflow.requires"}},
		"not the step's":           {mandate("analyst"), needs("analyst"), needs("legal"), now, []string{"role"}, []string{"step.requires"}},
		"one of two":               {mandate("analyst"), needs("analyst", "legal"), needs(), now, []string{"role"}, []string{"workflow.requires"}},
		"a role in capitals":       {mandate("Analyst"), needs("analyst"), needs(), now, []string{"role"}, []string{"workflow.requires"}},
		"a workflow without a say": {mandate("analyst"), needs(), needs("analyst"), now, []string{"role"}, []string{"workflow.requires"}},
		"an empty role":            {mandate(""), needs(""), needs(), now, []string{"role"}, []string{"workflow.requires"}},
		"with a second factor":     {mandate("analyst"), needs("analyst"), mfa, now, nil, []string{"workflow.requires", "step.requires"}},
		"without a second factor":  {password, needs("analyst"), mfa, now, []string{"mfa"}, []string{"step.requires"}},
		"a program says mfa":       {agent, needs("analyst"), mfa, now, []string{"mfa"}, []string{"step.requires"}},
		"a program with the role":  {agent, needs("analyst"), needs(), now, nil, []string{"workflow.requires"}},
		"a second before the end":  {mandate("analyst"), needs("analyst"), needs(), now.Add(time.Hour - time.Second), nil, []string{"workflow.requires"}},
		"at the end":               {mandate("analyst"), needs("analyst"), needs(), now.Add(time.Hour), []string{"expired"}, []string{"mandate.expires"}},
		"everything at once": {
			security.Mandate{},
			needs("a", "b"), mfa, now,
			[]string{"mandate", "expired", "role", "role", "mfa"},
			[]string{"mandate.expires", "workflow.requires", "step.requires"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := policy.Step(c.m, c.workflow, c.step, c.at)
			if d.Allowed() != (len(c.want) == 0) {
				t.Errorf("allowed %v: %s", d.Allowed(), d)
			}
			if diff := cmp.Diff(append([]string{}, c.want...), codes(d)); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.by, d.Policies()); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubmittingNeedsTheWorkflowsRoles(t *testing.T) {
	t.Parallel()
	expired, barely, lacking := person("analyst"), person("analyst"), person()
	expired.Expires, barely.Expires = now.Add(-2*time.Minute), now.Add(-30*time.Second)
	lacking.Missing = []string{"/realm_access/roles"}
	for name, c := range map[string]struct {
		p    security.Principal
		r    security.Requirement
		want string
	}{
		"the role":           {person("analyst"), needs("analyst"), "allowed by workflow.requires"},
		"another role":       {person("admin"), needs("analyst"), "run.submit needs the role analyst"},
		"no roles claim":     {lacking, needs("analyst"), "run.submit needs the role analyst (the token lacks /realm_access/roles)"},
		"nothing is asked":   {person("analyst"), needs(), "run.submit is of a workflow that admits nobody: it requires nothing"},
		"an expired token":   {expired, needs("analyst"), "the token has expired"},
		"within the leeway":  {barely, needs("analyst"), "allowed by workflow.requires"},
		"a second factor":    {person("analyst"), security.Requirement{MFA: true}, "allowed by workflow.requires"},
		"two things missing": {expired, needs("x", "y"), "the token has expired; run.submit needs the role x; run.submit needs the role y"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := policy.Submit(c.p, c.r, now).String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if d := policy.Submit(security.Principal{}, needs("analyst"), now); d.Allowed() || d.Code() != "unauthenticated" {
		t.Errorf("nobody: %s", d)
	}
}

func TestStepUpNeedsAPersonWhoJustSignedIn(t *testing.T) {
	t.Parallel()
	change := func(f func(*security.Principal)) security.Principal {
		p := person()
		f(&p)
		return p
	}
	for name, c := range map[string]struct {
		p    security.Principal
		want []string
	}{
		"just now":            {person(), []string{}},
		"five minutes ago":    {change(func(p *security.Principal) { p.AuthTime = now.Add(-5 * time.Minute) }), []string{}},
		"a second longer":     {change(func(p *security.Principal) { p.AuthTime = now.Add(-301 * time.Second) }), []string{"stale"}},
		"in the future":       {change(func(p *security.Principal) { p.AuthTime = now.Add(time.Hour) }), []string{"stale"}},
		"at no time":          {change(func(p *security.Principal) { p.AuthTime = time.Time{} }), []string{"stale"}},
		"a password":          {change(func(p *security.Principal) { p.ACR = "pwd" }), []string{"mfa"}},
		"a program":           {change(func(p *security.Principal) { p.Kind = security.Agent }), []string{"agent", "mfa", "stale"}},
		"a program for them":  {change(func(p *security.Principal) { p.Act = []string{"bot"} }), []string{"agent"}},
		"nobody":              {security.Principal{}, []string{"agent", "mfa", "stale"}},
		"an old password one": {change(func(p *security.Principal) { p.ACR, p.AuthTime = "", time.Time{} }), []string{"mfa", "stale"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := policy.StepUp(c.p, 5*time.Minute, now)
			if diff := cmp.Diff(c.want, codes(d)); diff != "" || d.Allowed() != (len(c.want) == 0) {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			for _, r := range d.Reasons() {
				if r.Code == "stale" && !strings.Contains(r.Detail, "last 5 minutes") {
					t.Errorf("it says %q", r.Detail)
				}
			}
		})
	}
}

// who may: o owner, e eligible, * anybody signed in; roles by name.
var matrix = map[policy.Action][]string{
	policy.WorkflowPublish:  {"author"},
	policy.WorkflowValidate: {"*"},
	policy.WorkflowRead:     {"*"},
	policy.RunList:          {"*"},
	policy.RunRead:          {"o", "operator", "auditor"},
	policy.RunCancel:        {"o", "operator"},
	policy.PayloadRead:      {"o"},
	policy.ApprovalList:     {"*"},
	policy.ApprovalRead:     {"o", "e", "auditor"},
	policy.ApprovalView:     {"e"},
	policy.ApprovalVote:     {"e"},
	policy.AuditRead:        {"o", "auditor"},
	policy.AuditExport:      {"o", "auditor"},
	policy.AuditVerify:      {"auditor"},
	policy.CheckpointRead:   {"*"},
	policy.PrincipalRead:    {"*"},
	policy.AgentRead:        {"admin", "auditor"},
	policy.AgentWrite:       {"admin"},
	policy.RevocationRead:   {"security", "admin", "auditor"},
	policy.RevocationAdd:    {"o", "security", "admin"},
	policy.RevocationLift:   {"security", "admin"},
	policy.ErasureRead:      {"security", "admin", "auditor"},
	policy.ErasureAdd:       {"security", "admin"},
	policy.HoldRead:         {"security", "admin"},
	policy.HoldWrite:        {"security", "admin"},
	policy.PolicyRead:       {"admin", "auditor"},
	policy.PolicyWrite:      {"admin"},
	policy.PolicyExplain:    {"o", "admin", "auditor"},
	policy.PolicyReplay:     {"admin", "auditor"},
	policy.MetricsRead:      {"operator"},
	policy.StatusRead:       {"operator"},
}

func TestEveryActionAdmitsItsRolesAndNobodyElse(t *testing.T) {
	t.Parallel()
	for a, who := range matrix {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			for _, role := range []string{"author", "operator", "auditor", "security", "admin", "analyst", "legal", "", "o", "e"} {
				p, target := person(role), policy.Target{Tenant: "main", Owner: "subj_bob"}
				switch role {
				case "o":
					p, target.Owner = person(), "subj_alice"
				case "e":
					p, target.Eligible = person(), true
				}
				want := slices.Contains(who, "*") || slices.Contains(who, role)
				if d := policy.Do(p, a, target); d.Allowed() != want {
					t.Errorf("role %q: %s", role, d)
				}
				target.Tenant = "other"
				if d := policy.Do(p, a, target); d.Allowed() || d.Code() != "tenant" {
					t.Errorf("role %q in another tenant: %s", role, d)
				}
			}
		})
	}
}

func TestWhatNobodyNamedIsDenied(t *testing.T) {
	t.Parallel()
	all := person("author", "operator", "auditor", "security", "admin")
	mine := policy.Target{Tenant: "main", Owner: all.ID, Eligible: true}
	for _, a := range []policy.Action{"", "run.submit", "run.delete", "*"} {
		if d := policy.Do(all, a, mine); d.Allowed() {
			t.Errorf("%q: %s", a, d)
		}
	}
	for name, p := range map[string]security.Principal{
		"nobody": {}, "no tenant": {ID: "subj_alice", Kind: security.Human}, "no kind": {ID: "subj_alice", Tenant: "main"},
	} {
		if d := policy.Do(p, policy.WorkflowRead, policy.Target{Tenant: p.Tenant}); d.Allowed() || d.Code() != "unauthenticated" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if d := policy.Do(all, policy.WorkflowRead, policy.Target{}); d.Allowed() {
		t.Errorf("in no tenant: %s", d)
	}
	if d := policy.Do(person(), policy.PayloadRead, policy.Target{Tenant: "main"}); d.Allowed() {
		t.Errorf("of no owner: %s", d)
	}
}

func ExampleDo() {
	bob := security.Principal{Tenant: "main", ID: "subj_bob", Kind: security.Human, Roles: []string{"operator"}}
	alices := policy.Target{Tenant: "main", Owner: "subj_alice"}
	fmt.Println(policy.Do(bob, policy.RunCancel, alices))
	fmt.Println(policy.Do(bob, policy.PayloadRead, alices))
	fmt.Println(policy.Do(bob, policy.AuditRead, alices))
	// Output:
	// allowed by role.operator
	// payload.read needs to be the owner
	// audit.read needs the role auditor, or to be the owner
}

func ExampleStep() {
	m := security.Mandate{Tenant: "main", ID: "subj_alice", Kind: security.Human, Roles: []string{"analyst"}, Expires: now.Unix() + 1}
	workflow := security.Requirement{Roles: []string{"analyst"}}
	fmt.Println(policy.Step(m, workflow, security.Requirement{}, now))
	fmt.Println(policy.Step(m, workflow, security.Requirement{Roles: []string{"legal"}, MFA: true}, now.Add(time.Hour)))
	// Output:
	// allowed by workflow.requires
	// the mandate has expired; the step needs the role legal; the step needs a person who signed in with a second factor
}

func ExampleSubmit() {
	alice := security.Principal{Tenant: "main", ID: "subj_alice", Kind: security.Human, Expires: now}
	fmt.Println(policy.Submit(alice, security.Requirement{Roles: []string{"analyst"}}, now))
	// Output: run.submit needs the role analyst
}
