import { interval } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';

export type RetentionStore = ReturnType<typeof createRetention>;

/**
 * Removes what is not kept for good, a statement each. Ages are in ms, by the database's clock;
 * each call takes at most `limit` rows, the oldest first, and returns how many.
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
    /** Attempts; of an occurrence that is open, all are kept. */
    removeAttempts: run(`delete from events.attempts where ${ATTEMPTS}`),
    /** What receivers answered: it is for people, and may quote what was sent. */
    eraseResponseExcerpts: run(
      `update events.attempts set response_excerpt = null where ${EXCERPTS}`,
    ),
    /** Outbox events that are done. */
    removeDoneEvents: run(
      `delete from users.outbox where ${oldest('users.outbox', 'done_at', 'done_at is not null')}`,
    ),
    removeIdempotencyKeys: run(
      `delete from users.idempotency_keys where ${oldest('users.idempotency_keys', 'created_at')}`,
    ),
  };
}

/**
 * What is locked is in use, and is left for another time. The clock is read once, by a select of
 * its own: else no index would be searched by it.
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
     where o.key = occurrence_key and o.state in ('PENDING', 'PROCESSING'))`,
);

const EXCERPTS = oldest('events.attempts', 'started_at', 'response_excerpt is not null');
