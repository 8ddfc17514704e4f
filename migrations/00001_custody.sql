-- The state of Custody. Three sorts of table, told apart by what a step does to them:
-- hot (rewritten by every change of a run), cold (written once, beside it) and append-only.

-- +goose Up

-- What this database is: the ledger's name per tenant, and the keys in use. Never keys themselves.
create table custody.log (
  id smallint generated always as identity primary key,
  tenant text not null unique,
  origin text not null unique -- inside every hash: fixed at the first entry
);
create table custody.key (
  kind text not null check (kind in ('mandate', 'kek')),
  id text not null,
  since timestamptz not null default clock_timestamp(),
  primary key (kind, id)
);

-- A subject's name in the ledger is random, so that it says nothing about the person.
create table custody.subject (
  tenant text not null,
  issuer text not null,
  subject text not null,
  id text not null unique,
  primary key (tenant, issuer, subject)
);

create table custody.definition (
  tenant text not null,
  name text not null,
  digest text not null,
  source text not null,
  title text not null, -- the definition's description
  author text not null,
  at_us bigint not null,
  primary key (tenant, name, digest)
);
create table custody.workflow (
  tenant text not null,
  name text not null,
  digest text not null,
  version bigint not null default 1,
  primary key (tenant, name),
  foreign key (tenant, name, digest) references custody.definition
);

-- HOT. No index may name a column that a step or a claim changes, or every change writes to every index.
create table custody.run (
  id uuid primary key, -- UUIDv7: inserts stay on the right edge
  tenant text not null,
  log smallint not null references custody.log,
  workflow text not null,
  digest text not null,
  caller text not null,
  created_us bigint not null,
  retry_of uuid,
  state text not null check (state in ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled')),
  epoch int not null check (epoch > 0),
  version bigint not null default 1, -- counts changes; only the ETag
  holder uuid, -- the process that drives it
  nudged boolean not null default false, -- something happened that its driver must see
  steps bytea not null, -- the state of all steps, store/steps.go
  seq bigint not null check (seq > 0), -- entries in the stream
  head bytea not null check (length(head) = 32),
  at_us bigint not null,
  due_us bigint, -- when a process must look again: back-off, expiry
  cancel_us bigint,
  closed_us bigint,
  reason text, -- why it ended: code, step and detail as JSON, without content
  check ((closed_us is not null) = (state in ('succeeded', 'failed', 'cancelled'))),
  check (closed_us is null or (holder is null and due_us is null and not nudged))
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
create index run_caller on custody.run (tenant, caller, id desc);
create index run_open on custody.run (id) where closed_us is null;
create index run_due on custody.run (due_us) where due_us is not null;
create index run_nudged on custody.run (id) where nudged; -- not on holder: every claim would write to it

-- COLD: what never changes, beside the run, so that a step does not copy it.
create table custody.mandate (
  run_id uuid primary key,
  body bytea not null,
  key text not null,
  sig bytea not null,
  kek text not null,
  run_key bytea not null, -- wrapped
  input uuid not null -- payload
);
create table custody.idempotency (
  scope text not null, -- tenant and principal
  key text not null,
  body bytea not null, -- digest of what was asked
  object uuid not null,
  primary key (scope, key)
);
create table custody.revocation (
  key text primary key, -- kind:value
  id uuid not null unique,
  tenant text not null,
  at_us bigint not null,
  by text not null,
  reason text not null
);

create table custody.approval (
  id uuid primary key,
  tenant text not null,
  run_id uuid not null,
  step text not null,
  attempt int not null,
  document text not null, -- RFC 8785, exactly what was hashed
  digest text not null,
  roles text[] not null,
  requester text not null,
  state text not null check (state in ('pending', 'approved', 'rejected', 'expired', 'withdrawn')),
  expires_us bigint not null,
  used_us bigint
);
create index approval_pending on custody.approval (tenant, id desc) where state = 'pending';
create index approval_run on custody.approval (run_id);
create table custody.vote (
  approval uuid not null references custody.approval,
  voter text not null,
  id uuid not null unique,
  decision text not null check (decision in ('approve', 'reject')),
  body bytea not null, -- the signed statement
  key text not null,
  sig bytea not null,
  comment uuid, -- payload
  at_us bigint not null,
  primary key (approval, voter)
);

-- APPEND ONLY. The body is the hashed text; the other columns are copies that `audit verify` compares with it.
create table custody.entry (
  stream uuid not null,
  seq bigint not null,
  tenant text not null,
  control boolean not null, -- a control stream, not a run's
  body text not null,
  prev bytea not null check (length(prev) = 32), -- kept, so that a rewritten entry is named itself and not its successor
  hash bytea not null check (length(hash) = 32),
  action text not null,
  outcome text not null,
  step text not null,
  actor text not null,
  workflow text not null,
  at_us bigint not null,
  primary key (stream, seq)
);
create index entry_actor on custody.entry (actor, at_us);
create index entry_at on custody.entry using brin (at_us);
create table custody.control (
  stream uuid primary key,
  tenant text not null,
  log smallint not null references custody.log,
  process uuid not null,
  seq bigint not null,
  head bytea not null
);
-- Sealed content. Rows are only added, and one day destroyed by an erasure.
create table custody.payload (
  run_id uuid not null,
  id uuid not null,
  kind text not null,
  cipher bytea not null,
  primary key (run_id, id) -- a run's payloads lie together: read, verified and erased as one
);
alter table custody.payload alter column cipher set storage external; -- ciphertext does not compress

create table custody.process (
  id uuid primary key, -- never used twice
  at timestamptz not null default clock_timestamp(),
  started timestamptz not null default clock_timestamp(),
  version text not null
);

-- +goose StatementBegin
create function custody.append_only() returns trigger language plpgsql as $$
begin
  raise exception 'table % is append-only: % refused', tg_table_name, lower(tg_op)
    using errcode = 'insufficient_privilege';
end $$;
-- +goose StatementEnd
create trigger append_only before update or delete or truncate on custody.entry
  for each statement execute function custody.append_only();
create trigger append_only before update or delete or truncate on custody.vote
  for each statement execute function custody.append_only();
create trigger append_only before update or truncate on custody.payload
  for each statement execute function custody.append_only();

-- The process works as custody_app, which may add to the record and never change it. Where the migrating
-- account may not make roles, the process keeps its own rights and `custody doctor` says so.
-- +goose StatementBegin
do $$
begin
  begin
    create role custody_app nologin;
  exception
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then
      raise notice 'may not create the role custody_app';
      return;
  end;
  begin
    execute format('grant custody_app to %I', current_user);
  exception when others then
    raise notice 'may not grant the role custody_app: %', sqlerrm;
  end;
  grant usage on schema custody to custody_app;
  grant select on all tables in schema custody to custody_app;
  grant insert on custody.key, custody.log, custody.subject, custody.definition, custody.workflow, custody.run,
    custody.mandate, custody.idempotency, custody.revocation, custody.approval, custody.vote, custody.entry,
    custody.control, custody.payload, custody.process to custody_app;
  grant update (state, epoch, version, holder, nudged, steps, seq, head, at_us, due_us, cancel_us, closed_us, reason)
    on custody.run to custody_app;
  grant update (digest, version) on custody.workflow to custody_app;
  grant update (state, used_us) on custody.approval to custody_app;
  grant update (seq, head) on custody.control to custody_app;
  grant update (at) on custody.process to custody_app;
  grant delete on custody.idempotency, custody.process, custody.revocation to custody_app;
end $$;
-- +goose StatementEnd
