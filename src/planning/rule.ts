/**
 * The planning rule: which occurrence of an occasion to plan, and what ends all others that fell
 * due. Pure. Instants are epoch ms.
 */
import { isKeyedByYear } from '../ledger/occurrence-key.ts';
import type { EndReason } from '../ledger/types.ts';
import { formatCalendarDate } from '../time/calendar-date.ts';
import { REACH_MS, whyUnplannable } from '../time/occurrence.ts';
import {
  type FellDue,
  type InputsHistory,
  type InputsVersion,
  isSameOccurrence,
  occurrencesAfter,
  type ResolvedOccurrence,
  versionsInForce,
} from './fell-due.ts';
import { type Ended, judgeFallen, type KeyWindow, planStart } from './owed.ts';

export interface PlanInput extends InputsHistory {
  /** The reason that goes with `endedAt`; ignored while the occasion exists. */
  readonly endReason: Extract<EndReason, 'user_deleted' | 'occasion_deleted'>;
  /**
   * Everything that fell due up to this instant is accounted for by rows: the database's clock,
   * read before the last plan locked its inputs. Null before the first plan. A plan that results in
   * `blocked` does not change it.
   */
  readonly plannedAt: number | null;
  /** The PENDING or PROCESSING row, without redeliveries. */
  readonly open: OpenRow | null;
  /** Nominal date of the final row with the latest one (`isFinal`); null before the first. */
  readonly lastSettled: string | null;
  /** Nominal dates of final rows, from `finalDatesFrom` on, with the last one. */
  readonly finalDates: readonly string[];
  /**
   * Whether an occurrence is never planned again: COMPLETED, FAILED (except for `date_changed`) or
   * ever redelivered, under its key or, as before its recurrence changed, under another one that is
   * kept on the same day. Called only for nominal dates from `finalDatesFrom` on.
   */
  readonly isFinal: (occurrence: ResolvedOccurrence) => boolean;
  /** The database's clock. */
  readonly now: number;
  /** The earlier of the database's clock and the process's: decides `too_late`. */
  readonly lateNow: number;
  /** How late a first attempt may be, in ms. */
  readonly lateLimitMs: number;
}

export interface OpenRow {
  readonly key: string;
  readonly nominalDate: string;
  /** Null when it is blocked. */
  readonly dueAt: number | null;
  /** For all due instants. */
  readonly attempts: number;
  /** For this due instant. */
  readonly firstAttemptAt: number | null;
}

/** What to write, in this order: settle or remove the open row, record missed occurrences, plan. */
export interface PlanDecision {
  readonly open: OpenDecision;
  /**
   * Fell due, and must not be attempted: SKIPPED. Never the open row's key, nor the planned one's.
   */
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
      /** What fell due is owed at once; its version may be older than the current one. */
      readonly occurrence: ResolvedOccurrence | FellDue;
      /** When the next occurrence falls due; null when none does. */
      readonly supersededAt: number | null;
    }
  /** It has no instant. The open row's key, or the likely one. */
  | {
      readonly kind: 'blocked';
      readonly key: string;
      readonly nominalDate: string;
      readonly version: InputsVersion;
      /** In words for an operator, without the date. */
      readonly reason: string;
    }
  /** No occurrence follows. */
  | { readonly kind: 'none' };

/**
 * Plans the latest that fell due, if nothing has ended it since; otherwise the first future one,
 * even one before the row that is open now. All others that fell due end with the reason that came
 * first. Throws a RangeError if an existing occasion has no inputs.
 */
export function decidePlan(input: PlanInput): PlanDecision {
  const { open, plannedAt } = input;
  const inForce = versionsInForce(input);
  const { owed, ended } = judgeFallen(input, inForce);
  const next = decideNext(input, inForce.at(-1)?.version, owed);
  const plannedKey = keyOf(next);
  const skipped = [...ended.values()].filter(
    ({ key, at }) =>
      key !== open?.key && key !== plannedKey && (plannedAt === null || at > plannedAt),
  );
  return { open: decideOpen(input, ended, plannedKey), skipped, next };
}

/**
 * The nominal date from which a plan calls `isFinal`: the planner has to read rows from there on.
 */
export function finalDatesFrom(input: KeyWindow): string {
  const date = formatCalendarDate(planStart(input) - 2 * REACH_MS);
  const hasYears = input.versions.some(({ recurrence }) => isKeyedByYear(recurrence));
  return hasYears ? `${date.slice(0, 4)}-01-01` : date;
}

function decideNext(
  input: PlanInput,
  current: InputsVersion | undefined,
  owed: FellDue | null,
): NextPlan {
  if (input.endedAt !== null) return { kind: 'none' };
  if (current === undefined) throw new RangeError('The occasion has no schedule inputs.');
  const reason = whyUnplannable(current, input.tz);
  return reason === null
    ? planNext(input, current, owed)
    : planBlocked(input, current, owed, reason);
}

/** What is owed, or the first future one; and when its successor supersedes it. */
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
  return { kind: 'planned', occurrence: planned, supersededAt };
}

/** What can still be planned after now, in order. */
function* toCome(input: PlanInput, current: InputsVersion): Generator<ResolvedOccurrence, void> {
  const settled = current.recurrence === 'once' ? '' : (input.lastSettled ?? '');
  const now = Math.max(input.now, current.from);
  for (const occurrence of occurrencesAfter(input, current, now, settled)) {
    if (occurrence.nominalDate > settled && !input.isFinal(occurrence)) yield occurrence;
  }
}

function decideOpen(
  { open, endedAt, endReason }: PlanInput,
  ended: ReadonlyMap<string, Ended>,
  plannedKey: string | null,
): OpenDecision {
  if (open === null) return { action: 'none' };
  if (open.key === plannedKey) return { action: 'keep' };
  const end = ended.get(open.key);
  if (end !== undefined) {
    const isRight = open.attempts > 0 || open.dueAt === end.dueAt;
    return { action: 'settle', reason: end.reason, occurrence: isRight ? null : end };
  }
  if (endedAt !== null) return { action: 'settle', reason: endReason, occurrence: null };
  if (open.attempts === 0) return { action: 'remove' };
  return { action: 'settle', reason: 'date_changed', occurrence: null };
}

function keyOf(next: NextPlan): string | null {
  if (next.kind === 'none') return null;
  return next.kind === 'blocked' ? next.key : next.occurrence.key;
}

/** Nothing can be resolved: the row stays, or one is written, so that an operator sees it. */
function planBlocked(
  input: PlanInput,
  version: InputsVersion,
  owed: FellDue | null,
  reason: string,
): NextPlan {
  const row = input.open ?? owed ?? likelyOccurrence(input, version);
  if (row === null) return { kind: 'none' };
  const { key, nominalDate } = row;
  return { kind: 'blocked', key, nominalDate, version, reason };
}

/**
 * A row needs a nominal date before its instant is known: computed as in UTC; without a date, from
 * today.
 */
function likelyOccurrence(input: PlanInput, version: InputsVersion): ResolvedOccurrence | null {
  let likely: InputsVersion = { ...version, timezone: 'UTC' };
  if (whyUnplannable(likely, input.tz) !== null) {
    // A birthday begins only a year later.
    const recurrence = version.recurrence === 'birthday' ? 'yearly' : version.recurrence;
    likely = { ...likely, date: formatCalendarDate(input.now), recurrence };
  }
  for (const occurrence of toCome(input, likely)) return occurrence;
  return null;
}
