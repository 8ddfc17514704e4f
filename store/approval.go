package store

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
)

// An Approval is a request for votes: its document, exactly as hashed, and
// where it stands. Using one trusts neither State nor Roles: it verifies the
// signed votes.
type Approval struct {
	ID        security.ID
	Tenant    string
	Run       security.ID
	Step      string
	Attempt   int
	Document  string
	Digest    string
	Roles     []string
	Requester string
	State     approval.State
	ExpiresUS int64
	UsedUS    int64
}

// A Vote is a signed statement about an approval.
type Vote struct {
	ID       security.ID
	Approval security.ID
	Voter    string
	Decision string
	Signed   security.Signed
	Comment  security.ID // payload; zero: none
	AtUS     int64
}

// Asked is an approval with its votes. In a change it is a copy, as it stands
// under the run's lock.
type Asked struct {
	Approval
	Votes []Vote
}

const (
	approvalColumns = `id, tenant, run_id, step, attempt, document, digest, roles, requester, state, expires_us, used_us`
	voteColumns     = `id, approval, voter, decision, body, key, sig, comment, at_us`
	sqlAsked        = `select ` + approvalColumns + ` from approval where id = any($1::uuid[])`
	sqlVotesOf      = `select ` + voteColumns + ` from vote where approval = any($1::uuid[]) order by approval, at_us, id`
	sqlAsk          = `insert into approval(` + approvalColumns + `) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	sqlVote         = `insert into vote(` + voteColumns + `) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	sqlSettle       = `update approval set state = $2, used_us = coalesce(used_us, case when $3 then $4::bigint end) where id = $1`
)

func (a *Approval) scan(row pgx.Row) error {
	var used *int64
	err := row.Scan(&a.ID, &a.Tenant, &a.Run, &a.Step, &a.Attempt, &a.Document, &a.Digest, &a.Roles, &a.Requester, &a.State, &a.ExpiresUS, &used)
	a.UsedUS = zero(used)
	return err
}

func (v *Vote) scan(row pgx.Row) error {
	var comment pgtype.UUID
	err := row.Scan(&v.ID, &v.Approval, &v.Voter, &v.Decision, &v.Signed.Body, &v.Signed.Key, &v.Signed.Sig, &comment, &v.AtUS)
	v.Comment = comment.Bytes
	return err
}

// queueAsked reads approvals and their votes behind the locks of their runs.
// Both tables change only under that lock.
func (s *seen) queueAsked(b *pgx.Batch, ids []security.ID) {
	s.asked = map[security.ID]*Asked{}
	b.Queue(sqlAsked, ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			a := &Asked{}
			if err := a.scan(rows); err != nil {
				return err
			}
			s.asked[a.ID] = a
		}
		return rows.Err()
	})
	b.Queue(sqlVotesOf, ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var v Vote
			if err := v.scan(rows); err != nil {
				return err
			}
			if a := s.asked[v.Approval]; a != nil {
				a.Votes = append(a.Votes, v)
			}
		}
		return rows.Err()
	})
}

// queueApprovals writes one row a statement: approvals are rare beside steps.
func (w *writes) queueApprovals(b *pgx.Batch) {
	for _, a := range w.asks {
		b.Queue(sqlAsk, a.ID, a.Tenant, a.Run, a.Step, a.Attempt, a.Document, a.Digest, a.Roles, a.Requester, string(a.State), a.ExpiresUS, positive(a.UsedUS))
	}
	for _, v := range w.votes {
		b.Queue(sqlVote, v.ID, v.Approval, v.Voter, v.Decision, v.Signed.Body, v.Signed.Key, v.Signed.Sig, optional(v.Comment), v.AtUS)
	}
	for _, s := range w.settled {
		b.Queue(sqlSettle, s.id, string(s.state), s.used, s.at)
	}
}

// Approval returns an approval with its votes, or ErrNotFound.
func (db *DB) Approval(ctx context.Context, tenant string, id security.ID) (Asked, error) {
	all, err := db.asked(ctx, `select `+approvalColumns+` from approval where tenant = $1 and id = $2`, tenant, id)
	if err != nil {
		return Asked{}, err
	}
	if len(all) == 0 {
		return Asked{}, ErrNotFound
	}
	return all[0], nil
}

// ApprovalsOf returns all approvals of a run with their votes, oldest first.
func (db *DB) ApprovalsOf(ctx context.Context, run security.ID) ([]Asked, error) {
	return db.asked(ctx, `select `+approvalColumns+` from approval where run_id = $1 order by id`, run)
}

// An ApprovalFilter chooses approvals. Empty fields choose all.
type ApprovalFilter struct {
	State  approval.State
	Run    security.ID
	Roles  []string // only those that a bearer of these roles could vote on, or of this requester
	Person string   // requester
	// Reviews chooses those that people are asked about texts that the firewall
	// stopped.
	Reviews bool
	Cursor  security.ID
	Limit   int
}

// Approvals lists approvals of a tenant with their votes, newest first.
func (db *DB) Approvals(ctx context.Context, tenant string, f ApprovalFilter) ([]Asked, error) {
	return db.asked(ctx, `select `+approvalColumns+` from approval
where tenant = $1 and ($2 = '' or state = $2) and ($3::uuid is null or run_id = $3) and ($4::text[] is null or roles <@ $4 or requester = $5)
and ($6::uuid is null or id < $6) and (not $8 or document like '%"kind":"guard.review"%') order by id desc limit $7`,
		tenant, string(f.State), optional(f.Run), f.Roles, f.Person, optional(f.Cursor), f.Limit, f.Reviews)
}

func (db *DB) asked(ctx context.Context, sql string, args ...any) ([]Asked, error) {
	rows, err := db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Asked, err error) { return a, a.scan(row) })
	if err != nil || len(all) == 0 {
		return all, err
	}
	ids, place := make([]security.ID, len(all)), map[security.ID]int{}
	for i := range all {
		ids[i], place[all[i].ID] = all[i].ID, i
	}
	rows, err = db.pool.Query(ctx, sqlVotesOf, ids)
	if err != nil {
		return nil, err
	}
	votes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v Vote, err error) { return v, v.scan(row) })
	for _, v := range votes {
		a := &all[place[v.Approval]]
		a.Votes = append(a.Votes, v)
	}
	return all, err
}
