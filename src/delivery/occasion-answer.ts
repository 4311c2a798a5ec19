import { instant, ms, type Query } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';

/** A call of deliver that is about to answer. */
export interface AnsweringCall extends OccasionRef {
  /** When Temporal made the call, epoch ms by its clock. */
  readonly calledAt: number;
}

export type OccasionAnswer =
  | {
      readonly kind: 'answered';
      readonly isEnded: boolean;
      readonly wakeAt: number | null;
      readonly next: { readonly occurrenceKey: string; readonly dueAt: number } | null;
      readonly blockedReason: string | null;
    }
  /** Another transaction has the row: to be asked again. */
  | { readonly kind: 'locked' }
  /** A later call has answered since, or there is no such occasion any more. */
  | { readonly kind: 'overtaken' };

/**
 * Reads when the workflows of these occasions are to wake, and notes in the same statement that
 * they know. A call that its workflow no longer waits for must not note that: so a call writes
 * nothing once a later one has. Answers in the order of the calls.
 */
export async function answerCalls(
  query: Query,
  calls: readonly AnsweringCall[],
): Promise<readonly OccasionAnswer[]> {
  const rows = await query<AnswerRow>(ANSWER, { calls: JSON.stringify(calls) });
  const found = new Map(rows.map((row) => [row.place, row]));
  return calls.map((_, place) => answerOf(found.get(place)));
}

/** Notes that workflows have looked, though they have no answer yet. Leaves out rows that are locked. */
export async function noteLooks(query: Query, calls: readonly AnsweringCall[]): Promise<void> {
  await query(NOTE_LOOKS, { calls: JSON.stringify(calls) });
}

interface AnswerRow {
  readonly place: number;
  readonly isWritten: boolean;
  readonly isLocked: boolean;
  readonly isEnded: boolean;
  readonly wakeAt: number | null;
  readonly key: string | null;
  readonly dueAt: number | null;
  readonly blockedReason: string | null;
}

function answerOf(row: AnswerRow | undefined): OccasionAnswer {
  if (row === undefined) return { kind: 'overtaken' };
  const { isWritten, isLocked, isEnded, wakeAt, key, dueAt, blockedReason } = row;
  if (!isWritten) return { kind: isLocked ? 'locked' : 'overtaken' };
  const next = key === null || dueAt === null ? null : { occurrenceKey: key, dueAt };
  return { kind: 'answered', isEnded, wakeAt, next, blockedReason };
}

/** Two calls for one occasion at once: the later one. Rows are locked in their order. */
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
  looked_at = events.clock(), called_at = latest.called_at, reconciled = 0, version = o.version + 1`;

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
  select given.place, written.place is not null as "isWritten",
    o.id is not null and (given.type, given.id) not in (select type, id from free) as "isLocked",
    written.ended_at is not null as "isEnded", ${ms('written.wake_at', 'wakeAt')},
    next.key, ${ms('next.due_at', 'dueAt')}, next.blocked_reason as "blockedReason"
  from given
  left join events.occasions as o on o.type = given.type and o.id = given.id
  left join written on written.place = given.place
  left join lateral (
    select key, due_at, blocked_reason from events.occurrences
    where occasion_type = given.type and occasion_id = given.id
      and state in ('PENDING', 'PROCESSING') and redeliveries = 0
  ) as next on true`;

const NOTE_LOOKS = `
  with ${FREE}
  update events.occasions as o set ${LOOKED} from latest where ${MAY_WRITE}`;
