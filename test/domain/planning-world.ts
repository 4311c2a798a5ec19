/**
 * One user's years, played fast: changes of mind, downtime, failing receivers. Each plan
 * is held against what must be true of any plan, each delivery against what was sent.
 */
import {
  occurrenceInYear,
  firstOccurrenceAfter,
  type Occurrence,
} from '../../src/domain/occurrence.ts';
import {
  decidePlan,
  type OpenRow,
  type PlanDecision,
  type PlanFacts,
  type PlanInput,
} from '../../src/domain/planning.ts';
import type { DateRules } from '../../src/domain/rules.ts';

const HOUR_MS = 3_600_000;
const LATE_LIMIT_MS = 48 * HOUR_MS;

export type Step =
  | { readonly do: 'wait'; readonly ms: number }
  /** Up to the next instant that is planned, and this much more. */
  | { readonly do: 'waitForNext'; readonly ms: number }
  | { readonly do: 'move'; readonly timezone: string }
  | { readonly do: 'correct'; readonly dateOfBirth: string }
  | { readonly do: 'rule'; readonly rules: DateRules }
  | { readonly do: 'goDown' }
  | { readonly do: 'comeUp' }
  | { readonly do: 'receiver'; readonly answers: Answer };

/** What the receiver says from now on. */
export type Answer = 'yes' | 'not now' | 'never';

export interface World {
  take(step: Step): void;
  now(): number;
  facts(): PlanFacts;
  rules(): DateRules;
  /** The settled years: delivered, given up or skipped. */
  settled(): ReadonlyMap<number, Settled>;
}

export interface Settled {
  readonly state: 'COMPLETED' | 'FAILED' | 'SKIPPED';
  readonly fireAt: number;
}

export function createWorld(
  dateOfBirth: string,
  timezone: string,
  rules: DateRules,
  now: number,
): World {
  let facts: PlanFacts = { dateOfBirth, timezone, createdAt: now, changedAt: now };
  let open: OpenRow | null = null;
  let retryAt = -Infinity;
  let isUp = true;
  let receiver: Answer = 'yes';
  const settled = new Map<number, Settled>();

  function plan(): void {
    const decision = decidePlan(input());
    checkDecision(input(), decision);
    if (decision.next.kind === 'blocked') throw new Error(decision.next.reason);
    const { occurrence } = decision.next;
    if (decision.open.action === 'skip' && open !== null) {
      const { fireAt } = occurrenceInYear(facts, open.year, rules);
      settle(open.year, 'SKIPPED', fireAt);
    }
    for (const { year, fireAt } of decision.skipped) settle(year, 'SKIPPED', fireAt);
    const attempts: number = decision.open.action === 'keep' ? (open?.attempts ?? 0) : 0;
    open = { ...facts, anchorDate: facts.dateOfBirth, ...occurrence, attempts };
    checkSettles(decidePlan(input()), open);
  }

  function input(): PlanInput {
    const final = [...settled].map(([year, { fireAt }]) => ({ year, fireAt }));
    return { facts, open, final, now, rules, lateLimitMs: LATE_LIMIT_MS };
  }

  function settle(year: number, state: Settled['state'], fireAt: number): void {
    check(!settled.has(year), `${year} settled twice`);
    settled.set(year, { state, fireAt });
  }

  /** Lives until `end`, sending whatever is due by then. */
  function live(end: number): void {
    for (;;) {
      const due = Math.max(open?.fireAt ?? Infinity, retryAt, now);
      if (!isUp || open === null || due > end) break;
      now = due;
      attempt(open);
    }
    now = end;
    if (isUp) plan();
  }

  function attempt(row: OpenRow): void {
    const { fireAt } = occurrenceInYear(facts, row.year, rules);
    check(now >= fireAt, `${row.year} sent early`);
    if (receiver === 'not now') {
      open = { ...row, attempts: row.attempts + 1 };
      retryAt = now + 7 * HOUR_MS;
      return;
    }
    settle(row.year, receiver === 'yes' ? 'COMPLETED' : 'FAILED', fireAt);
    open = null;
    retryAt = -Infinity;
    plan();
  }

  plan();
  return {
    now: () => now,
    facts: () => facts,
    rules: () => rules,
    settled: () => settled,
    take(step) {
      switch (step.do) {
        case 'wait':
          return live(now + step.ms);
        case 'waitForNext':
          return live(Math.max(now, (open?.fireAt ?? now) + step.ms));
        case 'move':
          if (step.timezone !== facts.timezone)
            facts = { ...facts, timezone: step.timezone, changedAt: now };
          break;
        case 'correct':
          if (step.dateOfBirth !== facts.dateOfBirth)
            facts = { ...facts, dateOfBirth: step.dateOfBirth, changedAt: now };
          break;
        case 'rule':
          rules = step.rules;
          break;
        case 'goDown':
          isUp = false;
          break;
        case 'comeUp':
          isUp = true;
          break;
        case 'receiver':
          receiver = step.answers;
      }
      if (!isUp) return;
      plan();
      // What is owed goes out at once: nothing else of this life comes in between.
      live(now);
    },
  };
}

