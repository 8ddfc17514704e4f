package store

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/vault"
)

// A Release lets texts pass that the firewall stopped. Its columns are for lists
// and searches; whoever uses one verifies Signed.
type Release struct {
	ID       security.ID
	Tenant   string
	Texts    []string    // keyed fingerprints
	Run      security.ID // whose stopped texts they are; zero: the text was handed in
	Step     string
	By       string
	Reason   string
	AtUS     int64
	UntilUS  int64
	LiftedUS int64 // 0: it is in force until its end
	Signed   security.Signed
	Text     SealedText // the text that was handed in
}

// A SealedText is content outside of a run, with its own key, wrapped. The zero
// SealedText is none.
type SealedText struct {
	Key     vault.Wrapped
	Payload security.ID
	Cipher  []byte
}

const releaseColumns = `r.id, r.tenant, r.texts, r.run_id, r.step, r.by, r.reason, r.at_us, r.until_us, coalesce(r.lifted_us, 0), r.body, r.key, r.sig,
coalesce(r.kek, ''), r.text_key, r.payload, r.cipher`

func scanRelease(row pgx.CollectableRow) (r Release, err error) {
	var run, payload pgtype.UUID
	err = row.Scan((*[16]byte)(&r.ID), &r.Tenant, &r.Texts, &run, &r.Step, &r.By, &r.Reason, &r.AtUS, &r.UntilUS, &r.LiftedUS,
		&r.Signed.Body, &r.Signed.Key, &r.Signed.Sig, &r.Text.Key.Key, &r.Text.Key.Bytes, &payload, &r.Text.Cipher)
	r.Run, r.Text.Payload = run.Bytes, payload.Bytes
	return r, err
}

// Release stores a release with its entry, under an idempotency key. The fact
// says who did it; what was done is filled in. It fails with *Replayed if the
// key did this before, and with ErrMismatch if it did something else.
func (db *DB) Release(ctx context.Context, r Release, key Key, f audit.Fact) (Receipt, error) {
	f.Action, f.Outcome, f.Tenant, f.Target, f.Texts, f.Due, f.Step = audit.GuardReleased, "ok", r.Tenant, r.ID.Name("rel"), r.Texts, r.UntilUS, r.Step
	if !r.Run.IsZero() {
		f.Run = r.Run.Name("run")
	}
	return db.RecordWith(ctx, f, func(ctx context.Context, tx pgx.Tx, _ *audit.Fact) (bool, error) {
		if err := takeKey(ctx, tx, key); err != nil {
			return false, err
		}
		var kek *string
		if r.Text.Cipher != nil {
			kek = &r.Text.Key.Key
		}
		_, err := tx.Exec(ctx, `insert into release(id, tenant, texts, run_id, step, by, reason, at_us, until_us, body, key, sig, kek, text_key, payload, cipher)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
			r.ID, r.Tenant, r.Texts, optional(r.Run), r.Step, r.By, r.Reason, r.AtUS, r.UntilUS, r.Signed.Body, r.Signed.Key, r.Signed.Sig,
			kek, r.Text.Key.Bytes, optional(r.Text.Payload), r.Text.Cipher)
		return true, err
	})
}

// LiftRelease ends a release and takes its text away, or fails with ErrNotFound
// if it is not there or was lifted. The fact says who did it.
func (db *DB) LiftRelease(ctx context.Context, tenant string, id security.ID, f audit.Fact) (Receipt, error) {
	f.Action, f.Outcome, f.Tenant, f.Target = audit.GuardReleaseLifted, "ok", tenant, id.Name("rel")
	return db.RecordWith(ctx, f, func(ctx context.Context, tx pgx.Tx, _ *audit.Fact) (bool, error) {
		tag, err := tx.Exec(ctx, `update release set lifted_us = `+sqlNowUS+`, kek = null, text_key = null, payload = null, cipher = null
where tenant = $1 and id = $2 and lifted_us is null`, tenant, id)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrNotFound
		}
		return true, err
	})
}

// ReleaseByID returns one, in force or not, or ErrNotFound.
func (db *DB) ReleaseByID(ctx context.Context, tenant string, id security.ID) (Release, error) {
	rows, err := db.pool.Query(ctx, `select `+releaseColumns+` from release r where tenant = $1 and id = $2`, tenant, id)
	if err != nil {
		return Release{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRelease)
	return r, missing(err)
}

// Releases lists a tenant's releases, newest first, before the given one (zero:
// from the newest).
func (db *DB) Releases(ctx context.Context, tenant string, before security.ID, limit int) ([]Release, error) {
	rows, err := db.pool.Query(ctx, `select `+releaseColumns+` from release r
where tenant = $1 and ($2::uuid is null or id < $2) order by id desc limit $3`, tenant, optional(before), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanRelease)
}

// A ToldRelease is a release with what the ledger tells of it.
type ToldRelease struct {
	Release
	Told   *audit.Body // the entry that made it; nil if there is none
	Lifted bool        // an entry lifts it
}

// maxReleases bounds how many releases of one set of texts are looked at.
const maxReleases = 100

// ReleasesOf returns the releases that name one of these fingerprints and whose
// rows say that they are in force, with what the ledger tells of each.
func (db *DB) ReleasesOf(ctx context.Context, tenant string, texts []string) ([]ToldRelease, error) {
	rows, err := db.pool.Query(ctx, `select `+releaseColumns+` from release r
where tenant = $1 and texts && $2::text[] and lifted_us is null and until_us > `+sqlNowUS+` order by id desc limit $3`, tenant, texts, maxReleases)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, scanRelease)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	out := make([]ToldRelease, len(found))
	for i, r := range found {
		out[i].Release = r
	}
	return out, db.toldOf(ctx, tenant, out)
}

// toldOf reads what the ledger tells of releases. A body that cannot be read
// tells nothing: audit verify names it.
func (db *DB) toldOf(ctx context.Context, tenant string, all []ToldRelease) error {
	place, like := map[string]int{}, make([]string, len(all))
	for i, r := range all {
		name := r.ID.Name("rel")
		place[name], like[i] = i, `%"target":"`+name+`"%`
	}
	// The actions stand as literals, else the planner could not use the partial index.
	rows, err := db.pool.Query(ctx, `select body from entry where tenant = $1 and control and action in ('guard.released', 'guard.release_lifted')
and body like any($2::text[])`, tenant, like)
	if err != nil {
		return err
	}
	var body string
	_, err = pgx.ForEachRow(rows, []any{&body}, func() error {
		b, err := audit.ParseBody(body)
		i, ok := place[b.Target]
		if err != nil || !ok {
			return nil //nolint:nilerr // it tells nothing
		}
		switch b.Action {
		case audit.GuardReleased:
			all[i].Told = &b
		case audit.GuardReleaseLifted:
			all[i].Lifted = true
		}
		return nil
	})
	return err
}
