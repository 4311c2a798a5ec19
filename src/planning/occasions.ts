/** The planner's reads and writes of occasions and their open occurrences. Instants are epoch ms. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { instant, ms, queryIn } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import { GIVEN, INPUTS_OF, type OccasionInputs } from './occasion-inputs.ts';
import type { OpenRow } from './rule.ts';

type Em = Pick<SqlEntityManager, 'execute'>;

/** An occasion as the planner finds it. What has no row in the ledger yet has nulls for it. */
export interface FoundOccasion extends OccasionRef {
  /** The database's clock. */
  readonly now: number;
  /** Null if there is neither such an occasion nor a row of one. */
  readonly userId: string | null;
  /** Whether its user still exists, although the occasion does not. */
  readonly hasUser: boolean;
  readonly plannedAt: number | null;
  readonly lastSettledKey: string | null;
  readonly lastSettledNominal: string | null;
  readonly wakeAt: number | null;
  /** The due instant that `wakeAt` was computed for. */
  readonly wakeDueAt: number | null;
  /** The inputs of now; null if there is no such occasion any more. */
  readonly inputs: OccasionInputs | null;
}

/**
 * Locks the rows of these occasions until the transaction ends, in their order, and reads them with
 * the inputs of now. The users are locked by then: new rows need no lock.
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
  // A statement of its own: it sees what others wrote before they let go of the locks.
  return query<FoundOccasion>(
    `select given.type, given.id, ${ms('(select events.clock())', 'now')},
       coalesce(i.user_id, o.user_id) as "userId", ${ms('o.planned_at', 'plannedAt')},
       case when i.user_id is not null then true
         else exists (select from users.users as u where u.id = o.user_id) end as "hasUser",
       o.last_settled_key as "lastSettledKey", o.last_settled_nominal as "lastSettledNominal",
       ${ms('o.wake_at', 'wakeAt')}, ${ms('o.wake_due_at', 'wakeDueAt')},
       ${INPUTS_OF('i')} as inputs
     from ${GIVEN}
     left join users.occasion_inputs as i
       on i.occasion_type = given.type and i.occasion_id = given.id
     left join events.occasions as o on o.type = given.type and o.id = given.id`,
    parameters,
  );
}

export interface LockedOpenRow extends OpenRow, OccasionRef {
  /** Until when a process may be sending it; null if none is. */
  readonly leasedUntil: number | null;
}

/**
 * Locks the open row of each occasion until the transaction ends, in the order of their keys: no
 * claim takes it meanwhile. Redeliveries are not the planner's.
 */
export function lockOpenRows(em: Em, refs: readonly OccasionRef[]): Promise<LockedOpenRow[]> {
  return queryIn(em)<LockedOpenRow>(
    `select o.occasion_type as type, o.occasion_id as id, o.key, o.nominal_date as "nominalDate",
       o.attempts, ${ms('o.due_at', 'dueAt')}, ${ms('o.first_attempt_at', 'firstAttemptAt')},
       case when o.state = 'PROCESSING' and o.lease_until > events.clock()
         then (extract(epoch from o.lease_until) * 1000)::float8 end as "leasedUntil"
     from ${GIVEN} join events.occurrences as o
       on o.occasion_type = given.type and o.occasion_id = given.id
     where o.state in ('PENDING', 'PROCESSING') and o.redeliveries = 0
     order by o.key
     for no key update of o`,
    { refs: JSON.stringify(refs) },
  );
}

export interface FinalRow extends OccasionRef {
  readonly key: string;
  readonly nominalDate: string;
}

/** Reads the rows that are never planned again, of each occasion from a nominal date on. */
export function readFinalRows(
  em: Em,
  asked: readonly (OccasionRef & { readonly fromNominal: string })[],
): Promise<FinalRow[]> {
  return queryIn(em)<FinalRow>(
    `select o.occasion_type as type, o.occasion_id as id, o.key, o.nominal_date as "nominalDate"
     from jsonb_to_recordset(:asked::jsonb) as asked (type text, id uuid, "fromNominal" text)
     join events.occurrences as o on o.occasion_type = asked.type and o.occasion_id = asked.id
       and o.nominal_date >= asked."fromNominal"
     where o.state = 'COMPLETED' or o.redeliveries > 0
       or (o.state = 'FAILED' and o.reason <> 'date_changed')`,
    { asked: JSON.stringify(asked) },
  );
}

/**
 * How many occasions are to wake for each of these due instants. Two plans at once may count alike:
 * their workflows then wake in pairs.
 */
export async function countWaking(em: Em, dueAts: readonly number[]): Promise<Map<number, number>> {
  if (dueAts.length === 0) return new Map();
  const counts = await queryIn(em)<{ dueAt: number; waking: number }>(
    `select value::float8 as "dueAt",
       (select count(*) from events.occasions
        where wake_due_at = ${instant('value')})::int as waking
     from jsonb_array_elements_text(:dueAts::jsonb)`,
    { dueAts: JSON.stringify(dueAts) },
  );
  return new Map(counts.map(({ dueAt, waking }) => [dueAt, waking]));
}

/** What a plan writes of an occasion. */
export interface OccasionWrite extends OccasionRef {
  readonly userId: string;
  /** Null leaves it as it is: what was blocked is planned again as if it had not been. */
  readonly plannedAt: number | null;
  readonly inputsAt: number | null;
  readonly lastSettledKey: string | null;
  readonly lastSettledNominal: string | null;
  readonly wakeAt: number | null;
  readonly wakeDueAt: number | null;
  /** When nothing of it is to come any more; an earlier end that was noted stays. */
  readonly endedAt: number | null;
}

/**
 * Writes occasions, each at a new version. Once an end is none any more, the notifier starts anew:
 * nothing is known of the workflow of an occasion whose end was notified.
 */
export async function writeOccasions(em: Em, writes: readonly OccasionWrite[]): Promise<void> {
  if (writes.length === 0) return;
  await queryIn(em)(
    `insert into events.occasions as o (type, id, user_id, planned_at, inputs_at, last_settled_key,
       last_settled_nominal, wake_at, wake_due_at, ended_at)
     select type, id, "userId", ${instant('"plannedAt"')}, ${instant('"inputsAt"')},
       "lastSettledKey", "lastSettledNominal", ${instant('"wakeAt"')}, ${instant('"wakeDueAt"')},
       ${instant('"endedAt"')}
     from jsonb_to_recordset(:writes::jsonb) as written (type text, id uuid, "userId" uuid,
       "plannedAt" float8, "inputsAt" float8, "lastSettledKey" text, "lastSettledNominal" text,
       "wakeAt" float8, "wakeDueAt" float8, "endedAt" float8)
     order by type, id
     on conflict (type, id) do update
     set version = o.version + 1,
       planned_at = coalesce(excluded.planned_at, o.planned_at),
       inputs_at = coalesce(excluded.inputs_at, o.inputs_at),
       last_settled_key = excluded.last_settled_key,
       last_settled_nominal = excluded.last_settled_nominal,
       wake_at = excluded.wake_at,
       wake_due_at = excluded.wake_due_at,
       ended_at = case when excluded.ended_at is not null
         then coalesce(o.ended_at, excluded.ended_at) end,
       end_notified_at = case when excluded.ended_at is not null then o.end_notified_at end,
       notified_wake_at = case when excluded.ended_at is null and o.end_notified_at is not null
         then null else o.notified_wake_at end`,
    { writes: JSON.stringify(writes) },
  );
}
