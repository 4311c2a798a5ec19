import type { PendingReport, ReportQueue } from '../events/ports.ts';
import type { Orm } from './orm.ts';

/** Outcomes that wait to be told to Temporal. Several reporters share it without meeting. */
export function createReportQueue(orm: Orm): ReportQueue {
  const query = <Row extends object>(sql: string, ...params: unknown[]): Promise<Row[]> =>
    orm.em.fork().execute<Row[]>(sql, params);

  return {
    take: (limit, holdMs) => query<PendingReport>(TAKE, limit, holdMs),

    async markReported(reports) {
      if (reports.length > 0) await query(MARK_REPORTED, batch(reports));
    },

    async postpone(reports, delayMs) {
      if (reports.length > 0) await query(POSTPONE, batch(reports), delayMs);
    },
  };
}

function batch(reports: readonly PendingReport[]): string {
  return JSON.stringify(
    reports.map(({ key, kind, taskToken }) => ({
      key,
      kind,
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
    from picked where t.key = picked.key
    returning t.key, picked.since, t.task_token, t.report, t.retry_at, t.attempts
  )
  select taken.key, task_token as "taskToken", report as kind,
    (extract(epoch from retry_at) * 1000)::float8 as "retryAt", attempts,
    last.status as "lastStatus", last.error_code as "lastErrorCode"
  from taken left join lateral (
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
    select t.key
    from jsonb_to_recordset(?::jsonb) as given (key text, kind text, token text)
    join events.occurrences as t on t.key = given.key
    where t.report = given.kind and t.task_token = decode(given.token, 'hex')
    for no key update of t skip locked
  )`;

/** Parameter: reports. */
const MARK_REPORTED = `${SAME}
  update events.occurrences as t
  set report = null, task_token = null, reporting_until = null
  from same where t.key = same.key`;

/** Parameters: reports, delay in ms. */
const POSTPONE = `${SAME}
  update events.occurrences as t
  set reporting_until = ${UNTIL}
  from same where t.key = same.key`;
