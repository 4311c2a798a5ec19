-- Creates Daybell's two roles, with the least rights that do, in the database that it is run in:
--
--   daybell_owner  creates and changes the schema: for `npm run migrate` alone
--   daybell_app    reads and writes rows: for every other process and command
--
-- Run it before the first migration, as a superuser, or as the database's owner with CREATEROLE. It is
-- safe to run again, and then changes the passwords:
--
--   PGOPTIONS="-c daybell.owner_password=… -c daybell.app_password=…" \
--     psql --set ON_ERROR_STOP=1 --file deploy/postgres/roles.sql postgresql://postgres@host/daybell

do $$
declare
  name text;
begin
  foreach name in array array['owner', 'app'] loop
    if to_regrole('daybell_' || name) is null then
      execute format('create role %I', 'daybell_' || name);
    end if;
    execute format('alter role %I login password %L',
      'daybell_' || name, current_setting('daybell.' || name || '_password'));
    execute format('grant connect on database %I to %I', current_database(), 'daybell_' || name);
  end loop;
  -- Its schemas are `users` and `events`; the table of migrations is in `public`.
  execute format('grant create on database %I to daybell_owner', current_database());
  execute format('revoke all on database %I from public', current_database());
  -- To set the owner's default privileges, which a superuser may anyway.
  if not (select rolsuper from pg_roles where rolname = current_user) then
    execute format('grant daybell_owner to %I', current_user);
  end if;
end $$;

revoke create on schema public from public;
grant usage, create on schema public to daybell_owner;
grant usage on schema public to daybell_app;

-- On what migrations create, whenever they run.
alter default privileges for role daybell_owner grant usage on schemas to daybell_app;
alter default privileges for role daybell_owner
  grant select, insert, update, delete on tables to daybell_app;
alter default privileges for role daybell_owner grant usage on sequences to daybell_app;
