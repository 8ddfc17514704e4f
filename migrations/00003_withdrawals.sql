-- Votes that are taken back, and revocations that are lifted or concern only what began before them.

-- +goose Up

-- A withdrawal is a signed row beside the vote that it takes back, and its voter may vote again: so a person
-- may have several rows. That only one of their votes counts at a time is the rule's business (security/approval).
alter table custody.vote drop constraint vote_pkey, drop constraint vote_id_key, drop constraint vote_decision_check;
alter table custody.vote add primary key (id), add check (decision in ('approve', 'reject', 'withdraw'));
create index vote_approval on custody.vote (approval);

-- A revocation stays when it is lifted: whoever made it under an idempotency key can still be shown it.
alter table custody.revocation drop constraint revocation_pkey, drop constraint revocation_id_key;
alter table custody.revocation add primary key (id), add column before_us bigint, add column lifted_us bigint;
create unique index revocation_key on custody.revocation (key) where lifted_us is null;

-- +goose StatementBegin
do $$
begin
  if exists (select from pg_roles where rolname = 'custody_app') then
    grant update (before_us, lifted_us) on custody.revocation to custody_app;
    revoke delete on custody.revocation from custody_app;
  end if;
end $$;
-- +goose StatementEnd
