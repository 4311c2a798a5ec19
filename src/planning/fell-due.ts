/**
 * What fell due in an occasion's life, by the history of its inputs alone. Pure: the planner's
 * rule, the audit and the forecast share it. Instants are epoch ms.
 */
import { DAY_MS, formatCalendarDate } from '../domain/calendar-date.ts';
import { resolveNominalDate, whyUnplannable } from '../domain/occurrence.ts';
import type { LeapDayPolicy } from '../domain/rules.ts';
import type { ZoneLaw } from '../domain/zone.ts';
import { occurrenceKey } from '../ledger/occurrence-key.ts';
import type { OccasionRef } from '../ledger/types.ts';
import {
  keptDate,
  missingDayPolicy,
  namesDate,
  nominalDateAfter,
  nominalDateFrom,
  type Recurrence,
} from '../time/recurrence.ts';

/** The schedule inputs of an occasion, in force from an instant until the next version's. */
export interface InputsVersion {
  readonly from: number;
  /** The date that recurs, `YYYY-MM-DD`; of a birthday, the date of birth. */
  readonly date: string;
  readonly recurrence: Recurrence;
  /** A name of the tz database. */
  readonly timezone: string;
  /** Wall-clock time of delivery, `HH:MM`. */
  readonly localTime: string;
  readonly leapDayPolicy: LeapDayPolicy;
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
   * of the occasion and of the installation's rules are merged. What was in force before creation
   * does no harm; of versions with the same `from`, the last one holds.
   */
  readonly versions: readonly InputsVersion[];
  readonly law: ZoneLaw;
}

/** An occurrence as one version of the inputs resolves it. */
export interface ResolvedOccurrence {
  readonly key: string;
  /** The day that the recurrence names, `YYYY-MM-DD`, even where it does not exist. */
  readonly nominalDate: string;
  /** The day on the user's calendar at the due instant. */
  readonly localDate: string;
  readonly dueAt: number;
  readonly version: InputsVersion;
}

export interface FellDue extends ResolvedOccurrence {
  /** When it fell due: at `dueAt`, or at the later change that put it behind. */
  readonly at: number;
}

/** `after` is excluded, `until` included. */
export interface Window {
  readonly after: number;
  readonly until: number;
}

/**
 * Everything that fell due in a window, in the order in which it did (nominal date among equals):
 *
 * - an occurrence at its instant, when that is strictly after the beginning of the version then in
 *   force;
 * - one still to come that a change of zone, local time or policy put behind, at that change: the
 *   same nominal date, or another that is kept on the same day. A change of the date owes nothing.
 *
 * A key is listed again each time that it falls due: twice after a move from Tokyo to New York on
 * the day. Versions that cannot be resolved (unknown zone, no such date) are passed over: nothing
 * falls due while one is in force, and the next one puts behind what was still to come before.
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
  return found.sort((one, other) => one.at - other.at || compare(one, other));
}

/** A version and when it was really in force; `until` is excluded. */
export interface VersionInForce {
  readonly version: InputsVersion;
  readonly from: number;
  readonly until: number;
  readonly isPlannable: boolean;
}

/** Those that were in force for any time at all, the oldest first. */
export function versionsInForce(history: InputsHistory): VersionInForce[] {
  const { createdAt, versions, law } = history;
  const endedAt = history.endedAt ?? Infinity;
  const inForce: VersionInForce[] = [];
  let until = endedAt;
  for (const version of versions.toReversed()) {
    // Clocks that went back: what was written later holds.
    const from = Math.min(Math.max(version.from, createdAt), until);
    if (from < until) {
      const isPlannable = whyVersionUnplannable(version, law) === null;
      inForce.push({ version, from, until, isPlannable });
    }
    until = from;
  }
  return inForce.toReversed();
}

/** Why a version has no occurrences, in words for an operator and without the date; null when it may. */
export function whyVersionUnplannable(version: InputsVersion, law: ZoneLaw): string | null {
  return whyUnplannable({ dateOfBirth: version.date, timezone: version.timezone }, law);
}

