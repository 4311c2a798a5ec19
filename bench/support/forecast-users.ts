import type { Orm } from '../../src/platform/database/orm.ts';

/** Parameter: how many users. */
const LOAD_USERS = `
  with zones as (
    select array_agg(name) as names from (
      select name from pg_timezone_names where name ~ '^(America|Asia|Europe)/[A-Z][a-z]+$'
      order by name limit 40) as first
  )
  insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
    created_at, updated_at, inputs_changed_at)
  select gen_random_uuid(), 'Ada', 'Lovelace',
    case when n % 4 = 0 then date '1990-01-01'
      else date '1950-01-01' + (random() * 21914)::int end,
    names[1 + n % 40], 1, now(), now(), now()
  from zones, generate_series(1, ?::int) as n`;

/** The next birthday of nine in ten, to the day: nothing else of a plan is read. */
const LOAD_PLANS = `
  insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date, state,
    recurrence, date, timezone, local_time, leap_day_policy, tz_version, inputs_at, local_date, due_at,
    planned_at, next_attempt_at)
  select 'birthday:' || id || ':' || extract(year from day), 'birthday', id, id,
    day::text, 'PENDING', 'birthday', date_of_birth, timezone, '09:00', 'feb28', '2026c', now(), day,
    (day + time '09:00') at time zone timezone, now(),
    (day + time '09:00') at time zone timezone
  from users.users, lateral (
    select case when passed then next else this end as day
    from (select this, next, this <= current_date as passed from (
      select (date_of_birth + make_interval(years => y - b))::date as this,
        (date_of_birth + make_interval(years => y + 1 - b))::date as next
      from (select extract(year from date_of_birth)::int as b,
        extract(year from current_date)::int as y) as years) as days) as dated) as due
  where ('x' || right(id::text, 4))::bit(16)::int % 10 <> 0`;

/** Users and their plans, created by the database itself, since only reading is measured. */
export async function loadForecastUsers(orm: Orm, users: number): Promise<void> {
  const em = orm.em.fork();
  await em.execute(LOAD_USERS, [users]);
  await em.execute(LOAD_PLANS);
  await em.execute('vacuum analyze users.users, events.occurrences');
}
