/** The outbox of the User Context: events on their way to the scheduler. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import type { Orm } from '../platform/database/orm.ts';
import type { UserEvent } from './events.ts';
import { INPUT_FIELDS } from './user.ts';

/** A claimed entry. It says "look at this user", or at this one occasion of it. */
export interface OutboxEntry {
  readonly id: string;
  /** Tells this claim from an earlier or later one. */
  readonly leaseToken: number;
  readonly type: UserEvent['type'];
  readonly userId: string;
  readonly revision: number;
  /** The one occasion that it is about; null, both: all that the user has. */
  readonly occasionType: string | null;
  readonly occasionId: string | null;
  /** Epoch ms. */
  readonly occurredAt: number;
  /** How often this entry itself has failed. */
  readonly failures: number;
  /** Of the request that made the change, when traces are on (W3C Trace Context). */
  readonly traceparent: string | null;
}

export type OutboxResult = Pick<OutboxEntry, 'id' | 'leaseToken'> &
  (
    | { readonly kind: 'done' }
    /** It has failed: waiting again after the delay, in ms. */
    | { readonly kind: 'failed'; readonly delayMs: number; readonly error: string }
    /** Waiting again from an instant on (epoch ms, the database's); null for at once. */
    | { readonly kind: 'deferred'; readonly until: number | null }
    /** Out of the way, for an operator. */
    | { readonly kind: 'parked'; readonly error: string }
  );

export type Outbox = ReturnType<typeof createOutbox>;

/** What the scheduler does with the outbox, by the database's clock. */
export function createOutbox(orm: Orm) {
  return {
    /**
     * Takes entries that wait for `leaseMs`, those that have waited longest first; after that
     * another scheduler may take them. What it costs does not depend on what is kept or waits.
     */
    claim: (limit: number, leaseMs: number) =>
      orm.em.fork().execute<OutboxEntry[]>(CLAIM, { limit, leaseMs }),

    /** What became of claimed entries; one that another has claimed since is left to it. */
    async acknowledge(results: readonly OutboxResult[]): Promise<void> {
      if (results.length === 0) return;
      const rows = JSON.stringify(results.map(storable));
      await orm.em.fork().execute(ACKNOWLEDGE, { rows });
    },
  };
}

export interface OutboxBacklog {
  /** Entries that wait; parked ones do not. */
  readonly length: number;
  /** Since the oldest of them happened, in ms; 0 when none waits. */
  readonly oldestAgeMs: number;
  readonly parked: number;
}

/** What is in the outbox at this moment, for metrics. */
export function createOutboxState(orm: Orm) {
  return {
    async backlog(): Promise<OutboxBacklog> {
      const [row] = await orm.em.fork().execute<OutboxBacklog[]>(BACKLOG);
      return row ?? { length: 0, oldestAgeMs: 0, parked: 0 };
    },
  };
}

/**
 * Writes an event in the transaction of the change. One that changes no plan (a name, an
 * external id) is kept as done: nothing claims it.
 */
export async function publish(
  em: SqlEntityManager,
  event: UserEvent,
  traceparent: string | null,
): Promise<void> {
  const changed = event.type === 'UserUpdated' ? event.changed : [];
  const { type, userId, revision } = event;
  const needsPlan = type !== 'UserUpdated' || INPUT_FIELDS.some((field) => changed.includes(field));
  const values = { type, userId, revision, needsPlan, traceparent };
  await em.execute(PUBLISH, { ...values, changed: JSON.stringify(changed) });
}

const PUBLISH = `
  with clock as materialized (select users.clock() as now)
  insert into users.outbox
    (type, user_id, revision, changed, occurred_at, available_at, done_at, traceparent)
  select :type::text, :userId::uuid, :revision::int,
    array(select jsonb_array_elements_text(:changed::jsonb)), now, now,
    case when not :needsPlan::boolean then now end, :traceparent::text
  from clock`;

/** The clock is read by a select of its own: else the index would not be searched by it. */
const CLAIM = `
  with free as (
    select id from users.outbox
    where done_at is null and parked_at is null and available_at <= (select users.clock())
    order by available_at, id
    limit :limit::int
    for update skip locked
  )
  update users.outbox as taken
  set available_at = users.clock() + :leaseMs::float8 * interval '1 millisecond',
    lease_token = taken.lease_token + 1
  where taken.id = any (array(select id from free))
  returning taken.id::text, taken.lease_token as "leaseToken", taken.type,
    taken.user_id as "userId", taken.revision, taken.occasion_type as "occasionType",
    taken.occasion_id as "occasionId", taken.attempts as failures, taken.traceparent,
    (extract(epoch from taken.occurred_at) * 1000)::float8 as "occurredAt"`;

/**
 * By id alone: a condition on what waits would have the database read all that does, which is
 * little as far as its statistics know.
 */
const ACKNOWLEDGE = `
  update users.outbox as entry
  set done_at = case result.kind when 'done' then users.clock() end,
    parked_at = case result.kind when 'parked' then users.clock() end,
    available_at = coalesce(to_timestamp(result.until / 1000), users.clock())
      + coalesce(result.delay_ms, 0) * interval '1 millisecond',
    attempts = entry.attempts + case when result.error is null then 0 else 1 end,
    last_error = coalesce(result.error, entry.last_error)
  from jsonb_to_recordset(:rows::jsonb)
    as result (id bigint, lease_token int, kind text, delay_ms float8, until float8, error text)
  where entry.id = result.id and entry.lease_token = result.lease_token`;

const BACKLOG = `
  select count(*)::int as length, coalesce(greatest(0,
      extract(epoch from users.clock() - min(occurred_at)) * 1000), 0)::float8 as "oldestAgeMs",
    (select count(*) from users.outbox where parked_at is not null)::int as parked
  from users.outbox
  where done_at is null and parked_at is null`;

function storable(result: OutboxResult) {
  const { id, leaseToken: lease_token, kind } = result;
  return {
    id,
    lease_token,
    kind,
    delay_ms: 'delayMs' in result ? result.delayMs : null,
    until: 'until' in result ? result.until : null,
    error: 'error' in result ? storableText(result.error) : null,
  };
}

/** PostgreSQL's JSON has neither half a character nor NUL, and would refuse the whole batch. */
function storableText(error: string): string {
  return error.slice(0, 1_000).toWellFormed().replaceAll('\0', ' ');
}
