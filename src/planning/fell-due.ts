/**
 * What fell due in an occasion's life, from the history of its inputs alone. Pure: the planner's
 * rule, the audit and the forecast share it. Instants are epoch ms.
 */
import { occurrenceKey } from '../ledger/occurrence-key.ts';
import type { OccasionRef } from '../ledger/types.ts';
import { DAY_MS, formatCalendarDate } from '../time/calendar-date.ts';
import {
  type DueDate,
  dueDatesAfter,
  type LocalTimeInputs,
  REACH_MS,
  resolveNominalDate,
  whyUnplannable,
} from '../time/occurrence.ts';
import {
  keptDate,
  namesDate,
  nominalDateAfter,
  nominalDateFrom,
  policyOf,
  type Series,
} from '../time/recurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';

/** The schedule inputs of an occasion, in force from an instant until the next version's. */
export interface InputsVersion extends Series, LocalTimeInputs {
  readonly from: number;
  readonly suspended: boolean;
}

/** An occasion's life, as far as it decides dates. */
export interface InputsHistory {
  readonly occasion: OccasionRef;
  readonly createdAt: number;
  /** When the occasion, or its user, was deleted; null while it exists. */
  readonly endedAt: number | null;
  /**
   * All versions since creation, the oldest first, the last one in force now. Changes of the user,
   * of the occasion and of the installation's rules are merged. Versions before creation do no
   * harm; of versions with the same `from`, the last one counts.
   */
  readonly versions: readonly InputsVersion[];
  readonly tz: TzDatabase;
}

/** An occurrence as one version of the inputs resolves it. */
export interface ResolvedOccurrence extends DueDate {
  readonly key: string;
  /** The day that the recurrence names, `YYYY-MM-DD`, even if it does not exist. */
  readonly nominalDate: string;
  readonly version: InputsVersion;
}

export interface FellDue extends ResolvedOccurrence {
  /** When it fell due: at `dueAt`, or at the later change that moved it into the past. */
  readonly at: number;
}

/** `after` is exclusive, `until` inclusive. */
export interface Window {
  readonly after: number;
  readonly until: number;
}

/**
 * Everything that fell due in a window, in that order (by nominal date among equals):
 *
 * - an occurrence at its instant, if that is strictly after the beginning of the version in force;
 * - a future one that a change of zone, local time, offset or policy moved into the past, at that
 *   change: the same nominal date, or another that is kept on the same day. A change of the date
 *   owes nothing.
 *
 * A key is listed each time that it falls due: twice after a move from Tokyo to New York on the
 * day. Nothing falls due while a version is in force that cannot be resolved (unknown zone, no such
 * date); the next version moves into the past what was still to come before.
 */
export function fellDue(history: InputsHistory, window: Window): FellDue[] {
  const found: FellDue[] = [];
  let before: VersionInForce | null = null;
  for (const current of versionsInForce(history)) {
    if (!current.isPlannable) continue;
    if (current.from > window.until) break;
    if (current.until > window.after) {
      if (before !== null && current.from > window.after) {
        found.push(...putBehind(history, before, current));
      }
      found.push(...cameDue(history, current, window));
    }
    before = current;
  }
  return found.sort(
    (one, other) => one.at - other.at || one.nominalDate.localeCompare(other.nominalDate),
  );
}

/** A version and when it was actually in force; `until` is exclusive. */
export interface VersionInForce {
  readonly version: InputsVersion;
  readonly from: number;
  readonly until: number;
  readonly isPlannable: boolean;
}

/** The versions that were in force for any time at all, the oldest first. */
export function versionsInForce(history: InputsHistory): VersionInForce[] {
  const { createdAt, versions, tz } = history;
  const inForce: VersionInForce[] = [];
  let until = history.endedAt ?? Infinity;
  for (const version of versions.toReversed()) {
    // If clocks went back, the version written later counts.
    const from = Math.min(Math.max(version.from, createdAt), until);
    if (from < until) {
      inForce.push({ version, from, until, isPlannable: whyUnplannable(version, tz) === null });
    }
    until = from;
  }
  return inForce.toReversed();
}

/** The occurrences of a version that are due after an instant, as `dueDatesAfter` returns them. */
export function* occurrencesAfter(
  { occasion, tz }: Pick<InputsHistory, 'occasion' | 'tz'>,
  version: InputsVersion,
  after: number,
  fromNominal?: string,
): Generator<ResolvedOccurrence, undefined> {
  for (const { nominalDate, localDate, dueAt } of dueDatesAfter(version, after, tz, fromNominal)) {
    const key = occurrenceKey(occasion, nominalDate, version.recurrence);
    yield { key, nominalDate, localDate, dueAt, version };
  }
}

/**
 * The nominal date by which a version names an occurrence: its own, or another that is kept on the
 * same day, as 29 February and the 28th are; null if the version does not name it.
 */
export function nameUnder(version: InputsVersion, occurrence: ResolvedOccurrence): string | null {
  if (namesDate(version, occurrence.nominalDate)) return occurrence.nominalDate;
  const kept = keptDateOf(occurrence);
  const from = formatCalendarDate(Date.parse(kept) - REACH_MS);
  let nominalDate = nominalDateFrom(version, from);
  while (nominalDate !== null) {
    const keptUnder = keptDateOf({ version, nominalDate });
    if (keptUnder === kept) return nominalDate;
    if (keptUnder > kept) return null;
    nominalDate = nominalDateAfter(version, nominalDate);
  }
  return null;
}

/** Whether two are the same occurrence: by key, or by the day on which it is kept. */
export function isSameOccurrence(one: ResolvedOccurrence, other: ResolvedOccurrence): boolean {
  return one.key === other.key || keptDateOf(one) === keptDateOf(other);
}

/** What fell due while a version was in force. */
function cameDue(history: InputsHistory, current: VersionInForce, window: Window): FellDue[] {
  const found: FellDue[] = [];
  const after = Math.max(current.from, window.after);
  for (const occurrence of occurrencesAfter(history, current.version, after)) {
    if (occurrence.dueAt > window.until || occurrence.dueAt >= current.until) break;
    found.push({ ...occurrence, at: occurrence.dueAt });
  }
  return found;
}

/** What was still to come when the previous version ended, and is past when this one begins. */
function putBehind(
  history: InputsHistory,
  before: VersionInForce,
  current: VersionInForce,
): FellDue[] {
  const found: FellDue[] = [];
  const { version, from } = current;
  const earlierMs = Math.max(0, version.offsetDays - before.version.offsetDays) * DAY_MS;
  const after = before.until - REACH_MS - earlierMs;
  for (const occurrence of occurrencesAfter(history, version, after)) {
    if (occurrence.dueAt > from) break;
    const nominalBefore = nameUnder(before.version, occurrence);
    if (nominalBefore === null) continue;
    const { dueAt } = resolveNominalDate(nominalBefore, before.version, history.tz);
    if (dueAt >= before.until) found.push({ ...occurrence, at: from });
  }
  return found;
}

interface Named {
  readonly nominalDate: string;
  readonly version: Pick<InputsVersion, 'rrule' | 'leapDayPolicy'>;
}

/** The day of the calendar on which an occurrence is kept. */
export function keptDateOf({ version, nominalDate }: Named): string {
  return keptDate(nominalDate, policyOf(version, version.leapDayPolicy));
}
