import { interval } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';

export type RetentionStore = ReturnType<typeof createRetention>;

/**
 * Removes what is not kept for good, from both schemas, a statement each. Ages are in ms, by the
 * database's clock; each call takes at most `limit` rows, the oldest first, and gives how many.
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
    removeAttempts: run(REMOVE_ATTEMPTS),
    /** What receivers answered: it is for people, and may quote what was sent. */
    eraseResponseExcerpts: run(ERASE_EXCERPTS),
    /** Outbox events that are done. */
    removeDoneEvents: run(REMOVE_DONE_EVENTS),
    removeIdempotencyKeys: run(REMOVE_KEYS),
  };
}

// What is locked is in use, and is left for another time. The clock is read once, by a select of
// its own: else no index would be searched by it.

const before = (clock: string): string => `(select ${clock} - ${interval(':ageMs')})`;

const REMOVE_ATTEMPTS = `
  delete from events.attempts where ctid in (
    select a.ctid from events.attempts as a
    where a.started_at < ${before('events.clock()')} and not exists (
      select from events.occurrences as o
      where o.key = a.occurrence_key and o.state in ('PENDING', 'PROCESSING'))
    order by a.started_at limit :limit::int
    for update of a skip locked)`;

const ERASE_EXCERPTS = `
  update events.attempts set response_excerpt = null where ctid in (
    select ctid from events.attempts
    where response_excerpt is not null and started_at < ${before('events.clock()')}
    order by started_at limit :limit::int
    for update skip locked)`;

const REMOVE_DONE_EVENTS = `
  delete from users.outbox where ctid in (
    select ctid from users.outbox
    where done_at is not null and done_at < ${before('users.clock()')}
    order by done_at limit :limit::int
    for update skip locked)`;

const REMOVE_KEYS = `
  delete from users.idempotency_keys where ctid in (
    select ctid from users.idempotency_keys
    where created_at < ${before('users.clock()')}
    order by created_at limit :limit::int
    for update skip locked)`;
