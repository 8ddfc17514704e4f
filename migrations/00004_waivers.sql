-- What lets a text pass that the prompt firewall would stop: releases of texts, and orders that it only observes.
-- A row is no permission: the process verifies the signed statement in it, and that the ledger tells of it.

-- +goose Up
create table custody.release (
  id uuid primary key,
  tenant text not null,
  texts text[] not null, -- keyed fingerprints, as in the statement
  run_id uuid, -- whose stopped texts they are; null: the text was handed in
  step text not null,
  by text not null,
  reason text not null,
  at_us bigint not null,
  until_us bigint not null,
  lifted_us bigint,
  body bytea not null, -- the signed statement
  key text not null,
  sig bytea not null,
  kek text, -- a text that was handed in, sealed under a key of its own; taken away when the release is lifted
  text_key bytea,
  payload uuid,
  cipher bytea
);
create index release_texts on custody.release using gin (texts) where lifted_us is null;
create index release_listed on custody.release (tenant, id desc);

create table custody.guard_mode (
  id uuid primary key,
  tenant text not null,
  mode text not null check (mode in ('enforce', 'observe')),
  by text not null,
  reason text not null,
  at_us bigint not null,
  until_us bigint not null,
  body bytea not null, -- the signed statement
  key text not null,
  sig bytea not null
);

-- Few entries are in it, and whoever uses a waiver looks for its own.
create index entry_waiver on custody.entry (tenant, action, at_us)
  where action in ('guard.released', 'guard.release_lifted', 'guard.mode_changed');

-- +goose StatementBegin
do $$
begin
  if exists (select from pg_roles where rolname = 'custody_app') then
    grant select, insert on custody.release, custody.guard_mode to custody_app;
    grant update (lifted_us, kek, text_key, payload, cipher) on custody.release to custody_app;
  end if;
end $$;
-- +goose StatementEnd
