import { anniversaryIn, parseCalendarDate } from './calendar-date.ts';
import {
  firstOccurrenceAfter,
  type Occurrence,
  type OccurrenceFacts,
  occurrenceInYear,
  whyUnplannable,
} from './occurrence.ts';
import type { DateRules } from './rules.ts';

/** What a plan is made from. Instants are epoch ms. */
export interface PlanInput {
  readonly facts: PlanFacts;
  /** The row that is planned or being attempted, if there is one. */
  readonly open: OpenRow | null;
  /** The years that are settled for good; one that is being redelivered counts as settled. */
  readonly final: readonly FinalRow[];
  readonly now: number;
  readonly rules: DateRules;
  /** How late a first attempt may be. */
  readonly lateLimitMs: number;
}

export interface PlanFacts extends OccurrenceFacts {
  readonly createdAt: number;
  /** When date of birth or zone last changed; at first, `createdAt`. */
  readonly changedAt: number;
}

export interface OpenRow {
  readonly year: number;
  /** The date of birth and the zone that it was planned with. */
  readonly anchorDate: string;
  readonly timezone: string;
  /** Null when it could not be planned. */
  readonly fireAt: number | null;
  readonly attempts: number;
}

export interface FinalRow {
  readonly year: number;
  readonly fireAt: number | null;
}

/** What to write, in this order: settle or remove the open row, record what was missed, plan. */
export interface PlanDecision {
  readonly open: OpenDecision;
  /** Occurrences that never had a row and are too late to be owed: SKIPPED, `too_late`. */
  readonly skipped: readonly MissedOccurrence[];
  readonly next: NextPlan;
}

export type OpenDecision =
  | { readonly action: 'none' }
  /** The row stays; `next` is its year, with the same instant or another. */
  | { readonly action: 'keep' }
  | { readonly action: 'skip'; readonly reason: 'too_late'; readonly missed: MissedOccurrence }
  | { readonly action: 'skip'; readonly reason: 'date_changed' }
  /** Only ever a row without attempts. */
  | { readonly action: 'remove' };

/** An occurrence that is too late to be owed, and the facts that it was due by. */
export interface MissedOccurrence extends Occurrence {
  readonly facts: OccurrenceFacts;
}

export type NextPlan =
  /** Owed, and due at once, when its instant has passed. */
  | { readonly kind: 'planned'; readonly occurrence: Occurrence }
  | { readonly kind: 'blocked'; readonly year: number; readonly reason: string };

/**
 * The planning rule, section 3 of the design, in two steps: what becomes of the open row
 * under the facts of now; then the first occurrence after the latest of creation, last
 * change and last settled occurrence, unless the open row comes first.
 */
export function decidePlan(input: PlanInput): PlanDecision {
  const reason = whyUnplannable(input.facts, input.rules.law);
  if (reason !== null) return decideBlocked(input, reason);

  const judged = judgeOpen(input);
  const kept = judged.action === 'keep' ? judged.occurrence : null;
  // An occurrence that was tried goes on: another in its place would leave it half done.
  if (kept !== null && input.open !== null && input.open.attempts > 0) {
    return { open: { action: 'keep' }, skipped: [], next: { kind: 'planned', occurrence: kept } };
  }
  const { next, missed } = findNext(input, kept);
  return {
    open: settleOpen(judged, input.open, next, missed),
    skipped: missed.filter(({ year }) => year !== input.open?.year),
    next: { kind: 'planned', occurrence: next },
  };
}

type JudgedOpen =
  | Exclude<OpenDecision, { action: 'keep' }>
  | { readonly action: 'keep'; readonly occurrence: Occurrence };

/** Step one: the open row, resolved anew. */
function judgeOpen(input: PlanInput): JudgedOpen {
  const { facts, open, now } = input;
  if (open === null) return { action: 'none' };
  const tried = open.attempts > 0;
  const dropped: JudgedOpen = tried
    ? { action: 'skip', reason: 'date_changed' }
    : { action: 'remove' };
  // A row that was blocked is planned anew, as if it had never been.
  if (open.fireAt === null && !tried) return { action: 'remove' };
  if (open.year <= Number(facts.dateOfBirth.slice(0, 4))) return dropped;

  const occurrence = occurrenceInYear(facts, open.year, input.rules);
  if (occurrence.fireAt > now) return { action: 'keep', occurrence };
  // Not owed when it was past already as the day became this one; if it passed since, it is.
  if (isDayChanged(input, open) && occurrence.fireAt <= facts.changedAt) return dropped;
  if (tried || isWithinLimit(occurrence, input)) return { action: 'keep', occurrence };
  return { action: 'skip', reason: 'too_late', missed: missedBy(facts, occurrence) };
}

