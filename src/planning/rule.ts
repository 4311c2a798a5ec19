/**
 * The planning rule: what is to be planned of an occasion, and what becomes of all else that fell
 * due. Pure. Instants are epoch ms.
 */
import { occurrenceKey } from '../ledger/occurrence-key.ts';
import type { EndReason, OccasionRef } from '../ledger/types.ts';
import { formatCalendarDate } from '../time/calendar-date.ts';
import { REACH_MS, whyUnplannable } from '../time/occurrence.ts';
import { keptDate } from '../time/recurrence.ts';
import {
  type FellDue,
  fellDue,
  type InputsHistory,
  type InputsVersion,
  isSameOccurrence,
  nameUnder,
  occurrencesAfter,
  type ResolvedOccurrence,
  type VersionInForce,
  versionsInForce,
} from './fell-due.ts';

export interface PlanInput extends InputsHistory {
  /** The word for `endedAt`; ignored while the occasion exists. */
  readonly endReason: Extract<EndReason, 'user_deleted' | 'occasion_deleted'>;
  /**
   * What fell due up to this instant is accounted for by rows: the database's clock as it was read
   * before the last plan locked its inputs. Null before the first plan. It stays what it was while
   * a plan comes to `blocked`.
   */
  readonly plannedAt: number | null;
  /** The PENDING or PROCESSING row, redeliveries aside. */
  readonly open: OpenRow | null;
  /** Nominal date of the final row with the latest one (`isFinal`); null before the first. */
  readonly lastSettled: string | null;
  /**
   * Whether a key is never planned again: COMPLETED, FAILED (but for `date_changed`) or ever
   * redelivered. Asked only about keys of nominal dates from `finalKeysFrom` on.
   */
  readonly isFinal: (key: string) => boolean;
  /** The database's clock. */
  readonly now: number;
  /** The earlier of the database's clock and the process's: what `too_late` is judged by. */
  readonly lateNow: number;
  /** How late a first attempt may be, in ms. */
  readonly lateLimitMs: number;
}

export interface OpenRow {
  readonly key: string;
  readonly nominalDate: string;
  /** Null when it is blocked. */
  readonly dueAt: number | null;
  /** Of all due instants. */
  readonly attempts: number;
  /** Of this due instant. */
  readonly firstAttemptAt: number | null;
}

/** What to write, in this order: settle or remove the open row, record what was missed, plan. */
export interface PlanDecision {
  readonly open: OpenDecision;
  /** Fell due, and is not to be attempted: SKIPPED. Never the open row's key, nor the planned one's. */
  readonly skipped: readonly SkippedOccurrence[];
  readonly next: NextPlan;
}

export type OpenDecision =
  /** There is no open row. */
  | { readonly action: 'none' }
  /** The row stays; `next` has its key, with the same instant or another. */
  | { readonly action: 'keep' }
  /** Never attempted, never fell due. */
  | { readonly action: 'remove' }
  | {
      readonly action: 'settle';
      readonly reason: EndReason;
      /** As it fell due, if the row was never attempted and has another due instant; else null. */
      readonly occurrence: ResolvedOccurrence | null;
    };

export interface SkippedOccurrence extends ResolvedOccurrence {
  readonly reason: EndReason;
}

export type NextPlan =
  | {
      readonly kind: 'planned';
      readonly occurrence: ResolvedOccurrence;
      /** It fell due, and is owed at once; its version may be an earlier one than today's. */
      readonly fellDue: boolean;
      /** When the next occurrence falls due; null when none does. */
      readonly supersededAt: number | null;
    }
  /** There is no instant. The open row's key, or the likely one. */
  | {
      readonly kind: 'blocked';
      readonly key: string;
      readonly nominalDate: string;
      readonly version: InputsVersion;
      /** In words for an operator, without the date. */
      readonly reason: string;
    }
  /** Nothing is to come. */
  | { readonly kind: 'none' };

/**
 * Planned is the latest that fell due, if nothing has ended it since; otherwise the first to come,
 * also before the row that is open now. All others that fell due end with the reason that came
 * first. Throws a RangeError when an occasion that exists has no inputs.
 */
