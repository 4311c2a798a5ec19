import type { Outbox, OutboxEntry, OutboxResult } from '../users/outbox.ts';
import type { UserEvent } from '../users/ports.ts';
import type { Orm } from './orm.ts';

/** The outbox in PostgreSQL, by the database's clock. */
export function createOutbox(orm: Orm): Outbox {
  return {
    async claim(limit, leaseMs) {
      const rows = await orm.em.fork().execute<OutboxRecord[]>(CLAIM, [limit, leaseMs]);
      return rows.map(toEntry).toSorted(byId);
    },

    async settle(results) {
      if (results.length === 0) return;
      await orm.em.fork().execute(SETTLE, [JSON.stringify(results.map(toRecord))]);
    },
  };
}

interface OutboxRecord {
  readonly id: string;
  readonly type: string;
  readonly user_id: string;
  readonly revision: number;
  readonly changed: readonly string[];
  readonly attempts: number;
}

/**
 * A row that another relay has locked or claimed is skipped, and so are its user's later
 * revisions: the earlier one is still waiting.
 */
const CLAIM = `
  with free as (
    select id from users.outbox as candidate
    where relayed_at is null and set_aside_at is null
      and (claimed_until is null or claimed_until <= clock_timestamp())
      and (next_attempt_at is null or next_attempt_at <= clock_timestamp())
      and not exists (
        select from users.outbox as earlier
        where earlier.user_id = candidate.user_id and earlier.revision < candidate.revision
          and earlier.relayed_at is null and earlier.set_aside_at is null)
    order by id
    limit ?
    for update skip locked
  )
  update users.outbox as taken
  set claimed_until = clock_timestamp() + ?::float8 * interval '1 millisecond'
  from free
  where taken.id = free.id
  returning taken.id, taken.type, taken.user_id, taken.revision, taken.changed, taken.attempts`;

const SETTLE = `
  update users.outbox as entry
  set claimed_until = null,
    relayed_at = case result.kind when 'relayed' then clock_timestamp() end,
    set_aside_at = case result.kind when 'set-aside' then clock_timestamp() end,
    next_attempt_at = clock_timestamp() + result.delay_ms * interval '1 millisecond',
    attempts = entry.attempts + case when result.kind in ('postponed', 'set-aside') then 1 else 0 end,
    last_error = coalesce(result.error, entry.last_error)
  from jsonb_to_recordset(?::jsonb) as result (id bigint, kind text, delay_ms float8, error text)
  where entry.id = result.id and entry.relayed_at is null`;

function toEntry(row: OutboxRecord): OutboxEntry {
  const { user_id: userId, revision, changed } = row;
  return {
    id: row.id,
    failures: row.attempts,
    // Written from this very type by the User Context.
    event: { type: row.type, userId, revision, changed } as UserEvent,
  };
}

/** A bigint, which is a string here: ids are compared as numbers. */
function byId(left: OutboxEntry, right: OutboxEntry): number {
  return Number(BigInt(left.id) - BigInt(right.id));
}

function toRecord(result: OutboxResult): Record<string, unknown> {
  return {
    id: result.id,
    kind: result.kind,
    delay_ms: 'delayMs' in result ? result.delayMs : null,
    error: 'error' in result ? result.error.slice(0, 1_000) : null,
  };
}
