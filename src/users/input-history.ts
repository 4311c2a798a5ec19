/** The history of a user's schedule inputs, and where each change moved the next occurrence. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import type { Orm } from '../platform/database/orm.ts';
import {
  type DateSettings,
  dueDatesAfter,
  resolveNominalDate,
  whyUnplannable,
} from '../time/occurrence.ts';
import { namesDate, type Recurrence } from '../time/recurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { epochMs } from './user-rows.ts';

/** The inputs that decide when an occasion falls due. */
export interface ScheduleInputs {
  /** For a birthday, the date of birth. */
  readonly date: string;
  readonly recurrence: Recurrence;
  readonly rrule: string | null;
  readonly offsetDays: number;
  readonly timezone: string;
  /** Null: the default of the occasion type or the installation. */
  readonly deliveryTime: string | null;
  readonly suspended: boolean;
}

/** The inputs on one side of a change. */
export interface InputsAtChange extends ScheduleInputs {
  /**
   * What fell due next under these inputs after the change: in `after`, the same day as in
   * `before`, if they still name it, even if it was past by then and therefore due at once. Null if
   * no occurrence followed.
   */
  readonly next: { readonly nominalDate: string; readonly dueAt: number } | null;
}

/** A change of the inputs of one occasion; instants are epoch ms. */
export interface InputChange {
  readonly at: number;
  readonly occasionType: string;
  /** For a birthday, the user's id. */
  readonly occasionId: string;
  /** Null when the occasion began. */
  readonly before: InputsAtChange | null;
  /** Null when it was deleted. */
  readonly after: InputsAtChange | null;
}

export type FindInputHistory = ReturnType<typeof createInputHistory>;

/** Instants are computed with the current settings and tz database, not with those of the time. */
export function createInputHistory(orm: Orm, tz: TzDatabase) {
  /**
   * The latest change first; a change that affects several occasions, such as one of the zone, is
   * listed once for each.
   *
   * @param settingsOf returns the settings in force for an occasion type
   */
  return async (
    userId: string,
    limit: number,
    settingsOf: (type: string) => DateSettings,
  ): Promise<{ readonly changes: readonly InputChange[]; readonly isComplete: boolean }> => {
    const em: SqlEntityManager = orm.em.fork();
    // One more than requested, to see whether there are others.
    const rows = await em.execute<ChangeRow[]>(CHANGES, { userId, limit: limit + 1 });
    return {
      changes: rows.slice(0, limit).map((row) => changeOf(row, settingsOf(row.occasionType), tz)),
      isComplete: rows.length <= limit,
    };
  };
}

interface ChangeRow extends Omit<InputChange, 'before' | 'after'> {
  readonly before: ScheduleInputs | null;
  readonly after: ScheduleInputs | null;
}

function changeOf(row: ChangeRow, settings: DateSettings, tz: TzDatabase): InputChange {
  const { at, before, after } = row;
  const nextBefore = before && nextAfter(at, before, settings, tz);
  const nextNow =
    after &&
    ((nextBefore && sameDay(nextBefore, after, settings, tz)) ??
      nextAfter(at, after, settings, tz));
  return {
    ...row,
    before: before && { ...before, next: nextBefore },
    after: after && { ...after, next: nextNow },
  };
}

type Next = InputsAtChange['next'];

function nextAfter(
  at: number,
  inputs: ScheduleInputs,
  settings: DateSettings,
  tz: TzDatabase,
): Next {
  if (whyUnplannable(inputs, tz) !== null) return null;
  const { value } = dueDatesAfter(withSettings(inputs, settings), at, tz).next();
  return value === undefined ? null : { nominalDate: value.nominalDate, dueAt: value.dueAt };
}

/** When the same day is due under other inputs; null if they do not name it. */
function sameDay(
  { nominalDate }: NonNullable<Next>,
  inputs: ScheduleInputs,
  settings: DateSettings,
  tz: TzDatabase,
): Next {
  if (whyUnplannable(inputs, tz) !== null || !namesDate(inputs, nominalDate)) return null;
  const { dueAt } = resolveNominalDate(nominalDate, withSettings(inputs, settings), tz);
  return { nominalDate, dueAt };
}

function withSettings(inputs: ScheduleInputs, { leapDayPolicy, localTime }: DateSettings) {
  return { ...inputs, leapDayPolicy, localTime: inputs.deliveryTime ?? localTime };
}

/** As JSON; null for a missing row. */
const inputsOf = (row: string): string => `
  case when ${row}.position is not null then jsonb_build_object('date', ${row}.date::text,
    'recurrence', ${row}.recurrence, 'rrule', ${row}.rrule, 'offsetDays', ${row}.offset_days,
    'timezone', ${row}.timezone, 'deliveryTime', ${row}.local_time,
    'suspended', ${row}.suspended) end`;

/**
 * Each period of an occasion next to the previous one; a period without a successor ends with the
 * occasion. A change of the user is a change of an occasion only if that follows it.
 */
const CHANGES = `
  with periods as materialized (
    select h.*, row_number() over (partition by occasion_type, occasion_id order by position) as place
    from users.occasion_history as h where h.user_id = :userId::uuid
  ), changes as (
    select coalesce(p.valid_from, b.valid_until) as at, coalesce(p.position, b.position) as position,
      coalesce(p.occasion_type, b.occasion_type) as type,
      coalesce(p.occasion_id, b.occasion_id) as id,
      ${inputsOf('b')} as before, ${inputsOf('p')} as after
    from periods as p full join periods as b
      on b.occasion_type = p.occasion_type and b.occasion_id = p.occasion_id
        and b.place = p.place - 1
    where p.position is not null or b.valid_until is not null
  )
  select ${epochMs('at', 'at')}, type as "occasionType", id as "occasionId", before, after
  from changes where before is distinct from after
  order by changes.at desc, changes.position desc, type, id limit :limit::int`;
