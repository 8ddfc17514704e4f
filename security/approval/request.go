package approval

import (
	"slices"
	"time"

	"github.com/custodyhq/custody/security"
)

// A State is where a request stands. All but Pending are final. The zero State
// is none of them and admits nothing.
type State string

// The states.
const (
	Pending   State = "pending"
	Approved  State = "approved"
	Rejected  State = "rejected"
	Expired   State = "expired"
	Withdrawn State = "withdrawn" // the run failed or was cancelled meanwhile
)

// A Request is a Document with its text and digest, and the state that the
// store keeps for lists. Use believes the text only.
type Request struct {
	Document Document
	Text     string
	Digest   string
	State    State
}

// NewRequest makes a pending request. It fails with ErrDocument or ErrRule for
// a document that binds too little.
func NewRequest(d Document) (Request, error) {
	if err := d.validate(); err != nil {
		return Request{}, err
	}
	text := d.Text()
	d, err := ParseDocument(text) // what was cleaned in writing is what is kept
	return Request{Document: d, Text: text, Digest: Digest(text), State: Pending}, err
}

// The reasons for which somebody may not vote.
const (
	ReasonRequester = "requester"
	ReasonActing    = "acting_for_requester"
	ReasonAuthor    = "author"
	ReasonGroup     = "not_in_group"
	ReasonVoted     = "already_voted"
	ReasonAgent     = "agent"
	ReasonClosed    = "closed"
)

// Eligible says why somebody may not vote; empty means that they may. Every
// reason is given. It does not ask how and when they signed in: that is
// policy.StepUp.
func Eligible(req Request, votes []Vote, who security.Principal, now time.Time) []string {
	var reasons []string
	for _, r := range []struct {
		holds bool
		name  string
	}{
		{who.ID == req.Document.Requester, ReasonRequester},
		{actsForRequester(req.Document, who), ReasonActing},
		{who.ID == req.Document.Author, ReasonAuthor},
		{who.ID == "" || who.Tenant != req.Document.Tenant || !req.Document.Rule.admits(who), ReasonGroup},
		{voted(votes, who.ID), ReasonVoted},
		{who.Kind != security.Human || len(who.Act) > 0, ReasonAgent},
		{standing(req, votes, now.UnixMicro()) != Pending, ReasonClosed},
	} {
		if r.holds {
			reasons = append(reasons, r.name)
		}
	}
	return reasons
}

// actsForRequester reports whether a voter is in the requester's chain, or the
// requester in the voter's: then one will would count as two.
func actsForRequester(d Document, who security.Principal) bool {
	chain := func(id string) bool { return id != "" && slices.Contains(d.Act, id) }
	return chain(who.ID) || chain(who.Client) || slices.ContainsFunc(who.Act, chain) ||
		d.Requester != "" && slices.Contains(who.Act, d.Requester)
}

func voted(votes []Vote, id string) bool {
	_, ok := Standing(votes, id)
	return ok
}
