/** The planner's reads and writes of occasions and their open occurrences. Instants are epoch ms. */
import { type Em, epochMs, instant, isOpen, ms, queryIn } from '../ledger/sql.ts';
import type { OccasionRef, OwnedOccasion } from '../ledger/types.ts';
import type { LeapDayPolicy } from '../time/recurrence.ts';
import { GIVEN, INPUTS_OF, inputsOf, type OccasionInputs } from './occasion-inputs.ts';
import type { OpenRow } from './rule.ts';

/**
 * An occasion as the planner finds it. If it has no row in the ledger yet, those fields are null.
 */
export interface FoundOccasion extends OccasionRef {
  /** The database's clock. */
  readonly now: number;
  /** Null if neither the occasion nor a row of it exists. */
  readonly userId: string | null;
  /** Whether its user still exists, although the occasion does not. */
  readonly hasUser: boolean;
  readonly plannedAt: number | null;
  readonly lastSettledKey: string | null;
  readonly lastSettledNominal: string | null;
  readonly wakeAt: number | null;
  /** The due instant that `wakeAt` was computed for. */
  readonly wakeDueAt: number | null;
  readonly wakePlace: number | null;
  /** The current inputs; null if the occasion no longer exists. */
  readonly inputs: OccasionInputs | null;
}

/**
 * Locks the rows of these occasions until the transaction ends, in their order, and reads them with
 * the current inputs. The users are locked already, so new rows need no lock.
 */
export async function lockOccasions(
  em: Em,
  refs: readonly OccasionRef[],
): Promise<FoundOccasion[]> {
  const query = queryIn(em);
  const parameters = { refs: JSON.stringify(refs) };
  await query(
    `select from ${GIVEN} join events.occasions as o using (type, id)
     order by o.type, o.id
     for no key update of o`,
    parameters,
  );
  // A separate statement: it sees what others wrote before they released the locks.
  return query<FoundOccasion>(
    `select given.type, given.id, ${ms('(select events.clock())', 'now')},
       coalesce(i.user_id, o.user_id) as "userId", ${ms('o.planned_at', 'plannedAt')},
       case when i.user_id is not null then true
         else exists (select from users.users as u where u.id = o.user_id) end as "hasUser",
       o.last_settled_key as "lastSettledKey", o.last_settled_nominal as "lastSettledNominal",
       ${ms('o.wake_at', 'wakeAt')}, ${ms('o.wake_due_at', 'wakeDueAt')},
       o.wake_place as "wakePlace", ${INPUTS_OF('i')} as inputs
     from ${GIVEN}
     left join ${inputsOf('given.type', 'given.id')} as i on true
     left join events.occasions as o on o.type = given.type and o.id = given.id`,
    parameters,
  );
}

export interface LockedOpenRow extends OpenRow, OccasionRef {
  /** Until when a process may be sending it; null if none may. */
  readonly leasedUntil: number | null;
}

/**
 * Locks the open row of each occasion until the transaction ends, in the order of their keys, so
 * that no claim takes it meanwhile. Redeliveries are not the planner's.
 */
export function lockOpenRows(em: Em, refs: readonly OccasionRef[]): Promise<LockedOpenRow[]> {
  // First found by the index of open rows, then locked by key. In one join, PostgreSQL may read all
  // open rows for each batch, as it does while it has no statistics of a ledger that has just
  // grown.
  return queryIn(em)<LockedOpenRow>(
    `with open as materialized (
       select found.key from ${GIVEN} cross join lateral (
         select t.key from events.occurrences as t
         where t.occasion_type = given.type and t.occasion_id = given.id and ${isOpen('t')}
         limit 1) as found
     ), locked as materialized (
       select t.* from events.occurrences as t
       where t.key = any (array(select key from open))
       order by t.key
       for no key update
     )
     select t.occasion_type as type, t.occasion_id as id, t.key, t.nominal_date as "nominalDate",
       t.attempts, ${ms('t.due_at', 'dueAt')}, ${ms('t.first_attempt_at', 'firstAttemptAt')},
       case when t.lease_until > events.clock() then ${epochMs('t.lease_until')} end as "leasedUntil"
     from locked as t where ${isOpen('t')}`,
    { refs: JSON.stringify(refs) },
  );
}

export interface FinalRow extends OccasionRef {
  readonly key: string;
  readonly nominalDate: string;
  readonly rrule: string | null;
  readonly leapDayPolicy: LeapDayPolicy;
}

