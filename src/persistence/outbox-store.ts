import type { UserEvent } from '../users/events.ts';
import type {
  Outbox,
  OutboxBacklog,
  OutboxEntry,
  OutboxResult,
  OutboxState,
} from '../users/outbox.ts';
import type { Orm } from './orm.ts';

/** The outbox in PostgreSQL, by the database's clock. */
export function createOutbox(orm: Orm): Outbox {
  return {
    async subscribe(subscriber) {
      await orm.em.fork().execute(SUBSCRIBE, [subscriber]);
    },

    async claim(subscriber, limit, leaseMs) {
      const params = [subscriber, limit, leaseMs];
      const rows = await orm.em.fork().execute<OutboxRecord[]>(CLAIM, params);
      return rows.map(toEntry).toSorted(byId);
    },

    async settle(results) {
      if (results.length === 0) return;
      await orm.em.fork().execute(SETTLE, [JSON.stringify(results.map(toRecord))]);
    },
  };
}

/** What waits in the outbox, by the partial indexes of what waits and of what is set aside. */
export function createOutboxState(orm: Orm): OutboxState {
  return {
    async backlog() {
      const [row] = await orm.em.fork().execute<OutboxBacklog[]>(BACKLOG);
      return row ?? { length: 0, oldestAgeMs: 0, setAside: 0 };
    },
  };
}

interface OutboxRecord {
  readonly id: string;
  readonly lease: string;
  readonly type: string;
  readonly user_id: string;
  readonly revision: number;
  readonly changed: readonly string[];
  readonly occurred_at: number;
  readonly attempts: number;
  readonly traceparent: string | null;
}

const SUBSCRIBE = 'insert into users.subscribers (name) values (?) on conflict do nothing';

/**
 * Parameters: subscriber, limit, lease in ms. A row that another relay has locked or claimed
 * is skipped, and so are its user's later revisions: the earlier one is still waiting.
 *
 * That is asked row by row, in words that no partial index answers, so that the one by user does. An
 * outbox is nearly empty until Temporal is away; a planner that still thinks so would take the
 * index of all that wait for as good, and read all of them for each.
 */
const CLAIM = `
  with free as (
    select id from users.outbox as candidate
    where subscriber = ? and relayed_at is null and set_aside_at is null
      and (claimed_until is null or claimed_until <= clock_timestamp())
      and (next_attempt_at is null or next_attempt_at <= clock_timestamp())
      and revision = (
        select min(earlier.revision) from users.outbox as earlier
        where earlier.user_id = candidate.user_id and earlier.subscriber = candidate.subscriber
          and coalesce(earlier.relayed_at, earlier.set_aside_at) is null)
    order by id
    limit ?
    for update skip locked
  )
  update users.outbox as taken
  set claimed_until = clock_timestamp() + ?::float8 * interval '1 millisecond'
  from free
  where taken.id = free.id
  returning taken.id, extract(epoch from taken.claimed_until)::text as lease, taken.type,
    taken.user_id, taken.revision, taken.changed, taken.attempts, taken.traceparent,
    (extract(epoch from taken.occurred_at) * 1000)::float8 as occurred_at`;

/** The lease is the end of the claim, to the microsecond: another claim has another. */
const SETTLE = `
  update users.outbox as entry
  set claimed_until = null,
    relayed_at = case result.kind when 'relayed' then clock_timestamp() end,
    set_aside_at = case result.kind when 'set-aside' then clock_timestamp() end,
    next_attempt_at = clock_timestamp() + result.delay_ms * interval '1 millisecond',
    attempts = entry.attempts + case when result.kind in ('postponed', 'set-aside') then 1 else 0 end,
    last_error = coalesce(result.error, entry.last_error)
  from jsonb_to_recordset(?::jsonb)
    as result (id bigint, lease numeric, kind text, delay_ms float8, error text)
  where entry.id = result.id and extract(epoch from entry.claimed_until) = result.lease`;

const BACKLOG = `
  select count(*)::int as length, coalesce(greatest(0,
      extract(epoch from clock_timestamp() - min(occurred_at)) * 1000), 0)::float8 as "oldestAgeMs",
    (select count(*) from users.outbox where set_aside_at is not null)::int as "setAside"
  from users.outbox
  where relayed_at is null and set_aside_at is null`;

function toEntry(row: OutboxRecord): OutboxEntry {
  const { id, lease, type, user_id: userId, revision, changed, occurred_at: occurredAt } = row;
  const { traceparent } = row;
  const about = { userId, revision, occurredAt, ...(traceparent !== null && { traceparent }) };
  return {
    id,
    lease,
    failures: row.attempts,
    // Written from this very type by the User Context.
    event: { type, ...about, ...(type === 'UserUpdated' && { changed }) } as UserEvent,
  };
}

/** A bigint, which is a string here: ids are compared as numbers. */
function byId(left: OutboxEntry, right: OutboxEntry): number {
  return Number(BigInt(left.id) - BigInt(right.id));
}

function toRecord(result: OutboxResult): Record<string, unknown> {
  return {
    id: result.id,
    lease: result.lease,
    kind: result.kind,
    delay_ms: 'delayMs' in result ? result.delayMs : null,
    error: 'error' in result ? storable(result.error) : null,
  };
}

/** PostgreSQL's JSON has neither half a character nor NUL, and would refuse all that is settled with it. */
function storable(error: string): string {
  return error.slice(0, 1_000).toWellFormed().replaceAll('\0', ' ');
}
