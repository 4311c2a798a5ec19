import type { RedeliveryCursor, RedeliveryFilter } from '../domain/redelivery-messages.ts';
import type { ArmResult } from '../events/ports.ts';
import type { RedeliveryCandidate, RedeliveryLedger } from '../events/redelivery.ts';
import { every, occurrenceCondition, type SqlCondition } from './occurrence-filter-sql.ts';
import type { Orm } from './orm.ts';

/**
 * Redelivery on PostgreSQL. One of the few files that read both schemas: of a user it wants
 * to know only whether there is one.
 */
export function createRedeliveryLedger(orm: Orm): RedeliveryLedger {
  const query = <Row extends object>(sql: string, params: readonly unknown[]): Promise<Row[]> =>
    orm.em.fork().execute<Row[]>(sql, [...params]);

  return {
    async find(key) {
      const [row] = await query<RedeliveryCandidate>(FIND, [key]);
      return row ?? null;
    },

    async begin({ occurrenceKey, redeliveryId, force }, now) {
      const params = [now, redeliveryId, now, now, now, occurrenceKey, redeliveryId, force];
      return (await query(BEGIN, params)).length > 0;
    },

    async adopt(key, from, to) {
      return (await query(ADOPT, [to, key, from])).length > 0;
    },

    async awaitOutcome({ occurrenceKey, redeliveryId, taskToken, now }) {
      const token = Buffer.from(taskToken).toString('hex');
      const awaited = await query(AWAIT, [now, now, token, occurrenceKey, redeliveryId]);
      if (awaited.length > 0) return { kind: 'armed' };
      const [row] = await query<Settled>(FIND_SETTLED, [occurrenceKey, redeliveryId]);
      return row === undefined ? { kind: 'released' } : settledOf(row);
    },

    async count(filter) {
      const { sql, params } = matching(filter);
      const [row] = await query<{ count: number }>(
        `select count(*)::int as count from events.occurrences as o where ${sql}`,
        params,
      );
      return row?.count ?? 0;
    },

    async findPage({ filter, after, limit }) {
      const states = filter.state === null ? (['FAILED', 'SKIPPED'] as const) : [filter.state];
      // A state has its index in this order; two of them together have none.
      const pages = states.map((state) => page({ ...filter, state }, after, limit));
      return query<RedeliveryCursor>(
        `select * from (${pages.map(({ sql }) => `(${sql})`).join(' union all ')}) as pages
         order by "fireAt", key limit ?`,
        [...pages.flatMap(({ params }) => params), limit],
      );
    },
  };
}

const INSTANT = 'to_timestamp(?::float8 / 1000)';
const FIRE_AT = `(extract(epoch from fire_at) * 1000)::float8 as "fireAt"`;
const USER_EXISTS = 'exists (select from users.users where id = o.user_id)';

function page(
  filter: RedeliveryFilter,
  after: RedeliveryCursor | null,
  limit: number,
): SqlCondition {
  const { sql, params } = every([
    matching(filter),
    after !== null && {
      sql: `(o.fire_at, o.key) > (${INSTANT}, ?)`,
      params: [after.fireAt, after.key],
    },
  ]);
  return {
    sql: `select o.key, ${FIRE_AT} from events.occurrences as o where ${sql}
      order by o.fire_at, o.key limit ?`,
    params: [...params, limit],
  };
}

function matching(filter: RedeliveryFilter): SqlCondition {
  const { reason, settledBy, ...others } = filter;
  return every([
    occurrenceCondition({ ...others, late: null, blocked: null }, { lateAfterMs: 0 }),
    filter.state === null && { sql: `o.state in ('FAILED', 'SKIPPED')`, params: [] },
    reason !== null && { sql: 'o.reason = ?', params: [reason] },
    { sql: `o.settled_at <= ${INSTANT}`, params: [settledBy] },
    { sql: `o.fire_at is not null and o.blocked_reason is null and ${USER_EXISTS}`, params: [] },
  ]);
}

/** Parameter: key. */
const FIND = `
  select key, state, case when blocked_reason is null then
      (extract(epoch from fire_at) * 1000)::float8 end as "fireAt",
    redelivery_id as "redeliveryId", ${USER_EXISTS} as "userExists"
  from events.occurrences as o where key = ?`;

/**
 * Parameters: now, redelivery, now three times, key, redelivery, force. What came of the row
 * before has to have been told (no report is left): its token would be lost. Due now by
 * the clock that is further behind, and never before its instant.
 */
const BEGIN = `
  update events.occurrences as o
  set state = 'PROCESSING', lane = 1, armed_at = ${INSTANT},
    redelivery_id = ?, redeliveries = redeliveries + 1, redelivered_at = ${INSTANT},
    forced_at = case when state = 'COMPLETED' then ${INSTANT} else forced_at end,
    earlier_attempts = attempts, armed_attempts = 0, first_attempt_at = null, retry_at = null,
    next_attempt_at = greatest(fire_at, least(${INSTANT}, events.clock())), sending_until = null,
    reason = null, settled_at = null, task_token = null
  where key = ? and redelivery_id is distinct from ?
    and (state in ('FAILED', 'SKIPPED') or (state = 'COMPLETED' and ?::boolean))
    and report is null and fire_at is not null and blocked_reason is null and ${USER_EXISTS}
  returning key`;

/** Parameters: redelivery, key, the one before. */
const ADOPT = `
  update events.occurrences set redelivery_id = ?
  where key = ? and redelivery_id = ? and state = 'PROCESSING'
  returning key`;

/**
 * Parameters: now, now, token in hex, key, redelivery. A row that is on the wire or waits for
 * its instant goes on as it is. One that the ledger has no more retries for, since they were
 * Temporal's turn, begins a new burst, no sooner than it was to.
 */
const AWAIT = `
  update events.occurrences
  set next_attempt_at = coalesce(next_attempt_at,
      greatest(fire_at, retry_at, least(${INSTANT}, events.clock()))),
    armed_attempts = case when next_attempt_at is null then 0 else armed_attempts end,
    armed_at = ${INSTANT}, task_token = decode(?, 'hex'), report = null, reporting_until = null
  where key = ? and redelivery_id = ? and state = 'PROCESSING'
  returning key`;

interface Settled {
  readonly state: string;
  readonly reason: string | null;
}

/** Parameters: key, redelivery. */
const FIND_SETTLED = `
  select state, reason from events.occurrences where key = ? and redelivery_id = ?`;

/** A row that had been delivered is COMPLETED again; a reason says why it was not another time. */
function settledOf({ state, reason }: Settled): ArmResult {
  if (state === 'SKIPPED' || reason === 'user_deleted') {
    return { kind: 'settled', outcome: 'skipped' };
  }
  if (state === 'COMPLETED' && reason === null) return { kind: 'settled', outcome: 'delivered' };
  return { kind: 'settled', outcome: 'failed' };
}
