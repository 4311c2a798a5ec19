import { interval } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';

export type RetentionStore = ReturnType<typeof createRetention>;

/**
 * Removes what has passed its retention time, with a statement for each kind. Ages are in ms, by
 * the database's clock; each call takes at most `limit` rows, the oldest first, and returns how
 * many.
 */
export function createRetention(orm: Orm) {
  const run =
    (sql: string) =>
    async (ageMs: number, limit: number): Promise<number> => {
      const em = orm.em.fork();
      const result = await em.execute<{ affectedRows: number }>(sql, { ageMs, limit }, 'run');
      return result.affectedRows;
    };
  return {
    /** Results that the console keeps for minutes: few, and not counted. */
    async removeConsoleResults(): Promise<void> {
      await orm.em
        .fork()
        .execute('delete from events.console_results where expires_at <= events.clock()');
    },
    /** Attempts; those of open occurrences are all kept. */
    removeAttempts: run(`delete from events.attempts where ${ATTEMPTS}`),
    /** Responses of receivers: they are for people, and may quote what was sent. */
    eraseResponseExcerpts: run(
      `update events.attempts set response_excerpt = null where ${EXCERPTS}`,
    ),
    /** Outbox events that are done. */
    removeDoneEvents: run(
      `delete from users.outbox where ${oldest('users.outbox', 'done_at', 'done_at is not null')}`,
    ),
    /**
     * Settled occurrences before a day (`YYYY-MM-DD`), with their attempts. Those that may fall due
     * again are kept: a key that names a year until that year is over, any other until its nominal
     * date has passed.
     */
    async removeOccurrences(beforeDate: string, limit: number): Promise<number> {
      let removed = 0;
      for (const sql of [REMOVE_OF_DAYS, REMOVE_OF_YEARS]) {
        const em = orm.em.fork();
        const rows = await em.execute<object[]>(sql, { beforeDate, limit: limit - removed });
        removed += rows.length;
      }
      return removed;
    },
    removeOperatorLog: run(
      `delete from events.operator_log where ${oldest('events.operator_log', 'at')}`,
    ),
    removeIdempotencyKeys: run(
      `delete from users.idempotency_keys where ${oldest('users.idempotency_keys', 'created_at')}`,
    ),
  };
}

/**
 * Locked rows are in use, and are left for another time. The clock is read once, by a select of its
 * own: otherwise it could not be used to search an index.
 */
function oldest(table: string, age: string, only = 'true'): string {
  const [schema] = table.split('.');
  return `ctid in (
    select ctid from ${table}
    where ${age} < (select ${schema}.clock() - ${interval(':ageMs')}) and ${only}
    order by ${age} limit :limit::int
    for update skip locked)`;
}

const ATTEMPTS = oldest(
  'events.attempts',
  'started_at',
  `not exists (select from events.occurrences as o
     where o.key = occurrence_key and o.state = 'PENDING')`,
);

const EXCERPTS = oldest('events.attempts', 'started_at', 'response_excerpt is not null');

/**
 * In any zone, nothing falls due further from its nominal date, less the offset, than a few days.
 */
const REACH = '5';

const OVER = `to_char(:beforeDate::date - ${REACH}, 'YYYY-MM-DD')`;

const removeOccurrences = (condition: string): string => `
  with removed as materialized (
    select key from events.occurrences as o
    where ${condition} and o.local_date < :beforeDate::date
      and o.state in ('COMPLETED', 'FAILED', 'SKIPPED') and o.followed
    order by o.due_at limit :limit::int
    for update skip locked
  ), attempts as (
    delete from events.attempts where occurrence_key in (select key from removed)
  )
  delete from events.occurrences where key in (select key from removed)
  returning key`;

/** By the index of occurrences whose keys name a day. */
export const REMOVE_OF_DAYS = removeOccurrences(`
  o.recurrence not in ('birthday', 'yearly') and o.nominal_date < ${OVER}
  and o.due_at < :beforeDate::date::timestamp at time zone 'UTC' + interval '1 day'`);

/**
 * Occurrences whose keys name a year, up to its end: so the birthdays of an unfinished year are not
 * read again and again.
 */
export const REMOVE_OF_YEARS = removeOccurrences(`
  o.recurrence in ('birthday', 'yearly') and o.nominal_date < left(${OVER}, 4)
  and o.due_at < (left(${OVER}, 4) || '-01-01')::timestamp at time zone 'UTC'
    + ${REACH} * interval '1 day'`);
