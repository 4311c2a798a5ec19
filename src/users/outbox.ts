/** The outbox of the User Context: events on their way to the scheduler. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import type { Orm } from '../platform/database/orm.ts';

/**
 * A change of a user or of one of its occasions, written to the outbox in the transaction of the
 * change. Ids and names of fields only, no values: consumers read the current state.
 */
export interface UserEvent {
  readonly type:
    | `User${'Created' | 'Updated' | 'Deleted'}`
    | `Occasion${'Created' | 'Updated' | 'Deleted'}`;
  readonly userId: string;
  /** The occasion concerned; absent: all of the user's. */
  readonly occasion?: { readonly type: string; readonly id: string };
  /** The revision of the user, or of the occasion, after this event: one more with each. */
  readonly revision: number;
  /** Names of the changed fields, if it was updated. */
  readonly changed?: readonly string[];
  /**
   * Whether a schedule input has changed. If not, there is nothing to plan, and the event is stored
   * as done.
   */
  readonly needsPlan: boolean;
}

/** A claimed entry: plan this user again, or one occasion of it. */
export interface OutboxEntry {
  readonly id: string;
  /** Distinguishes this claim from earlier and later ones. */
  readonly leaseToken: number;
  readonly type: UserEvent['type'];
  readonly userId: string;
  readonly revision: number;
  /** The occasion concerned; both null for all of the user's. */
  readonly occasionType: string | null;
  readonly occasionId: string | null;
  /** Epoch ms. */
  readonly occurredAt: number;
  /** How often this entry itself has failed. */
  readonly failures: number;
  /** The trace of the request that made the change, if traces are on (W3C Trace Context). */
  readonly traceparent: string | null;
}

export type OutboxResult = Pick<OutboxEntry, 'id' | 'leaseToken'> &
  (
    | { readonly kind: 'done' }
    /** To be tried again after a delay, in ms. */
    | { readonly kind: 'failed'; readonly delayMs: number; readonly error: string }
    /** Until an instant (epoch ms, by the database's clock), or seconds from now: it may end sooner. Null for at once. */
    | { readonly kind: 'deferred'; readonly until: number | null }
    /** Left for an operator. */
    | { readonly kind: 'parked'; readonly error: string }
  );

export type Outbox = ReturnType<typeof createOutbox>;

/** The scheduler's side of the outbox. All instants are by the database's clock. */
export function createOutbox(orm: Orm) {
  return {
    /**
     * Leases waiting entries for `leaseMs`, the longest waiting first. The cost does not depend on
     * how many are stored or wait.
     */
    claim: (limit: number, leaseMs: number) =>
      orm.em.fork().execute<OutboxEntry[]>(CLAIM, { limit, leaseMs }),

    /** Writes the results of claimed entries, except those that were claimed again since. */
    async acknowledge(results: readonly OutboxResult[]): Promise<void> {
      if (results.length === 0) return;
      const rows = JSON.stringify(results, storable);
      await orm.em.fork().execute(ACKNOWLEDGE, { rows });
    },
  };
}

/** Writes an event in the transaction of the change. */
export async function publish(
  em: SqlEntityManager,
  event: UserEvent,
  traceparent: string | null,
): Promise<void> {
  const { occasion, changed = [], ...values } = event;
  await em.execute(PUBLISH, {
    ...values,
    occasionType: occasion?.type ?? null,
    occasionId: occasion?.id ?? null,
    changed: JSON.stringify(changed),
    traceparent,
  });
}

const PUBLISH = `
  with clock as materialized (select users.clock() as now)
  insert into users.outbox (type, user_id, occasion_type, occasion_id, revision, changed,
    occurred_at, available_at, done_at, traceparent)
  select :type::text, :userId::uuid, :occasionType::text, :occasionId::uuid, :revision::int,
    array(select jsonb_array_elements_text(:changed::jsonb)), now, now,
    case when not :needsPlan::boolean then now end, :traceparent::text
  from clock`;

/** The clock is read in a subselect, so that it can be an index condition. */
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

/** A lease delays what is being sent, and most of it is sent in a fraction of that time. */
const LONGEST_DEFERRAL = `interval '5 seconds'`;

/** By id alone: with a condition for waiting entries, the planner would read all of those. */
const ACKNOWLEDGE = `
  update users.outbox as entry
  set done_at = case result.kind when 'done' then users.clock() end,
    parked_at = case result.kind when 'parked' then users.clock() end,
    available_at = users.clock()
      + case when result.until is null then interval '0'
        else least(to_timestamp(result.until / 1000) - users.clock(), ${LONGEST_DEFERRAL}) end
      + coalesce(result."delayMs", 0) * interval '1 millisecond',
    attempts = entry.attempts + case when result.error is null then 0 else 1 end,
    last_error = coalesce(result.error, entry.last_error)
  from jsonb_to_recordset(:rows::jsonb)
    as result (id bigint, "leaseToken" int, kind text, "delayMs" float8, until float8, error text)
  where entry.id = result.id and entry.lease_token = result."leaseToken"`;

/** PostgreSQL's JSON allows neither lone surrogates nor NUL, and would refuse the whole batch. */
function storable(_name: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return value.slice(0, 1_000).toWellFormed().replaceAll('\0', ' ');
}

export interface ParkedEntry {
  readonly id: string;
  readonly type: string;
  readonly userId: string;
  readonly revision: number;
  /** Epoch ms. */
  readonly parkedAt: number;
  readonly failures: number;
  readonly error: string | null;
}

export interface OutboxBacklog {
  /** Waiting entries; parked ones do not count. */
  readonly length: number;
  /** Age of the oldest of them in ms; 0 when none waits. */
  readonly oldestAgeMs: number;
  readonly parked: number;
}

/** The operators' view of the outbox, and their actions on parked entries. */
export function createOutboxAdmin(orm: Orm) {
  return {
    async backlog(): Promise<OutboxBacklog> {
      const [row] = await orm.em.fork().execute<OutboxBacklog[]>(BACKLOG);
      return row ?? { length: 0, oldestAgeMs: 0, parked: 0 };
    },

    /** The oldest first. */
    listParked: (limit: number) => orm.em.fork().execute<ParkedEntry[]>(LIST_PARKED, { limit }),

    /** Queues parked entries again, all or by id, as if they had never failed. Returns how many. */
    async retry(ids: readonly string[] | 'all'): Promise<number> {
      const sql = ids === 'all' ? RETRY : `${RETRY} and id in (${SELECTED})`;
      const { affectedRows } = await orm.em
        .fork()
        .execute<{ affectedRows: number }>(sql, { ids: JSON.stringify(ids) }, 'run');
      return affectedRows;
    },
  };
}

const BACKLOG = `
  select count(*)::int as length, coalesce(greatest(0,
      extract(epoch from users.clock() - min(occurred_at)) * 1000), 0)::float8 as "oldestAgeMs",
    (select count(*) from users.outbox where parked_at is not null)::int as parked
  from users.outbox
  where done_at is null and parked_at is null`;

const LIST_PARKED = `
  select id::text, type, user_id as "userId", revision, attempts as failures,
    (extract(epoch from parked_at) * 1000)::float8 as "parkedAt", last_error as error
  from users.outbox
  where parked_at is not null
  order by id
  limit :limit::int`;

/** `last_error` stays until the next failure. */
const RETRY = `
  update users.outbox set parked_at = null, attempts = 0, available_at = users.clock()
  where parked_at is not null`;

const SELECTED = 'select value::bigint from jsonb_array_elements_text(:ids::jsonb)';
