import { epochMs, instant, isOpen, ms, type Query } from '../../ledger/sql.ts';
import type { OccasionRef } from '../../ledger/types.ts';
import type { DeliverAnswer } from '../../workflows/contract.ts';

/** A call of deliver that is about to return. */
export interface AnsweringCall extends OccasionRef {
  /** When Temporal made the call, epoch ms by its clock. */
  readonly calledAt: number;
}

export interface OccasionAnswer extends Omit<DeliverAnswer, 'settled'> {
  /**
   * `locked`: another transaction has the row, try again. `overtaken`: a later call has answered
   * since, or the occasion no longer exists. The other fields are set only if `answered`.
   */
  readonly kind: 'answered' | 'locked' | 'overtaken';
}

/**
 * Reads when the workflows of these occasions are to wake, and records in the same statement that
 * they know. A call that its workflow no longer waits for must not record that: so a call writes
 * nothing once a later one has. Returns answers in the order of the calls.
 */
export function answerCalls(
  query: Query,
  calls: readonly AnsweringCall[],
): Promise<readonly OccasionAnswer[]> {
  return query<OccasionAnswer>(ANSWER, { calls: JSON.stringify(calls) });
}

/**
 * Records that workflows have checked, though they have no answer yet. Skips rows that are locked.
 */
export async function noteLooks(query: Query, calls: readonly AnsweringCall[]): Promise<void> {
  await query(NOTE_LOOKS, { calls: JSON.stringify(calls) });
}

/**
 * Of two simultaneous calls for one occasion, the later one counts. Rows are locked in their order.
 */
const FREE = `
  given as materialized (
    select (ordinality - 1)::int as place, call ->> 'type' as type, (call ->> 'id')::uuid as id,
      ${instant("(call ->> 'calledAt')")} as called_at
    from jsonb_array_elements(:calls::jsonb) with ordinality as given (call, ordinality)
  ), free as materialized (
    select o.type, o.id from events.occasions as o
    where (o.type, o.id) in (select type, id from given)
    order by o.type, o.id
    for no key update skip locked
  ), latest as materialized (
    select distinct on (type, id) * from given order by type, id, called_at desc, place
  )`;

const LOOKED = `
  looked_at = events.clock(), called_at = latest.called_at, version = o.version + 1`;

const MAY_WRITE = `
  o.type = latest.type and o.id = latest.id and (o.type, o.id) in (select type, id from free)
    and coalesce(o.called_at <= latest.called_at, true)`;

const ANSWER = `
  with ${FREE}, written as (
    update events.occasions as o
    set notified_wake_at = case when o.ended_at is null then o.wake_at end,
      end_notified_at = case when o.ended_at is not null
        then coalesce(o.end_notified_at, events.clock()) end,
      answered_at = events.clock(), ${LOOKED}
    from latest
    where ${MAY_WRITE}
    returning latest.place, o.ended_at, o.wake_at
  )
  select case when written.place is not null then 'answered'
      when o.id is not null and (given.type, given.id) not in (select type, id from free)
      then 'locked' else 'overtaken' end as kind,
    written.ended_at is not null as ended, ${ms('written.wake_at', 'wakeAt')},
    case when next.due_at is not null then jsonb_build_object(
      'occurrenceKey', next.key, 'dueAt', ${epochMs('next.due_at')}) end as next,
    next.blocked_reason as "blockedReason"
  from given
  left join events.occasions as o on o.type = given.type and o.id = given.id
  left join written on written.place = given.place
  left join lateral (
    select key, due_at, blocked_reason from events.occurrences
    where occasion_type = given.type and occasion_id = given.id
      and ${isOpen('occurrences')}
  ) as next on true
  order by given.place`;

const NOTE_LOOKS = `
  with ${FREE}
  update events.occasions as o set ${LOOKED} from latest where ${MAY_WRITE}`;
