/**
 * The notifier's part of `events.occasions`: which workflows to notify, and what each was told
 * last.
 */
import { interval, literal, queryOf } from '../../ledger/sql.ts';
import type { OwnedOccasion } from '../../ledger/types.ts';
import type { Orm } from '../../platform/database/orm.ts';

/** An occasion that this process notifies, until its lease ends. */
export interface TakenOccasion extends OwnedOccasion {
  /** The row's version: a notification is recorded only if nothing else has been written since. */
  readonly version: number;
  /** How long its workflow should sleep, in ms; negative if it should have woken already. */
  readonly wakeInMs: number;
  /** Its workflow has been notified before, and will wake later than it should. */
  readonly hasWorkflow: boolean;
}

/** `refused`: Temporal does not accept the call. `nothing`: the call was not made. */
export type NotifyResult = 'wake' | 'end' | 'refused' | 'nothing';

export type Noted<Taken> = Taken & { readonly what: NotifyResult };

/** Another scheduler takes over what this one has not recorded by then. */
const LEASE_MS = 30_000;
/** Temporal will refuse the same call again; an operator reads the log. */
const REFUSED_FOR_MS = 10 * 60_000;

/** Must match the partial index `occasions_to_notify` word for word. */
const TO_WAKE = `ended_at is null and wake_at is not null
      and (notified_wake_at is null or notified_wake_at > wake_at)`;
/** Must match the partial index `occasions_to_end` word for word. */
const TO_END = 'ended_at is not null and end_notified_at is null';

export type NotifyStore = ReturnType<typeof createNotifyStore>;

export function createNotifyStore(orm: Orm) {
  const query = queryOf(orm);

  const take = (which: string, order: string, limit: number) =>
    query<TakenOccasion>(
      `with taken as materialized (
         select type, id from events.occasions
         where ${which} and (notify_after is null or notify_after <= events.clock())
         order by ${order}
         limit ${literal(limit)}
         for no key update skip locked
       )
       update events.occasions as o
       set notify_after = events.clock() + ${interval(':lease')}, version = o.version + 1
       from taken
       where o.type = taken.type and o.id = taken.id
       returning o.type, o.id, o.user_id as "userId", o.version::int as version,
         (extract(epoch from o.wake_at - events.clock()) * 1000)::float8 as "wakeInMs",
         o.notified_wake_at is not null as "hasWorkflow"`,
      { lease: LEASE_MS },
    );

  return {
    /**
     * Occasions whose workflow, as far as known, does not exist or wakes too late; the soonest
     * first.
     */
    takeToWake: (limit: number) => take(TO_WAKE, 'wake_at', limit),

    /** Occasions that have ended, and whose workflow may not know; the first that ended first. */
    takeToEnd: (limit: number) => take(TO_END, 'ended_at', limit),

    /**
     * Records the results for occasions that were taken, and releases their leases. The instant
     * itself is copied in SQL, not sent: rounded, it could stay later than it should be. If the
     * occasion ended while its workflow was notified of the wake, the end is notified again: a
     * start after it would sleep until the old instant.
     */
    async note(notified: readonly Noted<TakenOccasion>[]): Promise<void> {
      if (notified.length === 0) return;
      await query(
        `with given as materialized (
           select * from jsonb_to_recordset(:notified::jsonb)
             as (type text, id uuid, version bigint, what text)
         ), locked as materialized (
           select o.type, o.id from events.occasions as o join given using (type, id)
           order by o.type, o.id
           for no key update of o
         )
         update events.occasions as o
         set notified_wake_at = case when given.what = 'wake' and o.version = given.version
             then o.wake_at else o.notified_wake_at end,
           end_notified_at = case
             when given.what = 'end' and o.version = given.version then events.clock()
             when given.what = 'wake' and o.ended_at is not null then null
             else o.end_notified_at end,
           notify_after = case when given.what = 'refused'
             then events.clock() + ${interval(':refusedFor')} end,
           version = o.version + 1
         from given, locked
         where o.type = given.type and o.id = given.id
           and locked.type = given.type and locked.id = given.id`,
        { notified: JSON.stringify(notified), refusedFor: REFUSED_FOR_MS },
      );
    },

    /** Asks for next to nothing: its duration shows how busy the database is. */
    probe: () => query('select events.clock()'),
  };
}
