/** Decides what a file changes about a user and its occasions, compared with what is stored. */
import { isDeepStrictEqual } from 'node:util';

import { v7 as uuidv7 } from 'uuid';

import { formatCalendarDate, DAY_MS } from '../../time/calendar-date.ts';
import { nominalDateFrom } from '../../time/recurrence.ts';
import type { TzDatabase } from '../../time/tz-database.ts';
import { type FieldFault, InvalidInputError } from '../errors.ts';
import {
  OCCASION_INPUT_FIELDS,
  type OccasionFields,
  occasionFaults,
  recurrenceOf,
  withImplied,
} from '../occasion.ts';
import { asStored } from '../occasion-data.ts';
import { changeSuspension, NOT_SUSPENDED } from '../suspension.ts';
import { INPUT_FIELDS, refuseUnborn, type UserFields } from '../user.ts';
import type { CheckedOccasion, CheckedUser } from './check-row.ts';

export interface StoredUser extends UserFields {
  readonly id: string;
}

export interface StoredOccasion extends OccasionFields {
  readonly id: string;
  readonly userId: string;
}

/** The change of a user or an occasion; `null` if it stays as it is. */
export interface Change<Fields> {
  readonly id: string;
  readonly fields: Fields;
  readonly isNew: boolean;
  /** Names of the fields that change. */
  readonly changed: readonly string[];
  /** Whether schedule inputs change. */
  readonly changesInputs: boolean;
  /** Due within two days: to be planned before the others. */
  readonly isSoon: boolean;
}

export interface Terms {
  /** Epoch ms. */
  readonly now: number;
  readonly tz: TzDatabase;
}

const NO_FIELDS = {
  externalId: null,
  lastName: '',
  deliveryTime: null,
  ...NOT_SUSPENDED,
} as const;
const REQUIRED = ['firstName', 'dateOfBirth', 'timezone'] as const;

/**
 * Returns the user as it will be, and the change that leads there.
 *
 * @param timezone for a new user, if the file has none
 * @throws InvalidInputError
 */
export function decideUser(
  { id, externalId, fields: given }: CheckedUser,
  stored: StoredUser | null,
  timezone: string | null,
  { now, tz }: Terms,
) {
  const { id: _storedId, ...before } = stored ?? {
    id,
    ...NO_FIELDS,
    externalId,
    ...(timezone !== null && { timezone }),
  };
  const fields: Partial<UserFields> = { ...before, ...given };
  const missing = REQUIRED.filter((field) => fields[field] === undefined);
  if (missing.length > 0) {
    throw new InvalidInputError(missing.map((field) => ({ field, rule: 'is required' })));
  }
  const next: UserFields = {
    ...(fields as UserFields),
    ...changeSuspension(stored ?? NOT_SUSPENDED, given),
  };
  const changed = stored === null ? [] : changedFields<UserFields>(stored, next);
  const changesInputs = stored === null || changed.some((field) => INPUT_FIELDS.includes(field));
  if (changesInputs) refuseUnborn(next, now, tz);
  const change: Change<UserFields> = {
    id: stored?.id ?? id ?? uuidv7(),
    fields: next,
    isNew: stored === null,
    changed,
    changesInputs,
    isSoon: isSoon({ date: next.dateOfBirth, recurrence: 'birthday', rrule: null }, 0, now),
  };
  return { user: { id: change.id, ...next }, change: isChange(change) ? change : null };
}

const NO_OCCASION_FIELDS = {
  date: null,
  recurrence: null,
  rrule: null,
  offsetDays: 0,
  deliveryTime: null,
  timezone: null,
  data: null,
  ...NOT_SUSPENDED,
} as const;

/**
 * The same for an occasion of a user.
 *
 * @throws InvalidInputError that names fields as in the file
 */
export function decideOccasion(
  { id, type, externalId, fields: given, nameOf }: CheckedOccasion,
  stored: StoredOccasion | null,
  dateOfBirth: string,
  { now }: Terms,
) {
  const before: OccasionFields = stored ?? { ...NO_OCCASION_FIELDS, externalId, type };
  const { suspended, suspendedReason } = naming(nameOf, () => changeSuspension(before, given));
  const next = withImplied<OccasionFields>({
    ...fieldsOf(before),
    ...withoutOtherRule(given),
    // If Daybell's own id identifies the occasion, the external id may be new.
    externalId: externalId ?? before.externalId,
    ...(given.data !== undefined && { data: asStored(given.data) }),
    suspended,
    suspendedReason,
  });
  const faults = occasionFaults(next);
  if (faults.length > 0) throw new InvalidInputError(faults.map((fault) => renamed(fault, nameOf)));
  const changed = stored === null ? [] : changedFields<OccasionFields>(stored, next);
  const series = {
    date: next.date ?? dateOfBirth,
    recurrence: recurrenceOf(next),
    rrule: next.rrule,
  };
  const change: Change<OccasionFields> = {
    id: stored?.id ?? id ?? uuidv7(),
    fields: next,
    isNew: stored === null,
    changed,
    changesInputs:
      stored === null ||
      changed.some((field) => OCCASION_INPUT_FIELDS.some((input) => input === field)),
    isSoon: isSoon(series, next.offsetDays, now),
  };
  return { occasion: { ...next, id: change.id }, change: isChange(change) ? change : null };
}

/** Without the fields that only a stored occasion has. */
function fieldsOf(occasion: OccasionFields & { readonly id?: string; readonly userId?: string }) {
  const { id: _id, userId: _userId, ...fields } = occasion;
  return fields;
}

/** A new rule replaces a recurrence, and the other way round. */
function withoutOtherRule(given: CheckedOccasion['fields']): CheckedOccasion['fields'] {
  const { recurrence, rrule } = given;
  if (typeof rrule === 'string' && recurrence === undefined) return { ...given, recurrence: null };
  if (typeof recurrence === 'string' && rrule === undefined) return { ...given, rrule: null };
  return given;
}

function naming<Result>(nameOf: (field: string) => string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new InvalidInputError(error.faults.map((fault) => renamed(fault, nameOf)));
  }
}

function renamed({ field, rule }: FieldFault, nameOf: (field: string) => string): FieldFault {
  return { field: nameOf(field), rule };
}

function changedFields<Fields extends object>(stored: Fields, next: Fields) {
  return (Object.keys(next) as (keyof Fields & string)[]).filter(
    (field) => !isDeepStrictEqual(stored[field], next[field]),
  );
}

function isChange({ isNew, changed }: Pick<Change<unknown>, 'isNew' | 'changed'>): boolean {
  return isNew || changed.length > 0;
}

/** More than zones, local times and nonexistent days can move a day. */
const SOON_MS = 2 * DAY_MS;

/** Whether one falls due within two days, wherever the user lives. */
function isSoon(
  series: Parameters<typeof nominalDateFrom>[0],
  offsetDays: number,
  now: number,
): boolean {
  const day = (from: number): string => formatCalendarDate(now + from + offsetDays * DAY_MS);
  const next = nominalDateFrom(series, day(-SOON_MS));
  return next !== null && next <= day(SOON_MS);
}
