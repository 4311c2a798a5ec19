import type { LedgerRetention } from '../events/retention.ts';
import type { UserRetention } from '../users/retention.ts';
import type { Orm } from './orm.ts';

/** Retention in both contexts on PostgreSQL: a statement each, which knows one of them. */
export function createRetention(orm: Orm): LedgerRetention & UserRetention {
  return {
    removeAttempts: (olderThanMs, limit) => run(orm, REMOVE_ATTEMPTS, olderThanMs, limit),
    eraseResponseExcerpts: (olderThanMs, limit) => run(orm, ERASE_EXCERPTS, olderThanMs, limit),
    removeRelayed: (olderThanMs, limit) => run(orm, REMOVE_RELAYED, olderThanMs, limit),
    removeIdempotencyKeys: (olderThanMs, limit) => run(orm, REMOVE_KEYS, olderThanMs, limit),
  };
}

async function run(orm: Orm, sql: string, ageMs: number, limit: number): Promise<number> {
  const em = orm.em.fork();
  return (await em.execute<{ affectedRows: number }>(sql, [ageMs, limit], 'run')).affectedRows;
}

// All parameters: age in ms, limit. What is locked is somebody's: it is left for another time.
// The clock is read once, by a select of its own: else no index would be searched by it.

const before = (clock: string): string =>
  `(select ${clock} - ?::float8 * interval '1 millisecond')`;

/** The reporter reads the last attempt of a row that it has not reported. */
const REMOVE_ATTEMPTS = `
  delete from events.attempts where ctid in (
    select a.ctid from events.attempts as a
    where a.started_at < ${before('events.clock()')} and not exists (
      select from events.occurrences as o
      where o.key = a.occurrence_key
        and (o.state in ('PENDING', 'PROCESSING') or o.report is not null))
    order by a.started_at limit ?
    for update of a skip locked)`;

const ERASE_EXCERPTS = `
  update events.attempts set response_excerpt = null where ctid in (
    select ctid from events.attempts
    where response_excerpt is not null and started_at < ${before('events.clock()')}
    order by started_at limit ?
    for update skip locked)`;

/** The relay looks only at rows that wait, and a user's next revision is always a higher one. */
const REMOVE_RELAYED = `
  delete from users.outbox where ctid in (
    select ctid from users.outbox
    where relayed_at is not null and relayed_at < ${before('clock_timestamp()')}
    order by relayed_at limit ?
    for update skip locked)`;

const REMOVE_KEYS = `
  delete from users.idempotency_keys where ctid in (
    select ctid from users.idempotency_keys
    where created_at < ${before('clock_timestamp()')}
    order by created_at limit ?
    for update skip locked)`;
