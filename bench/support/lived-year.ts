/**
 * A year in the lives of very many users, as the resulting history, plans and deliveries: for
 * benches that only read.
 */
import pg from 'pg';

export interface LivedYearOptions {
  readonly users: number;
  /** The year in which everyone was greeted. */
  readonly year: number;
  /**
   * One in this many users was born on 1 January, which address books write for an unknown date.
   */
  readonly placeholderOf: number;
}

/**
 * Set-based, so that a million take minutes. With zones on which PostgreSQL's tz data and Daybell's
 * agree.
 */
export async function plantLivedYear(
  databaseUrl: string,
  options: LivedYearOptions,
): Promise<void> {
  const { users, year, placeholderOf } = options;
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(
      `insert into users.history (user_id, date_of_birth, timezone, valid_from)
       select gen_random_uuid(),
         case when n % $2 = 0 then date '1980-01-01' else date '1980-03-01' + n % 365 end,
         (array[${ZONES.map((zone) => `'${zone}'`).join(', ')}])[1 + n % ${ZONES.length}],
         make_timestamptz($3 - 1, 1, 1, 0, 0, 0)
       from generate_series(1, $1::int) as n`,
      [users, placeholderOf, year],
    );
    await client.query(SENT, [year]);
    await client.query(ATTEMPTED);
    await client.query('analyze users.history, events.occurrences, events.attempts');
  } finally {
    await client.end();
  }
}

const ZONES = ['Europe/Berlin', 'Asia/Tokyo', 'America/New_York', 'Asia/Kolkata', 'UTC'];

const SENT = `
  insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date, state,
    recurrence, date, timezone, local_time, leap_day_policy, tz_version, inputs_at, local_date, due_at,
    planned_at, attempts, first_attempt_at, settled_at, delivered_at, lateness_ms, followed)
  select 'birthday:' || user_id || ':' || $1, 'birthday', user_id, user_id, day::text, 'COMPLETED',
    'birthday', date_of_birth, timezone, '09:00', 'feb28', '2026c', valid_from, day, due_at,
    due_at - interval '300 days', 1, due_at, due_at + interval '40 ms',
    due_at + interval '40 ms', 40, true
  from users.history,
    lateral (select make_date($1, extract(month from date_of_birth)::int,
      extract(day from date_of_birth)::int) as day) as d,
    lateral (select (day + time '09:00') at time zone timezone as due_at) as f`;

const ATTEMPTED = `
  insert into events.attempts (occurrence_key, number, lease_token, sent_by, started_at,
    duration_ms, outcome, status)
  select key, 1, 1, 'dispatcher', due_at, 40, 'delivered', 200 from events.occurrences`;