/** Step two: the first occurrence that is to come or owed; those missed on the way, the open row too. */
function findNext(
  input: PlanInput,
  kept: Occurrence | null,
): { next: Occurrence; missed: MissedOccurrence[] } {
  const { facts, open, now } = input;
  const settledYears = new Set(input.final.map(({ year }) => year));

  const missed: MissedOccurrence[] = [];
  let after = latestOf(input);
  for (;;) {
    const next = firstOccurrenceAfter(facts, after, input.rules, (year) => settledYears.has(year));
    if (kept !== null && next.year >= kept.year) return { next: kept, missed };
    if (next.fireAt > now) return { next, missed };
    if (!wasNeverDue(next, open, facts)) {
      if (isWithinLimit(next, input)) return { next, missed };
      missed.push(missedBy(facts, next));
    }
    after = next.fireAt;
  }
}

/**
 * A row for a later year, planned with these same facts, shows that this occurrence was
 * not due by the rules of that time: a new leap-day rule or local time owes nobody a
 * past day.
 */
function wasNeverDue(occurrence: Occurrence, open: OpenRow | null, facts: PlanFacts): boolean {
  return (
    open !== null &&
    open.fireAt !== null &&
    occurrence.year < open.year &&
    open.anchorDate === facts.dateOfBirth &&
    open.timezone === facts.timezone
  );
}

/** What the open row comes to, when step two has been taken too. */
function settleOpen(
  judged: JudgedOpen,
  open: OpenRow | null,
  next: Occurrence,
  missed: readonly MissedOccurrence[],
): OpenDecision {
  if (judged.action === 'none' || judged.action === 'skip') return judged;
  const missedOpen = missed.find(({ year }) => year === open?.year);
  if (missedOpen) return { action: 'skip', reason: 'too_late', missed: missedOpen };
  return next.year === open?.year ? { action: 'keep' } : { action: 'remove' };
}

/** Nothing can be resolved: the row stays, or one is made, so that an operator sees it. */
function decideBlocked(input: PlanInput, reason: string): PlanDecision {
  const { open } = input;
  const year = open?.year ?? likelyYear(input);
  return {
    open: { action: open === null ? 'none' : 'keep' },
    skipped: [],
    next: { kind: 'blocked', year, reason },
  };
}

/** A row needs a year before its instant is known: that of UTC is right but for the eve of New Year. */
function likelyYear(input: PlanInput): number {
  const finalYears = input.final.map(({ year }) => year);
  const facts = { dateOfBirth: input.facts.dateOfBirth, timezone: 'UTC' };
  if (whyUnplannable(facts, input.rules.law) !== null) {
    return Math.max(new Date(input.now).getUTCFullYear(), ...finalYears.map((year) => year + 1));
  }
  return firstOccurrenceAfter(facts, latestOf(input), input.rules, (year) =>
    finalYears.includes(year),
  ).year;
}

/** The latest of creation, last change and last settled occurrence. */
function latestOf({ facts, final, now }: PlanInput): number {
  // What was settled before its instant came does not hide what lies between.
  const settled = final.map(({ fireAt }) => Math.min(fireAt ?? -Infinity, now));
  return Math.max(facts.createdAt, facts.changedAt, ...settled);
}

/** Whether the row's day is another now. A corrected year of birth leaves it where it was. */
function isDayChanged({ facts, rules }: PlanInput, open: OpenRow): boolean {
  const [was, is] = [open.anchorDate, facts.dateOfBirth].map((text) => {
    const anchor = parseCalendarDate(text);
    return anchor && anniversaryIn(open.year, anchor, rules.leapDayPolicy);
  });
  return was?.month !== is?.month || was?.day !== is?.day;
}

function missedBy({ dateOfBirth, timezone }: OccurrenceFacts, occurrence: Occurrence) {
  return { ...occurrence, facts: { dateOfBirth, timezone } };
}

function isWithinLimit({ fireAt }: Occurrence, { now, lateLimitMs }: PlanInput): boolean {
  return now - fireAt <= lateLimitMs;
}
