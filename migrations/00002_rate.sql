-- How often somebody asks: store/rate.go says how it is counted and why so. And an index for lists of entries.

-- +goose Up

-- Lists of a whole tenant are in this order; at_us only grows, so inserts stay on the right edge. It also finds
-- times, which the BRIN did badly: one block range of it is 128 pages, and every list sorted all that it let through.
create index entry_listed on custody.entry (tenant, at_us, stream, seq);
drop index custody.entry_at;

-- Not logged: nothing of it is needed after a crash of PostgreSQL, which empties it, and so no request waits for a disk.
create unlogged table custody.rate (
  key bytea primary key check (length(key) = 32), -- digest of principal, agent and route
  ends bigint[] not null, -- of each second in which something was admitted its newest admission, oldest first
  counts int[] not null, -- and how many it admitted
  hit_us bigint not null default 0, -- when a refusal was last to be noted
  at_us bigint not null default 0, -- the newest admission
  check (cardinality(ends) = cardinality(counts))
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02); -- no index may name a column that an admission changes

-- admit decides one request: under the row's lock, with the database's clock read once the lock is held, so that no
-- two processes and no two requests see another order. span is the window in microseconds, now is for tests.
-- vacant is how long until a place is free again.
-- +goose StatementBegin
create function custody.admit(who bytea, quota int, span bigint, now bigint,
  out admitted boolean, out remaining int, out vacant bigint, out note boolean) language plpgsql as $$
declare
  e bigint[];
  c int[];
  hit bigint;
  alive int := 1; -- the oldest second that still counts
  used bigint := 0;
  n int;
begin
  loop
    select r.ends, r.counts, r.hit_us into e, c, hit from custody.rate r where r.key = who for update;
    exit when found;
    insert into custody.rate(key, ends, counts) values (who, '{}', '{}') on conflict do nothing;
  end loop;
  now := coalesce(now, (extract(epoch from clock_timestamp()) * 1000000)::bigint);
  n := cardinality(e);
  for i in 1..n loop
    if e[i] > now then
      e[i] := now; -- the clock was set back: what it admitted counts from now, so never too short
    end if;
    if e[i] <= now - span then
      alive := i + 1;
    else
      used := used + c[i];
    end if;
  end loop;
  admitted := used < quota;
  note := not admitted and (hit <= now - 60000000 or hit > now);
  if admitted then
    used := used + 1;
    if alive <= n and e[n] / 1000000 = now / 1000000 then
      e[n] := now;
      c[n] := c[n] + 1;
    else
      e := e || now;
      c := c || 1;
    end if;
    update custody.rate r set ends = e[alive:], counts = c[alive:], at_us = now where r.key = who;
  elsif note then
    update custody.rate r set hit_us = now where r.key = who;
  end if;
  remaining := greatest(quota - used, 0);
  for i in alive..cardinality(e) loop -- more than one second must pass if the quota was larger when they were admitted
    used := used - c[i];
    vacant := e[i] + span - now;
    exit when used < quota;
  end loop;
end $$;
-- +goose StatementEnd

-- +goose StatementBegin
do $$
begin
  if exists (select from pg_roles where rolname = 'custody_app') then
    grant select, insert, update, delete on custody.rate to custody_app;
  end if;
end $$;
-- +goose StatementEnd
