import { type Occurrence, occurrenceInYear, whyUnplannable } from '../domain/occurrence.ts';
import type { DateRules } from '../domain/rules.ts';
import type { OutdatedPlan, OutdatedPlans, PlanPlace } from './outdated-plans.ts';
import { paced } from './paced.ts';
import type { Scheduler } from './scheduling.ts';

export interface ReplanDeps {
  readonly plans: OutdatedPlans;
  readonly scheduler: Scheduler;
  /** Those in force. */
  readonly rules: DateRules;
  /** Epoch ms. */
  readonly clock: () => number;
}

export interface ReplanSummary {
  readonly examined: number;
  /** Came to the same under the rules in force: nobody was woken. */
  readonly restamped: number;
  /** Whose followers were told to plan again. */
  readonly replanned: number;
}

/** A page is read, judged and stamped within a moment, so that no plan waits for it. */
const PAGE = 1_000;
/** What one Temporal server of two cores plans besides its daily work. */
const PACE = { perSecond: 50, atOnce: 10 };
/** No rule moves an instant further: what is due longer than this was armed or missed, and is not planned. */
const PAST_MS = 2 * 86_400_000;

/**
 * Makes plans again that were made under other settings or by other zone law: those that
 * come to the same are stamped, set-based; of the others each follower is told to plan
 * again, paced, the soonest first. Safe to end at any moment and to run beside another:
 * what is done is no longer outdated. Rejects when the ledger or the scheduler is away.
 */
export async function replanOutdated(
  { plans, scheduler, rules, clock }: ReplanDeps,
  stopping: AbortSignal,
): Promise<ReplanSummary> {
  const { leapDayPolicy, localTime, law } = rules;
  const basis = { leapDayPolicy, localTime, tzVersion: law.version };
  const summary = { examined: 0, restamped: 0, replanned: 0 };

  const replanFrom = async (start: PlanPlace): Promise<void> => {
    for (let place: PlanPlace | undefined = start; place !== undefined;) {
      const page: OutdatedPlan[] = await plans.findPage(basis, place, PAGE);
      const judged = Map.groupBy(page, createJudge(rules, clock()));
      summary.restamped += await plans.restamp(basis, judged.get('same') ?? []);
      summary.replanned += await tell(judged.get('moved') ?? [], scheduler, stopping);
      summary.examined += page.length;
      place = stopping.aborted || page.length < PAGE ? undefined : page.at(-1);
    }
  };

  await replanFrom({ fireAt: null, key: '' });
  await replanFrom({ fireAt: clock() - PAST_MS, key: '' });
  return summary;
}

/**
 * Whether a plan says the same under the rules, as far as can be told without its user: what
 * decides is the planner. Resolves once for all that share a day and a zone.
 */
function createJudge(rules: DateRules, now: number): (plan: OutdatedPlan) => 'same' | 'moved' {
  const resolved = new Map<string, Occurrence | null>();

  const resolve = (plan: OutdatedPlan, year: number): Occurrence | null => {
    const { anchorDate, timezone } = plan;
    const group = `${timezone} ${year}${anchorDate.slice(4)}`;
    const known = resolved.get(group);
    if (known !== undefined) return known;
    const facts = { dateOfBirth: anchorDate, timezone };
    const isPlannable = whyUnplannable(facts, rules.law) === null;
    const occurrence = isPlannable ? occurrenceInYear(facts, year, rules) : null;
    resolved.set(group, occurrence);
    return occurrence;
  };

  return (plan) => {
    const { fireAt = null, localDate = null } = resolve(plan, plan.year) ?? {};
    if (fireAt !== plan.fireAt || localDate !== plan.localDate) return 'moved';
    // The day of the year before, which was past by the old rules, may still come by these.
    const before = resolve(plan, plan.year - 1);
    return before !== null && before.fireAt > now ? 'moved' : 'same';
  };
}

/** Gives how many were told before it was stopped. */
function tell(
  moved: readonly OutdatedPlan[],
  scheduler: Scheduler,
  stopping: AbortSignal,
): Promise<number> {
  return paced(moved, PACE, stopping, (batch) =>
    Promise.all(batch.map(({ eventType, userId }) => scheduler.replan(eventType, userId))),
  );
}
