package store

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// A told row lies beside the record, and an entry says that it was made: a vote,
// a withdrawal, a revocation. Whoever owns the database can take such a row away
// or change it; the entry stays.
type told struct {
	stream string
	seq    int64
	what   string // that must be the same in both
	seen   bool
}

// logoutKey begins the keys of revocations that a provider's logout makes. A
// later logout of the same person moves the row that is there: it has an entry
// and no row of its own. Only these concern less than everything.
const logoutKey = "logout:"

// tells keeps what an entry says of rows beside the record.
func (v *verification) tells(s *stream, e *audit.Entry, action audit.Action) {
	switch action {
	case audit.ApprovalVoted, audit.RevocationAdded, audit.RevocationLifted, audit.GuardReleased, audit.GuardReleaseLifted, audit.GuardModeChanged:
	default:
		return
	}
	b, err := audit.ParseBody(e.Body)
	if err != nil {
		return // the verifier names it
	}
	t := &told{stream: strings.Clone(e.Stream), seq: e.Seq}
	name, key, _ := strings.Cut(b.Target, " ")
	switch {
	case action == audit.ApprovalVoted && b.Approval != nil:
		t.what = voteText(b.Approval.ID, b.Actor, b.Approval.Decision)
		if s.votes == nil {
			s.votes = map[string]*told{}
		}
		s.votes[b.Approval.Vote] = t
	case action == audit.RevocationAdded:
		t.what = b.Tenant + "/" + key
		v.added[name] = t
	case action == audit.RevocationLifted:
		v.lifted[name] = t
	case action == audit.GuardReleased:
		t.what = waiverText(b.Tenant, b.Actor, b.Due, strings.Join(b.Texts, " "))
		v.waived[name] = t
	case action == audit.GuardModeChanged && strings.HasPrefix(name, "mod_"): // else the server's config said so
		t.what = waiverText(b.Tenant, b.Actor, b.Due, b.Outcome)
		v.waived[name] = t
	case action == audit.GuardReleaseLifted:
		v.retaken[name] = t
	}
}

func voteText(approval, by, decision string) string { return approval + " " + by + " " + decision }

// votes compares the votes of a page's runs with what their entries say.
func (v *verification) votes(ctx context.Context, page []stream, of map[security.ID]*stream) error {
	var runs []security.ID
	for i := range page {
		if !page[i].control {
			runs = append(runs, page[i].id)
		}
	}
	rows, err := v.tx.Query(ctx, `select a.run_id, v.id, v.approval, v.voter, v.decision from vote v join approval a on a.id = v.approval
where a.run_id = any($1::uuid[]) order by a.run_id, v.id`, uuids(runs))
	if err != nil {
		return err
	}
	var run, id, approval security.ID
	var by, decision string
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&run), (*[16]byte)(&id), (*[16]byte)(&approval), &by, &decision}, func() error {
		t := of[run].votes[id.Name("vote")]
		if t == nil {
			v.v.Untold(streamName(run, false), id.Name("vote")+" is there, and no entry tells of it")
			return nil
		}
		t.seen = true
		if t.what != voteText(approval.Name("apr"), by, decision) {
			v.v.Differs(t.stream, t.seq, "the vote is not the one that the entry tells of")
		}
		return nil
	})
	for i := range page {
		v.gone(page[i].votes, "the vote that the entry tells of is gone")
	}
	return err
}

// gone names the entries whose rows did not come.
func (v *verification) gone(all map[string]*told, detail string) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if t := all[name]; !t.seen {
			v.v.Differs(t.stream, t.seq, detail)
		}
	}
}

// revocations compares all revocations with what entries say of them: that each
// is there, is in force unless an entry lifts it, and concerns as much. The
// columns of later migrations are read as JSON, so that a database verifies
// before it is upgraded.
func (v *verification) revocations(ctx context.Context) error {
	rows, err := v.tx.Query(ctx, `select id, tenant, key, coalesce(to_jsonb(r) ->> 'lifted_us', '') <> '', coalesce(to_jsonb(r) ->> 'before_us', '') <> ''
from revocation r order by id`)
	if err != nil {
		return err
	}
	var id security.ID
	var tenant, key string
	var lifted, partly bool
	moved := map[string]bool{}
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &tenant, &key, &lifted, &partly}, func() error {
		if strings.HasPrefix(key, tenant+"/"+logoutKey) {
			moved[key], partly = true, false
		}
		v.revocation(id.Name("rev"), key, lifted, partly)
		return nil
	})
	for _, t := range v.added {
		t.seen = t.seen || moved[t.what]
	}
	v.gone(v.added, "the revocation that the entry tells of is gone")
	return err
}

func (v *verification) revocation(name, key string, lifted, partly bool) {
	made, up := v.added[name], v.lifted[name]
	if made == nil {
		v.v.Untold("", name+" is there, and no entry tells of it")
		return
	}
	made.seen = true
	begin, clipped := strings.CutSuffix(made.what, "…") // a long name is cut in the entry
	switch {
	case made.what != key && (!clipped || !strings.HasPrefix(key, begin)):
		v.v.Differs(made.stream, made.seq, "the revocation is of something else than the entry tells of")
	case lifted && up == nil:
		v.v.Differs(made.stream, made.seq, "the revocation was lifted, and no entry tells of it")
	case !lifted && up != nil:
		v.v.Differs(up.stream, up.seq, "the revocation is in force, and the entry lifts it")
	case partly:
		v.v.Differs(made.stream, made.seq, "the revocation concerns less than the entry tells of")
	}
}

func waiverText(tenant, by string, until int64, what string) string {
	return tenant + " " + by + " " + strconv.FormatInt(until, 10) + " " + what
}

// waivers compares releases and orders with what entries say of them. A database
// that was not upgraded has none.
func (v *verification) waivers(ctx context.Context) error {
	var there bool
	err := v.tx.QueryRow(ctx, `select to_regclass('custody.release') is not null and to_regclass('custody.guard_mode') is not null`).Scan(&there)
	if err != nil {
		return err
	}
	if there {
		rows, err := v.tx.Query(ctx, `select id, true, tenant, by, until_us, array_to_string(texts, ' '), lifted_us is not null from release
union all select id, false, tenant, by, until_us, mode, false from guard_mode order by 2, 1`)
		if err != nil {
			return err
		}
		var id security.ID
		var release, lifted bool
		var tenant, by, what string
		var until int64
		_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &release, &tenant, &by, &until, &what, &lifted}, func() error {
			name := id.Name("mod")
			if release {
				name = id.Name("rel")
			}
			v.waiver(name, waiverText(tenant, by, until, what), lifted)
			return nil
		})
		if err != nil {
			return err
		}
	}
	v.gone(v.waived, "the release or the order that the entry tells of is gone")
	return nil
}

func (v *verification) waiver(name, what string, lifted bool) {
	made, up := v.waived[name], v.retaken[name]
	if made == nil {
		v.v.Untold("", name+" is there, and no entry tells of it")
		return
	}
	made.seen = true
	switch {
	case made.what != what:
		v.v.Differs(made.stream, made.seq, "the release or the order is not the one that the entry tells of")
	case lifted && up == nil:
		v.v.Differs(made.stream, made.seq, "the release was lifted, and no entry tells of it")
	case !lifted && up != nil:
		v.v.Differs(up.stream, up.seq, "the release is in force, and the entry lifts it")
	}
}
