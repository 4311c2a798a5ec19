/** Judges what fell due: what is owed, and what ended the rest. Pure. */
import { firstDateOfKey } from '../ledger/occurrence-key.ts';
import type { EndReason } from '../ledger/types.ts';
import { DAY_MS } from '../time/calendar-date.ts';
import { REACH_MS } from '../time/occurrence.ts';
import { keptDate } from '../time/recurrence.ts';
import {
  type FellDue,
  fellDue,
  isSameOccurrence,
  nameUnder,
  type VersionInForce,
} from './fell-due.ts';
import type { OpenRow, PlanInput, SkippedOccurrence } from './rule.ts';

export type Ended = FellDue & SkippedOccurrence;

/**
 * Judges everything that fell due since the last plan, and what may affect it from some days
 * before, or since the open row's key can have fallen due at all. Returns what is `owed`, because
 * nothing has ended it, and what `ended`, by key: one that fell due again has its last end.
 */
export function judgeFallen(input: PlanInput, inForce: readonly VersionInForce[]) {
  const found = fellDue(input, {
    after: planStart(input) - REACH_MS,
    // Not before the last change, by whichever clock that has its instant.
    until: Math.max(input.now, inForce.at(-1)?.from ?? -Infinity),
  });
  const { isFinal } = input;
  const final = found.filter(isFinal);

  const ended = new Map<string, Ended>();
  const end = (occurrence: FellDue, reason: EndReason) =>
    ended.set(occurrence.key, { ...occurrence, reason });
  let owed: { readonly occurrence: FellDue; readonly end: End | null } | null = null;
  for (const occurrence of found) {
    if (final.includes(occurrence)) continue;
    if (owed?.end && owed.end.at <= occurrence.at) {
      end(owed.occurrence, owed.end.reason);
    } else if (owed !== null) {
      // It is owed already, from an earlier instant.
      if (isSameOccurrence(owed.occurrence, occurrence)) continue;
      if (occurrence.nominalDate < owed.occurrence.nominalDate) {
        end(occurrence, 'superseded');
        continue;
      }
      end(owed.occurrence, 'superseded');
    }
    owed = { occurrence, end: firstEnd(input, inForce, occurrence, final) };
  }
  if (owed?.end) end(owed.occurrence, owed.end.reason);
  return { owed: owed?.end === null ? owed.occurrence : null, ended } as const;
}

interface End {
  readonly at: number;
  readonly reason: EndReason;
}

/** What ended an occurrence first, ignoring those that fell due later; null if nothing has. */
function firstEnd(
  input: PlanInput,
  inForce: readonly VersionInForce[],
  occurrence: FellDue,
  final: readonly FellDue[],
): End | null {
  const { finalDates, endedAt, endReason, lateNow, lateLimitMs } = input;
  // In order of precedence, if two happened at once.
  const ends: End[] = [];
  for (const { version, from, isPlannable } of inForce) {
    if (from <= occurrence.at && version !== occurrence.version) continue;
    const at = Math.max(from, occurrence.at);
    if (isPlannable && nameUnder(version, occurrence) === null) {
      ends.push({ at, reason: 'date_changed' });
    }
    if (version.suspended) ends.push({ at, reason: 'suspended' });
  }
  if (endedAt !== null) ends.push({ at: endedAt, reason: endReason });
  const settledAt = passedOverAt(occurrence, final, finalDates);
  if (settledAt !== null) ends.push({ at: settledAt, reason: 'superseded' });
  const lateAt = occurrence.dueAt + lateLimitMs;
  const isKnownEnd = ends.length > 0 && wasAttempted(input.open, occurrence);
  if (lateNow > lateAt && !isAttempted(input.open, occurrence) && !isKnownEnd) {
    ends.push({ at: Math.max(lateAt + AN_INSTANT_MS, occurrence.at), reason: 'too_late' });
  }
  const [first = null] = ends.toSorted((one, other) => one.at - other.at);
  return first;
}

/**
 * When one with a later nominal date, which is finally settled, had fallen due, so that nothing
 * before it is sent any more; null if there is none. One that is not in `final`, which holds all
 * that were found, fell due long before: as when it was due more days ahead than this one is.
 */
function passedOverAt(
  { at, nominalDate, version }: FellDue,
  final: readonly FellDue[],
  finalDates: readonly string[],
): number | null {
  const later = finalDates.filter((date) => date > nominalDate);
  if (version.recurrence === 'once' || later.length === 0) return null;
  const found = final.filter((one) => one.nominalDate > nominalDate);
  const areFound = later.every((date) => found.some((one) => one.nominalDate === date));
  return Math.max(at, areFound ? Math.min(...found.map((one) => one.at)) : at);
}

/** Lateness of exactly the limit is still in time. A microsecond is the resolution of the database's clock. */
const AN_INSTANT_MS = 0.001;

export type KeyWindow = Pick<PlanInput, 'createdAt' | 'plannedAt' | 'open' | 'versions'>;

/**
 * The last plan, or the earliest instant at which the open row's key can have fallen due: a key of
 * the year falls due again when the date is corrected.
 */
export function planStart({ createdAt, plannedAt, open, versions }: KeyWindow): number {
  const start = plannedAt ?? createdAt;
  if (open === null) return start;
  const firstDate = keptDate(firstDateOfKey(open.key, open.nominalDate), 'feb28');
  const offsetDays = Math.max(0, ...versions.map((version) => version.offsetDays));
  return Math.min(start, Date.parse(firstDate) - offsetDays * DAY_MS - REACH_MS);
}

/** Whether it was attempted for this due instant. */
function isAttempted(open: OpenRow | null, { key, dueAt }: FellDue): boolean {
  return open?.key === key && open.dueAt === dueAt && open.firstAttemptAt !== null;
}

/** Whether it was attempted before the row moved to its current, later due instant. */
function wasAttempted(open: OpenRow | null, { key, dueAt }: FellDue): boolean {
  if (open?.key !== key || open.dueAt === null || open.dueAt <= dueAt) return false;
  return open.attempts > 0 && open.firstAttemptAt === null;
}