/** Reads the rows that are never planned again, for each occasion from a nominal date on. */
export function readFinalRows(
  em: Em,
  asked: readonly (OccasionRef & { readonly fromNominal: string })[],
): Promise<FinalRow[]> {
  return queryIn(em)<FinalRow>(
    `select o.occasion_type as type, o.occasion_id as id, o.key, o.nominal_date as "nominalDate",
       o.rrule, o.leap_day_policy as "leapDayPolicy"
     from jsonb_to_recordset(:asked::jsonb) as asked (type text, id uuid, "fromNominal" text)
     join events.occurrences as o on o.occasion_type = asked.type and o.occasion_id = asked.id
       and o.nominal_date >= asked."fromNominal"
     where o.state = 'COMPLETED' or o.redeliveries > 0
       or (o.state = 'FAILED' and o.reason <> 'date_changed')`,
    { asked: JSON.stringify(asked) },
  );
}

/**
 * The first free place among the workflows that wake for each of these due instants, from 0. Two
 * simultaneous plans may take the same one: their workflows then wake in pairs.
 */
export async function freePlaces(em: Em, dueAts: readonly number[]): Promise<Map<number, number>> {
  if (dueAts.length === 0) return new Map();
  const rows = await queryIn(em)<{ dueAt: number; place: number }>(
    `select value::float8 as "dueAt",
       coalesce((select max(wake_place) + 1 from events.occasions
         where wake_due_at = ${instant('value')}), 0) as place
     from jsonb_array_elements_text(:dueAts::jsonb)`,
    { dueAts: JSON.stringify(dueAts) },
  );
  return new Map(rows.map(({ dueAt, place }) => [dueAt, place]));
}

/** What a plan writes about an occasion. */
export interface OccasionWrite extends OwnedOccasion {
  /** Null leaves it as it is: a blocked occasion is planned again as if it had not been. */
  readonly plannedAt: number | null;
  readonly inputsAt: number | null;
  readonly rulesId: number;
  readonly lastSettledKey: string | null;
  readonly lastSettledNominal: string | null;
  readonly wakeAt: number | null;
  readonly wakeDueAt: number | null;
  /** The place among those that wake for the same due instant, from 0. */
  readonly wakePlace: number | null;
  /** When it ran out of occurrences; an end that was recorded earlier stays. */
  readonly endedAt: number | null;
}

/**
 * Writes occasions, each at a new version. If an ended occasion is revived, the notifier starts
 * anew: nothing is known of the workflow of an occasion whose end was notified.
 */
export async function writeOccasions(em: Em, writes: readonly OccasionWrite[]): Promise<void> {
  if (writes.length === 0) return;
  await queryIn(em)(
    `insert into events.occasions as o (type, id, user_id, planned_at, inputs_at, rules_id,
       last_settled_key, last_settled_nominal, wake_at, wake_due_at, wake_place, ended_at)
     select type, id, "userId", ${instant('"plannedAt"')}, ${instant('"inputsAt"')},
       "rulesId", "lastSettledKey", "lastSettledNominal", ${instant('"wakeAt"')}, ${instant('"wakeDueAt"')},
       "wakePlace", ${instant('"endedAt"')}
     from jsonb_to_recordset(:writes::jsonb) as written (type text, id uuid, "userId" uuid,
       "plannedAt" float8, "inputsAt" float8, "rulesId" bigint, "lastSettledKey" text,
       "lastSettledNominal" text, "wakeAt" float8, "wakeDueAt" float8, "wakePlace" int,
       "endedAt" float8)
     order by type, id
     on conflict (type, id) do update
     set version = o.version + 1,
       planned_at = coalesce(excluded.planned_at, o.planned_at),
       inputs_at = coalesce(excluded.inputs_at, o.inputs_at),
       rules_id = excluded.rules_id,
       last_settled_key = excluded.last_settled_key,
       last_settled_nominal = excluded.last_settled_nominal,
       wake_at = excluded.wake_at,
       wake_due_at = excluded.wake_due_at,
       wake_place = excluded.wake_place,
       ended_at = case when excluded.ended_at is not null
         then coalesce(o.ended_at, excluded.ended_at) end,
       end_notified_at = case when excluded.ended_at is not null then o.end_notified_at end,
       notified_wake_at = case when excluded.ended_at is null and o.end_notified_at is not null
         then null else o.notified_wake_at end`,
    { writes: JSON.stringify(writes) },
  );
}
