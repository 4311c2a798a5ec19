import { type OccurrenceFacts, occurrenceInYear, whyUnplannable } from './occurrence.ts';
import {
  decidePlan,
  type FinalRow,
  type MissedOccurrence,
  type NextPlan,
  type OpenDecision,
  type OpenRow,
  type PlanDecision,
  type PlanInput,
} from './planning.ts';

/** What was true of a user from an instant (epoch ms) on. */
export interface DatedFacts extends OccurrenceFacts {
  readonly from: number;
}

/**
 * The planning rule for a user who has changed more than once since the last plan, because
 * whatever plans was away: it comes to what a plan at each change would have come to, with
 * nothing sent meanwhile. `history` is what was true since the last plan, the oldest first
 * and the present last; without an open row, beginning with what was true at that plan, or
 * at creation. With fewer than two entries it is `decidePlan`.
 *
 * Only what is written is settled: a year that was too late in between and that a later
 * change made one to come is planned, since a change never burns a year.
 */
export function decidePlanSince(input: PlanInput, history: readonly DatedFacts[]): PlanDecision {
  if (history.length < 2) return decidePlan(input);
  const { now, final } = input;
  const { createdAt } = input.facts;
  const settledAt = final.map(({ fireAt }) => fireAt ?? now).filter((at) => at < now);

  let ledger: Ledger = { open: input.open, skipped: [] };
  for (const { from, ...facts } of history) {
    // Nothing was planned before what was last sent; clocks of two machines may differ.
    const at = Math.min(now, Math.max(from, ...settledAt));
    const step = { ...input, facts: { ...facts, createdAt, changedAt: from }, now: at };
    ledger = advance(ledger, step).ledger;
  }
  const { ledger: last, next } = advance(ledger, input);
  return {
    open: settleOpen(input.open, last.skipped, next),
    skipped: last.skipped.flatMap(({ year, missed }) =>
      missed === null || year === input.open?.year ? [] : [missed],
    ),
    next,
  };
}

/** What the ledger would hold, had each plan been made at its time. */
interface Ledger {
  readonly open: OpenRow | null;
  readonly skipped: readonly SkippedRow[];
}

interface SkippedRow extends FinalRow {
  /** Null when it was tried, and then its date was changed. */
  readonly missed: MissedOccurrence | null;
}

/** One plan. `input.open` is the row that is really there. */
function advance(
  { open, skipped: earlier }: Ledger,
  input: PlanInput,
): { ledger: Ledger; next: NextPlan } {
  const skipped = earlier.filter(({ year }) => !isToCome(year, input));
  const decision = decidePlan({ ...input, open, final: [...input.final, ...skipped] });
  const { open: judged, next } = decision;
  // What can't be planned has decided nothing.
  if (next.kind === 'blocked') return { ledger: { open, skipped: earlier }, next };

  const missed = [...decision.skipped];
  if (judged.action === 'skip' && judged.reason === 'too_late') missed.push(judged.missed);
  if (judged.action === 'skip' && judged.reason === 'date_changed' && open !== null) {
    skipped.push({ year: open.year, fireAt: open.fireAt, missed: null });
  }
  for (const row of missed) skipped.push({ year: row.year, fireAt: row.fireAt, missed: row });

  const { year, fireAt } = next.occurrence;
  const { dateOfBirth: anchorDate, timezone } = input.facts;
  const attempts = year === input.open?.year ? input.open.attempts : 0;
  return { ledger: { open: { year, anchorDate, timezone, fireAt, attempts }, skipped }, next };
}

/** Whether a year that was settled on the way has its day before it again. */
function isToCome(year: number, { facts, now, rules }: PlanInput): boolean {
  if (whyUnplannable(facts, rules.law) !== null) return false;
  if (year <= Number(facts.dateOfBirth.slice(0, 4))) return false;
  return occurrenceInYear(facts, year, rules).fireAt > now;
}

/** What all of it comes to for the row that is really there. */
function settleOpen(
  open: OpenRow | null,
  skipped: readonly SkippedRow[],
  next: NextPlan,
): OpenDecision {
  if (open === null) return { action: 'none' };
  const year = next.kind === 'planned' ? next.occurrence.year : next.year;
  if (year === open.year) return { action: 'keep' };
  const settled = skipped.find((row) => row.year === open.year);
  if (settled?.missed) return { action: 'skip', reason: 'too_late', missed: settled.missed };
  // A row that was tried is never removed.
  if (open.attempts > 0) return { action: 'skip', reason: 'date_changed' };
  return { action: 'remove' };
}