/**
 * The occurrences of a version that are due after an instant, by nominal date and so by instant.
 * Of two that fall on one local day, since the calendar there skipped one, there is the first only.
 * `fromNominal` leaves out, cheaply, what is before it.
 */
export function* occurrencesAfter(
  { occasion, law }: Pick<InputsHistory, 'occasion' | 'law'>,
  version: InputsVersion,
  after: number,
  fromNominal = '',
): Generator<ResolvedOccurrence, undefined> {
  const earliest = formatCalendarDate(after - REACH_MS);
  let nominalDate = nominalDateFrom(version, earliest > fromNominal ? earliest : fromNominal);
  let previousDate = '';
  while (nominalDate !== null) {
    const resolved = resolveNominalDate(nominalDate, version, law);
    if (resolved.localDate !== previousDate && resolved.dueAt > after) {
      yield { key: occurrenceKey(occasion, nominalDate), nominalDate, ...resolved, version };
    }
    previousDate = resolved.localDate;
    nominalDate = nominalDateAfter(version, nominalDate);
  }
}

/**
 * The nominal date by which a version names an occurrence: its own, or another that is kept on the
 * same day, as 29 February and the 28th are; null when the version does not name it.
 */
export function nameUnder(version: InputsVersion, occurrence: ResolvedOccurrence): string | null {
  if (namesDate(version, occurrence.nominalDate)) return occurrence.nominalDate;
  const kept = keptDateOf(occurrence.version, occurrence.nominalDate);
  let nominalDate = nominalDateFrom(version, shiftDate(kept, -REACH_MS));
  while (nominalDate !== null) {
    const keptUnder = keptDateOf(version, nominalDate);
    if (keptUnder === kept) return nominalDate;
    if (keptUnder > kept) return null;
    nominalDate = nominalDateAfter(version, nominalDate);
  }
  return null;
}

/** Whether two resolve one and the same occurrence: by key, or by the day on which it is kept. */
export function isSameOccurrence(one: ResolvedOccurrence, other: ResolvedOccurrence): boolean {
  if (one.key === other.key) return true;
  return keptDateOf(one.version, one.nominalDate) === keptDateOf(other.version, other.nominalDate);
}

/**
 * More than all that lies between a nominal date and its instant, or between its instants under
 * two versions: offsets from -16 to +16 h, any two local times, a missing day, a skipped one.
 */
export const REACH_MS = 5 * DAY_MS;

/** What came due while a version was in force. */
function cameDue(history: InputsHistory, current: VersionInForce, window: Window): FellDue[] {
  const found: FellDue[] = [];
  const after = Math.max(current.from, window.after);
  for (const occurrence of occurrencesAfter(history, current.version, after)) {
    if (occurrence.dueAt > window.until || occurrence.dueAt >= current.until) break;
    found.push({ ...occurrence, at: occurrence.dueAt });
  }
  return found;
}

/** What was still to come when the version before ended, and is past as this one begins. */
function putBehind(
  history: InputsHistory,
  before: VersionInForce,
  current: VersionInForce,
): FellDue[] {
  const found: FellDue[] = [];
  const { version, from } = current;
  for (const occurrence of occurrencesAfter(history, version, before.until - REACH_MS)) {
    if (occurrence.dueAt > from) break;
    const nominalBefore = nameUnder(before.version, occurrence);
    if (nominalBefore === null) continue;
    const { dueAt } = resolveNominalDate(nominalBefore, before.version, history.law);
    if (dueAt >= before.until) found.push({ ...occurrence, at: from });
  }
  return found;
}

function keptDateOf({ leapDayPolicy }: InputsVersion, nominalDate: string): string {
  return keptDate(nominalDate, missingDayPolicy(leapDayPolicy));
}

function shiftDate(date: string, ms: number): string {
  return formatCalendarDate(Date.parse(date) + ms);
}

function compare(one: ResolvedOccurrence, other: ResolvedOccurrence): number {
  return one.nominalDate < other.nominalDate ? -1 : Number(one.nominalDate > other.nominalDate);
}
