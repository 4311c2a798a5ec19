/**
 * One user's years, played fast: changes of mind, downtime, failing receivers. Each plan
 * is held against what must be true of any plan, each delivery against what was sent.
 */
import { occurrenceInYear } from '../../src/domain/occurrence.ts';
import { type DatedFacts, decidePlanSince } from '../../src/domain/planning-history.ts';
import {
  decidePlan,
  type OpenRow,
  type PlanFacts,
  type PlanInput,
} from '../../src/domain/planning.ts';
import type { DateRules } from '../../src/domain/rules.ts';
import { check, checkDecision, checkSettles } from './planning-checks.ts';

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
  /** The row that is planned or being attempted; null before the first plan. */
  open(): OpenRow | null;
  /** The settled years: delivered, given up or skipped. */
  settled(): ReadonlyMap<number, Settled>;
}

export interface Settled {
  readonly state: 'COMPLETED' | 'FAILED' | 'SKIPPED';
  readonly fireAt: number | null;
}

export interface WorldOptions {
  /** Down when the user is created, and so not planned yet. */
  readonly startsDown?: boolean;
  /** Only the sender goes down: each change is planned when it is made. */
  readonly plansWhileDown?: boolean;
}

export function createWorld(
  dateOfBirth: string,
  timezone: string,
  rules: DateRules,
  now: number,
  { startsDown = false, plansWhileDown = false }: WorldOptions = {},
): World {
  let facts: PlanFacts = { dateOfBirth, timezone, createdAt: now, changedAt: now };
  /** What was true since the last plan. */
  let unplanned: DatedFacts[] = [{ dateOfBirth, timezone, from: now }];
  let open: OpenRow | null = null;
  let retryAt = -Infinity;
  let isUp = !startsDown;
  let receiver: Answer = 'yes';
  const settled = new Map<number, Settled>();

  function plan(): void {
    const decision = decidePlanSince(input(), unplanned);
    checkDecision(input(), decision, unplanned);
    unplanned = [];
    if (decision.next.kind === 'blocked') throw new Error(decision.next.reason);
    const { occurrence } = decision.next;
    if (decision.open.action === 'skip' && open !== null) {
      // The instant of one that was tried is that of its last plan, whenever that was.
      const isMissed = decision.open.reason === 'too_late';
      settle(open.year, 'SKIPPED', isMissed ? decision.open.missed.fireAt : null);
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

  function settle(year: number, state: Settled['state'], fireAt: number | null): void {
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

  function change(fields: Partial<Pick<PlanFacts, 'dateOfBirth' | 'timezone'>>): void {
    const next = { ...facts, ...fields };
    if (next.dateOfBirth === facts.dateOfBirth && next.timezone === facts.timezone) return;
    facts = { ...next, changedAt: now };
    unplanned.push({ dateOfBirth: facts.dateOfBirth, timezone: facts.timezone, from: now });
    if (plansWhileDown) plan();
  }

  if (isUp || plansWhileDown) plan();
  return {
    now: () => now,
    facts: () => facts,
    rules: () => rules,
    open: () => open,
    settled: () => settled,
    take(step) {
      switch (step.do) {
        case 'wait':
          return live(now + step.ms);
        case 'waitForNext':
          return live(Math.max(now, (open?.fireAt ?? now) + step.ms));
        case 'move':
          change({ timezone: step.timezone });
          break;
        case 'correct':
          change({ dateOfBirth: step.dateOfBirth });
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
