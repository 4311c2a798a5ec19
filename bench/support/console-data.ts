/**
 * The data of a console in a large installation, planted set-based: a million users take minutes.
 */
import pg from 'pg';

export interface ConsoleDataOptions {
  readonly users: number;
  /** How many users have their birthday today, as a placeholder date would cause. */
  readonly dueToday: number;
  /** Reminders that FAILED in the last four weeks. */
  readonly failed: number;
  /** Entries of the operator log. */
  readonly logged: number;
}

/**
 * Everyone is planned; every fourth user, and all who were due in the last days, keep their last
 * occurrence.
 */
export async function plantConsoleData(
  databaseUrl: string,
  { users, dueToday, failed, logged }: ConsoleDataOptions,
): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    // Indexes are created after the rows, and foreign keys are not checked meanwhile.
    await client.query(
      `set session_replication_role = replica; set maintenance_work_mem = '256MB'`,
    );
    await client.query("alter system set max_wal_size = '16GB'");
    await client.query('select pg_reload_conf()');
    const { rows: indexes } = await client.query<Record<'drop' | 'create', string>>(INDEXES);
    for (const index of indexes) await client.query(index.drop);
    await client.query(USERS, [users, dueToday]);
    await client.query('analyze users.users');
    await client.query(HISTORY);
    await client.query(BIRTHDAYS, [SETTLED_OF]);
    await client.query(REMINDERS, [failed]);
    await client.query(FAILED);
    await client.query(ATTEMPTS);
    await client.query(OPERATOR_LOG, [logged]);
    for (const index of indexes) await client.query(index.create);
    await client.query('vacuum analyze');
  } finally {
    await client.end();
  }
}

const SETTLED_OF = 4;

const INDEXES = `
  select indexdef as create, format('drop index %I.%I', schemaname, indexname) as drop
  from pg_indexes
  where schemaname in ('users', 'events') and indexdef not like 'CREATE UNIQUE INDEX%'`;

/** Names as varied as a country's, and zones on which PostgreSQL's tz data and Daybell's agree. */
const USERS = `
  with names as (
    select array['Ada', 'Björn', 'Chen', 'Dana', 'Emeka', 'Fatima', 'Grace', 'Hiro', 'Ines', 'José',
      'Kim', 'Lena', 'Mia', 'Nils', 'Olga', 'Priya', 'Quinn', 'Rosa', 'Sven', 'Tariq'] as first,
      array['al', 'ber', 'cor', 'dal', 'els', 'fer', 'gar', 'hol', 'iva', 'jan', 'kow', 'lin', 'mar',
        'nov', 'ols', 'per', 'ros', 'smi', 'tor', 'win'] as syllable,
      array['Europe/Berlin', 'Asia/Tokyo', 'America/New_York', 'Asia/Kolkata', 'UTC', 'Europe/Paris',
        'America/Chicago', 'Asia/Manila', 'Africa/Lagos', 'America/Sao_Paulo', 'Australia/Perth',
        'Asia/Dubai'] as zone
  )
  insert into users.users (id, external_id, first_name, last_name, date_of_birth, timezone, revision,
    created_at, updated_at, inputs_changed_at)
  select gen_random_uuid(), 'crm-' || n, first[1 + n % 20],
    initcap(syllable[1 + n / 20 % 20] || syllable[1 + n / 400 % 20] || syllable[1 + n / 8000 % 20]),
    case when n <= $2 then make_date(1950 + n % 60,
        extract(month from current_date)::int, extract(day from current_date)::int)
      else date '1950-01-01' + (n::bigint * 7919 % 21914)::int end,
    zone[1 + n % 12], 1, at, at, at
  from names, generate_series(1, $1::int) as n,
    lateral (select now() - interval '800 days' as at) as created`;

const HISTORY = `
  insert into users.history (user_id, date_of_birth, timezone, valid_from)
  select id, date_of_birth, timezone, created_at from users.users`;