export function decidePlan(input: PlanInput): PlanDecision {
  const inForce = versionsInForce(input);
  const fallen = judgeFallen(input, inForce);
  if (input.endedAt !== null) return decide(input, fallen, { kind: 'none' });
  const current = inForce.at(-1)?.version;
  if (current === undefined) throw new RangeError('The occasion has no schedule inputs.');
  const reason = whyUnplannable(current, input.tz);
  const next =
    reason === null
      ? planNext(input, current, fallen.owed)
      : planBlocked(input, current, fallen.owed, reason);
  return decide(input, fallen, next);
}

/** The nominal date from which on a plan asks `isFinal`: what the planner has to read. */
export function finalKeysFrom(input: KeyWindow): string {
  return firstDateOfKey(input.occasion, formatCalendarDate(planStart(input) - 2 * REACH_MS));
}

interface Fallen {
  /** What fell due and nothing has ended. */
  readonly owed: FellDue | null;
  /** What ended, by key. A key that fell due again has its last end. */
  readonly ended: ReadonlyMap<string, FellDue & SkippedOccurrence>;
}

/**
 * What became of everything that fell due since the last plan, and of what may bear on it from
 * some days before, or since the open row's key can have fallen due at all.
 */
function judgeFallen(input: PlanInput, inForce: readonly VersionInForce[]): Fallen {
  const found = fellDue(input, {
    after: planStart(input) - REACH_MS,
    until: nowOf(input, inForce.at(-1)),
  });
  const { isFinal } = input;
  const final = found.filter(({ key }) => isFinal(key));

  const ended = new Map<string, FellDue & SkippedOccurrence>();
  const end = (occurrence: FellDue, reason: EndReason) =>
    ended.set(occurrence.key, { ...occurrence, reason });
  let owed: { readonly occurrence: FellDue; readonly end: End | null } | null = null;
  for (const occurrence of found) {
    if (final.includes(occurrence)) continue;
    if (owed?.end && owed.end.at <= occurrence.at) {
      end(owed.occurrence, owed.end.reason);
    } else if (owed !== null) {
      // It is owed already, since an earlier instant.
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
  return { owed: owed?.end === null ? owed.occurrence : null, ended };
}

interface End {
  readonly at: number;
  readonly reason: EndReason;
}

/** What ended an occurrence first, those that fell due later aside; null: nothing has. */
function firstEnd(
  input: PlanInput,
  inForce: readonly VersionInForce[],
  occurrence: FellDue,
  final: readonly FellDue[],
): End | null {
  const { lastSettled, endedAt, endReason, lateNow, lateLimitMs } = input;
  // In order of precedence, where two came at once.
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
  const settledAt = passedOverAt(occurrence, final, lastSettled);
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
 * When one with a later nominal date, which is settled for good, had fallen due, and so nothing
 * before it is sent any more; null if there is none. One that is not `found` fell due long before.
 */
function passedOverAt(
  { at, nominalDate, version }: FellDue,
  final: readonly FellDue[],
  lastSettled: string | null,
): number | null {
  if (version.recurrence === 'once' || lastSettled === null || nominalDate >= lastSettled) {
    return null;
  }
  const later = final.filter((one) => one.nominalDate > nominalDate);
  const isFound = later.some((one) => one.nominalDate === lastSettled);
  return Math.max(at, isFound ? Math.min(...later.map((one) => one.at)) : at);
}

/** What is late to the limit is not late yet. A microsecond: the database's clock has no less. */
const AN_INSTANT_MS = 0.001;

type KeyWindow = Pick<PlanInput, 'occasion' | 'createdAt' | 'plannedAt' | 'open'>;

/**
 * From the last plan, and from before the open row's key can have fallen due at all: a key of the
 * year falls due again when the date is corrected.
 */
function planStart({ occasion, createdAt, plannedAt, open }: KeyWindow): number {
  const start = plannedAt ?? createdAt;
  return open === null
    ? start
    : Math.min(start, earliestOf(firstDateOfKey(occasion, open.nominalDate)));
}

/** Before a nominal date can have fallen due, whatever the inputs. */
function earliestOf(nominalDate: string): number {
  return Date.parse(keptDate(nominalDate, 'feb28')) - REACH_MS;
}

/** The first nominal date that can have the same key. */
function firstDateOfKey({ type }: OccasionRef, nominalDate: string): string {
  return type === 'birthday' ? `${nominalDate.slice(0, 4)}-01-01` : nominalDate;
}

/** Not before the last change, by whichever clock that was dated. */
function nowOf({ now }: PlanInput, current: VersionInForce | undefined): number {
  return Math.max(now, current?.from ?? now);
}

/** Attempted for this due instant. */
function isAttempted(open: OpenRow | null, { key, dueAt }: FellDue): boolean {
  return open?.key === key && open.dueAt === dueAt && open.firstAttemptAt !== null;
}

/** Attempted before the row moved on to the later due instant that it has now. */
function wasAttempted(open: OpenRow | null, { key, dueAt }: FellDue): boolean {
  if (open?.key !== key || open.dueAt === null || open.dueAt <= dueAt) return false;
  return open.attempts > 0 && open.firstAttemptAt === null;
}

/** What is owed, or the first to come; and when the one after it supersedes it. */
function planNext(input: PlanInput, current: InputsVersion, owed: FellDue | null): NextPlan {
  let planned: ResolvedOccurrence | null = owed;
  let supersededAt: number | null = null;
  for (const occurrence of toCome(input, current)) {
    if (planned === null) {
      planned = occurrence;
    } else if (
      occurrence.nominalDate > planned.nominalDate &&
      !isSameOccurrence(occurrence, planned)
    ) {
      supersededAt = occurrence.dueAt;
      break;
    }
  }
  if (planned === null) return { kind: 'none' };
  return { kind: 'planned', occurrence: planned, fellDue: planned === owed, supersededAt };
}

/** What can still be planned after now, in order. */
function* toCome(input: PlanInput, current: InputsVersion): Generator<ResolvedOccurrence, void> {
  const settled = current.recurrence === 'once' ? '' : (input.lastSettled ?? '');
  const now = Math.max(input.now, current.from);
  for (const occurrence of occurrencesAfter(input, current, now, settled)) {
    if (occurrence.nominalDate > settled && !input.isFinal(occurrence.key)) yield occurrence;
  }
}

function decide(input: PlanInput, fallen: Fallen, next: NextPlan): PlanDecision {
  const { open, plannedAt, endedAt, endReason } = input;
  const plannedKey = keyOf(next);
  return { open: decideOpen(), skipped: findSkipped(), next };

  function decideOpen(): OpenDecision {
    if (open === null) return { action: 'none' };
    if (open.key === plannedKey) return { action: 'keep' };
    const end = fallen.ended.get(open.key);
    if (end !== undefined) {
      const isRight = open.attempts > 0 || open.dueAt === end.dueAt;
      return { action: 'settle', reason: end.reason, occurrence: isRight ? null : end };
    }
    if (endedAt !== null) return { action: 'settle', reason: endReason, occurrence: null };
    if (open.attempts === 0) return { action: 'remove' };
    return { action: 'settle', reason: 'date_changed', occurrence: null };
  }

  function findSkipped(): SkippedOccurrence[] {
    return [...fallen.ended.values()].filter(
      ({ key, at }) =>
        key !== open?.key && key !== plannedKey && (plannedAt === null || at > plannedAt),
    );
  }
}

function keyOf(next: NextPlan): string | null {
  if (next.kind === 'none') return null;
  return next.kind === 'blocked' ? next.key : next.occurrence.key;
}

/** Nothing can be resolved: the row stays, or one is made, so that an operator sees it. */
function planBlocked(
  input: PlanInput,
  version: InputsVersion,
  owed: FellDue | null,
  reason: string,
): NextPlan {
  const nominalDate =
    input.open?.nominalDate ?? owed?.nominalDate ?? likelyDate(input, version) ?? null;
  if (nominalDate === null) return { kind: 'none' };
  const key = occurrenceKey(input.occasion, nominalDate);
  return { kind: 'blocked', key, nominalDate, version, reason };
}

/** A row needs a nominal date before its instant is known: as in UTC, and of no date, of today. */
function likelyDate(input: PlanInput, version: InputsVersion): string | null {
  let likely: InputsVersion = { ...version, timezone: 'UTC' };
  if (whyUnplannable(likely, input.tz) !== null) {
    // A birthday begins only a year later.
    const recurrence = version.recurrence === 'birthday' ? 'yearly' : version.recurrence;
    likely = { ...likely, date: formatCalendarDate(input.now), recurrence };
  }
  for (const { nominalDate } of toCome(input, likely)) return nominalDate;
  return null;
}
