import type { PendingReport, ReportQueue } from '../events/ports.ts';
import { keysOf } from './delivery-ledger-sql.ts';
import type { Orm } from './orm.ts';

/** Outcomes that wait to be told to Temporal. Several reporters share it without meeting. */
export function createReportQueue(orm: Orm): ReportQueue {
  const query = <Row extends object>(sql: string, ...params: unknown[]): Promise<Row[]> =>
    orm.em.fork().execute<Row[]>(sql, params);

  return {
    async take(limit, holdMs) {
      const outcomes = await query<PendingReport>(TAKE, limit, holdMs);
      const rest = limit - outcomes.length;
      return rest === 0
        ? outcomes
        : [...outcomes, ...(await query<PendingReport>(TAKE_STALE, rest, holdMs))];
    },

    async markReported(reports) {
      const { outcomes, stale } = separate(reports);
      if (outcomes.length > 0) await query(MARK_REPORTED, batch(outcomes));
      if (stale.length > 0) await query(FORGET_STALE, batch(stale));
    },

    async postpone(reports, delayMs) {
      const { outcomes, stale } = separate(reports);
      if (outcomes.length > 0) await query(POSTPONE, batch(outcomes), delayMs);
      if (stale.length > 0) await query(POSTPONE_STALE, batch(stale), delayMs);
    },
  };
}

function separate(reports: readonly PendingReport[]) {
  return {
    outcomes: reports.filter(({ stale }) => !stale),
    stale: reports.filter(({ stale }) => stale),
  };
}

function batch(reports: readonly PendingReport[]): string {
  return JSON.stringify(
    reports.map(({ key, kind, taskToken }, place) => ({
      key,
      kind,
      place,
      token: Buffer.from(taskToken).toString('hex'),
    })),
  );
}

const UNTIL = `events.clock() + (?::float8 * interval '1 millisecond')`;

/** Parameters: limit, hold in ms. Those that waited longest go first: others may never pass. */
const TAKE = `
  with picked as materialized (
    select key, reporting_until as since from events.occurrences
    where report is not null and (reporting_until is null or reporting_until <= events.clock())
    order by reporting_until nulls first, key
    limit ?::int
    for update skip locked
  ), taken as (
    update events.occurrences as t
    set reporting_until = ${UNTIL}
    where t.key = any (${keysOf('picked')})
    returning t.key, t.task_token, t.report, t.retry_at, t.attempts
  )
  select taken.key, task_token as "taskToken", report as kind, false as stale,
    (extract(epoch from retry_at) * 1000)::float8 as "retryAt", attempts,
    last.status as "lastStatus", last.error_code as "lastErrorCode"
  from taken join picked using (key) left join lateral (
    select status, error_code from events.attempts
    where occurrence_key = taken.key order by number desc limit 1
  ) as last on true
  order by since nulls first, key`;

/**
 * Parameter: reports. The rows that still wait for this one, but for those that are locked,
 * which come up again when their hold is over: no wait, and so no deadlock.
 */
const SAME = `
  with same as materialized (
    select t.key, given.place
    from jsonb_to_recordset(?::jsonb) as given (key text, kind text, token text, place int)
    join events.occurrences as t on t.key = given.key
    where t.report = given.kind and t.task_token = decode(given.token, 'hex')
    for no key update of t skip locked
  )`;

/** Parameter: reports. */
const MARK_REPORTED = `${SAME}
  update events.occurrences as t
  set report = null, task_token = null, reporting_until = null
  from same where t.key = same.key`;

/** In the order that they have here: whoever was not reached now is reached before the others. */
const MOMENT = `moment as materialized (select ${UNTIL} as until)`;
const IN_ORDER = `until + place * interval '1 microsecond'`;

/** Parameters: reports, delay in ms. */
const POSTPONE = `${SAME}, ${MOMENT}
  update events.occurrences as t
  set reporting_until = ${IN_ORDER}
  from same, moment where t.key = same.key`;

/**
 * Parameters: limit, hold in ms. Tokens that no row waits with any more: their activities are
 * released, as those of rows that were taken back.
 */
const TAKE_STALE = `
  with picked as materialized (
    select task_token, reporting_until as since from events.stale_tokens
    where reporting_until is null or reporting_until <= events.clock()
    order by reporting_until nulls first
    limit ?::int
    for update skip locked
  ), taken as (
    update events.stale_tokens as t
    set reporting_until = ${UNTIL}
    from picked where t.task_token = picked.task_token
    returning t.occurrence_key, t.task_token, picked.since
  )
  select occurrence_key as key, task_token as "taskToken", 'released' as kind, true as stale,
    null::float8 as "retryAt", 0 as attempts, null::int as "lastStatus",
    null::text as "lastErrorCode"
  from taken order by since nulls first`;

/** Parameter: reports. Those that are locked come up again when their hold is over. */
const STALE = `
  with same as materialized (
    select t.task_token, given.place, t.dropped_at < events.clock() - interval '1 day' as hopeless
    from jsonb_to_recordset(?::jsonb) as given (token text, place int)
    join events.stale_tokens as t on t.task_token = decode(given.token, 'hex')
    for update of t skip locked
  )`;

/** Parameter: reports. */
const FORGET_STALE = `${STALE}
  delete from events.stale_tokens as t using same where t.task_token = same.task_token`;

/** Parameters: reports, delay in ms. After a day the activity's own time limit has closed it. */
const POSTPONE_STALE = `${STALE}, ${MOMENT}, forgotten as (
    delete from events.stale_tokens as t using same
    where t.task_token = same.task_token and hopeless
  )
  update events.stale_tokens as t
  set reporting_until = ${IN_ORDER}
  from same, moment where t.task_token = same.task_token and not hopeless`;
