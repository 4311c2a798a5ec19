/** The planner's part of `events.occasions`: what survives the occurrences of an occasion. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { instant, ms, queryIn } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import { GIVEN, type OccasionInputs } from './occasion-inputs.ts';

type Em = Pick<SqlEntityManager, 'execute'>;

/** An occasion as the planner finds it. Instants are epoch ms. */
export interface FoundOccasion extends OccasionRef {
  /** Null when there is neither such an occasion nor a row of one. */
  readonly userId: string | null;
  /** Null when there is no such occasion any more. */
  readonly inputs: OccasionInputs | null;
  readonly row: OccasionRow | null;
}

export interface OccasionRow {
  readonly plannedAt: number | null;
  readonly lastSettledKey: string | null;
  readonly lastSettledNominal: string | null;
  readonly wakeAt: number | null;
  /** The due instant that `wakeAt` was computed for. */
  readonly wakeDueAt: number | null;
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
 * Locks the rows of these occasions until the transaction ends, in their order, and reads the
 * inputs of now. The users are locked by then: new rows need no lock.
 */
export async function lockOccasions(em: Em, refs: readonly OccasionRef[]) {
  const query = queryIn(em);
  const parameters = { refs: JSON.stringify(refs) };
  const locked = await query<LockedRow>(LOCK, parameters);
  const byName = new Map(locked.map((row) => [nameOf(row), row]));
  const read = await query<InputsRow>(READ_INPUTS, parameters);
  const occasions = read.map((inputs) => foundOf(inputs, byName.get(nameOf(inputs)) ?? null));
  return { now: read[0]?.now ?? 0, occasions };
}

/** Writes occasions, each at a new version. */
export async function writeOccasions(em: Em, writes: readonly OccasionWrite[]): Promise<void> {
  if (writes.length === 0) return;
  await queryIn(em)(WRITE, { writes: JSON.stringify(writes) });
}

/** How many occasions are to wake for each of these due instants. */
export async function countWaking(em: Em, dueAts: readonly number[]): Promise<Map<number, number>> {
  if (dueAts.length === 0) return new Map();
  const parameters = { dueAts: JSON.stringify(dueAts) };
  const counts = await queryIn(em)<{ dueAt: number; waking: number }>(COUNT_WAKING, parameters);
  return new Map(counts.map(({ dueAt, waking }) => [dueAt, waking]));
}

interface LockedRow extends OccasionRow, OccasionRef {
  readonly userId: string;
}

/** All but the clock and the occasion are null when there is no such occasion. */
interface InputsRow extends OccasionRef {
  readonly now: number;
  readonly userId: string | null;
  readonly recurrence: string | null;
  readonly date: string | null;
  readonly timezone: string | null;
  readonly createdAt: number | null;
  readonly changedAt: number | null;
}

function foundOf(inputs: InputsRow, row: LockedRow | null): FoundOccasion {
  const { type, id, userId, recurrence, date, timezone, createdAt, changedAt } = inputs;
  const isThere =
    userId !== null &&
    recurrence !== null &&
    date !== null &&
    timezone !== null &&
    createdAt !== null &&
    changedAt !== null;
  return {
    type,
    id,
    userId: userId ?? row?.userId ?? null,
    inputs: isThere ? { userId, recurrence, date, timezone, createdAt, changedAt } : null,
    row,
  };
}

function nameOf({ type, id }: OccasionRef): string {
  return `${type}/${id}`;
}

const LOCK = `
  select o.type, o.id, o.user_id as "userId", ${ms('o.planned_at', 'plannedAt')},
    o.last_settled_key as "lastSettledKey", o.last_settled_nominal as "lastSettledNominal",
    ${ms('o.wake_at', 'wakeAt')}, ${ms('o.wake_due_at', 'wakeDueAt')}
  from ${GIVEN} join events.occasions as o using (type, id)
  order by o.type, o.id
  for no key update of o`;

const READ_INPUTS = `
  select given.type, given.id, i.user_id as "userId", i.recurrence, i.date::text as date,
    i.timezone, ${ms('i.created_at', 'createdAt')}, ${ms('i.changed_at', 'changedAt')},
    ${ms('(select events.clock())', 'now')}
  from ${GIVEN}
  left join users.occasion_inputs as i
    on i.occasion_type = given.type and i.occasion_id = given.id`;

/** Who was told of an end is told anew once it is none: nothing is known of its workflow then. */
const WRITE = `
  insert into events.occasions as o (type, id, user_id, planned_at, inputs_at, last_settled_key,
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
      then null else o.notified_wake_at end`;

const COUNT_WAKING = `
  select value::float8 as "dueAt",
    (select count(*) from events.occasions
     where wake_due_at = ${instant('value')})::int as waking
  from jsonb_array_elements_text(:dueAts::jsonb)`;