const INPUTS = `occasion_type, occasion_id, user_id, recurrence, date, timezone, nominal_date,
  local_time, leap_day_policy, tz_version, inputs_at, local_date, due_at, planned_at`;

const BIRTHDAYS = `
  with days as (
    select u.*, is_to_come, day, due_at
    from (select *, extract(year from current_date)::int - extract(year from date_of_birth)::int
        as years from users.users) as u,
      lateral (select ((date_of_birth + make_interval(years => years))::date + time '09:00')
        at time zone timezone <= now() as has_passed) as this_year,
      (values (true), (false)) as which (is_to_come),
      lateral (select (date_of_birth + make_interval(
        years => years + has_passed::int - (not is_to_come)::int))::date as day) as d,
      lateral (select (day + time '09:00') at time zone timezone as due_at) as f
  )
  insert into events.occurrences (key, ${INPUTS}, state, next_attempt_at, attempts,
    first_attempt_at, settled_at, delivered_at, lateness_ms, followed)
  select 'birthday:' || id || ':' || extract(year from day), 'birthday', id, id, 'birthday',
    date_of_birth, timezone, day::text, '09:00', 'feb28', '2026c', created_at, day, due_at,
    due_at - interval '300 days', case when is_to_come then 'PENDING' else 'COMPLETED' end,
    case when is_to_come then due_at end, (not is_to_come)::int, sent_at, sent_at, sent_at, late_ms,
    not is_to_come
  from days,
    lateral (select case when not is_to_come then 20 + (hashtext(id::text) & 2047) end
      as late_ms) as l,
    lateral (select due_at + late_ms * interval '1 millisecond' as sent_at) as s
  where is_to_come or due_at > now() - interval '3 days' or hashtext(external_id) % $1 = 0`;

const REMINDERS = `
  insert into users.occasions (id, user_id, type, external_id, date, recurrence, revision,
    created_at, updated_at, inputs_changed_at)
  select gen_random_uuid(), id, 'reminder', 'r-' || n, current_date - 1 - (n % 28)::int, 'once', 1,
    created_at, created_at, created_at
  from (select *, row_number() over () as n from users.users limit $1::int) as numbered`;

const FAILED = `
  insert into events.occurrences (key, ${INPUTS}, state, reason, attempts, first_attempt_at,
    settled_at, followed)
  select 'reminder:' || id || ':' || date, type, id, user_id, recurrence, date, timezone,
    date::text, '09:00', 'feb28', '2026c', created_at, date, due_at, due_at - interval '300 days',
    'FAILED', (array['refused', 'gave_up'])[1 + (hashtext(external_id) & 1)], 3, due_at,
    due_at + interval '8 hours', true
  from (select o.id, type, user_id, recurrence, date, u.timezone, o.external_id, o.created_at
      from users.occasions as o join users.users as u on u.id = user_id) as reminders,
    lateral (select (date + time '09:00') at time zone timezone as due_at) as f`;

/** Three for each FAILED one; the last of them has the reason. */
const ATTEMPTS = `
  insert into events.attempts (occurrence_key, number, lease_token, sent_by, started_at,
    duration_ms, outcome, status, error_code)
  select key, number, number, 'dispatcher', first_attempt_at + (number - 1) * interval '4 hours', 40,
    case when state = 'COMPLETED' then 'delivered' when reason = 'refused' then 'refused'
      else 'retry' end,
    case when state = 'COMPLETED' then 200 when reason = 'refused' then 400
      when user_id::text < '8' then 503 end,
    case when state = 'FAILED' and reason <> 'refused' and user_id::text >= '8' then 'ETIMEDOUT' end
  from events.occurrences, generate_series(1, attempts) as number`;

const OPERATOR_LOG = `
  insert into events.operator_log (at, actor, via, action, subject, detail, outcome)
  select now() - n * interval '10 minutes', 'operator-' || n % 5, 'console', 'redeliverOccurrence',
    key, '{}', 202
  from (select key, row_number() over () as n from events.occurrences where state = 'FAILED'
    limit $1::int) as failed`;