/** What must be true of any decision. */
function checkDecision(input: PlanInput, { open: action, skipped, next }: PlanDecision): void {
  const { facts, open, final, now, rules } = input;
  if (next.kind === 'blocked') return;
  const { occurrence } = next;
  const settledYears = new Set([...final, ...skipped].map(({ year }) => year));
  if (action.action === 'skip' && open !== null) settledYears.add(open.year);
  const isTried = action.action === 'keep' && open !== null && open.attempts > 0;

  check(action.action !== 'none' || open === null, 'an open row was forgotten');
  check(!settledYears.has(occurrence.year), 'a settled year is planned');
  check(occurrence.year > Number(facts.dateOfBirth.slice(0, 4)), 'the day of birth is planned');
  check(isSame(occurrence, occurrenceInYear(facts, occurrence.year, rules)), 'not its instant');
  if (occurrence.fireAt <= now && !isTried)
    check(!isTooLate(occurrence, input), 'planned too late');
  for (const missed of skipped) {
    check(isTooLate(missed, input), `${missed.year} is not too late`);
    check(missed.fireAt > facts.changedAt, `${missed.year} passed before the last change`);
    check(missed.year !== open?.year, 'the open row is recorded twice');
  }
  // No year burned: whatever is still to come, and settled by nothing, is not passed over.
  const from = Math.max(now, facts.changedAt);
  const toCome = firstOccurrenceAfter(facts, from, rules, (year) => settledYears.has(year));
  check(isTried || occurrence.fireAt <= toCome.fireAt, `${toCome.year} is passed over`);

  if (open === null || action.action === 'keep') return;
  const resolved = occurrenceInYear(facts, open.year, rules);
  const isDayMoved = open.anchorDate !== facts.dateOfBirth && resolved.fireAt <= facts.changedAt;
  const isBirthYear = open.year <= Number(facts.dateOfBirth.slice(0, 4));
  if (action.action === 'remove') {
    check(open.attempts === 0, 'a row with attempts is removed');
    check(isDayMoved || isBirthYear || occurrence.year < open.year, 'an open row is burned');
  } else if (action.action === 'skip' && action.reason === 'too_late') {
    check(open.attempts === 0 && isTooLate(resolved, input), 'skipped, but not too late');
  } else {
    check(open.attempts > 0 && (isDayMoved || isBirthYear), 'skipped, but its day is the same');
  }
}

/** The same plan, made again, changes nothing. */
function checkSettles({ open: action, skipped, next }: PlanDecision, open: OpenRow): void {
  check(action.action === 'keep' && skipped.length === 0, 'a second plan is another');
  check(
    next.kind === 'planned' && next.occurrence.fireAt === open.fireAt,
    'a second plan moves it',
  );
}

function isTooLate({ fireAt }: Occurrence, { now, lateLimitMs }: PlanInput): boolean {
  return now - fireAt > lateLimitMs;
}

function isSame(one: Occurrence, other: Occurrence): boolean {
  return one.fireAt === other.fireAt && one.localDate === other.localDate;
}

function check(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}
