#!/bin/bash
# Makes the accounts of docs/operations.md in a new PostgreSQL. The image of
# PostgreSQL runs it once, for an empty data directory. It reads OWNER_PASSWORD,
# PROCESS_PASSWORD and AUDITOR_PASSWORD.
set -euo pipefail
psql -X -q -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  -v owner="$OWNER_PASSWORD" -v process="$PROCESS_PASSWORD" -v auditor="$AUDITOR_PASSWORD" <<'SQL'
create role custody_app nologin;
create role custody_owner login createrole password :'owner';
create role custody_process login password :'process' in role custody_app;
create role custody_auditor login password :'auditor';
create database custody owner custody_owner encoding 'UTF8' template template0;
\connect custody
create schema custody authorization custody_owner;
grant usage on schema custody to custody_auditor;
alter default privileges for role custody_owner in schema custody grant select on tables to custody_auditor;
SQL
