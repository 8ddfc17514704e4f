package audit

import "slices"

// An Action is what an entry is about. The catalogue is closed: a new action is
// a new constant here.
type Action string

// What stands in a run's stream (API.md section 6.2).
const (
	RunSubmitted       Action = "run.submitted"
	StepIntent         Action = "step.intent"
	StepResult         Action = "step.result"
	StepDenied         Action = "step.denied"
	StepBlocked        Action = "step.blocked"
	StepWithheld       Action = "step.withheld"
	StepUnknown        Action = "step.unknown"
	StepSkipped        Action = "step.skipped"
	CallIntent         Action = "call.intent"
	CallResult         Action = "call.result"
	ApprovalRequested  Action = "approval.requested"
	ApprovalVoted      Action = "approval.voted"
	ApprovalClosed     Action = "approval.closed"
	RunCancelRequested Action = "run.cancel_requested"
	RunRecovered       Action = "run.recovered"
	RunClosed          Action = "run.closed"
)

// What stands in control streams.
const (
	CtlOpened          Action = "ctl.opened"
	AuthDenied         Action = "auth.denied"
	AccessDenied       Action = "access.denied"
	LimitHit           Action = "limit.hit"
	PayloadRead        Action = "payload.read"
	PayloadErased      Action = "payload.erased"
	ApprovalViewed     Action = "approval.viewed"
	AuditRead          Action = "audit.read"
	AuditExported      Action = "audit.exported"
	AuditVerified      Action = "audit.verified"
	WorkflowRegistered Action = "workflow.registered"
	WorkflowChosen     Action = "workflow.chosen"
	KeyUsed            Action = "key.used"
	RevocationAdded    Action = "revocation.added"
	RevocationLifted   Action = "revocation.lifted"
	GuardReleased      Action = "guard.released"       // a text that the guard stopped may pass
	GuardReleaseLifted Action = "guard.release_lifted" // it may not any more
	GuardModeChanged   Action = "guard.mode_changed"   // the firewall only observes, or acts again
)

// Actions lists the catalogue: first what stands in a run's stream, then the
// rest.
func Actions() []Action {
	return []Action{
		RunSubmitted, StepIntent, StepResult, StepDenied, StepBlocked, StepWithheld, StepUnknown, StepSkipped,
		CallIntent, CallResult, ApprovalRequested, ApprovalVoted, ApprovalClosed,
		RunCancelRequested, RunRecovered, RunClosed,
		CtlOpened, AuthDenied, AccessDenied, LimitHit, PayloadRead, PayloadErased, ApprovalViewed,
		AuditRead, AuditExported, AuditVerified, WorkflowRegistered, WorkflowChosen,
		KeyUsed, RevocationAdded, RevocationLifted,
		GuardReleased, GuardReleaseLifted, GuardModeChanged,
	}
}

// Known reports whether the action is in the catalogue.
func (a Action) Known() bool { return slices.Contains(Actions(), a) }

// keepsPayloads reports whether the payloads that an entry names are those that
// it brought into the vault. The others were only read, or taken away.
func (a Action) keepsPayloads() bool {
	switch a {
	case PayloadRead, PayloadErased, ApprovalViewed, AuditRead, AuditExported, AuditVerified:
		return false
	}
	return true
}
