import type { PlanResult, YearlyEventStatus } from './messages.ts';

/** A plan with an instant. */
export type Planned = Extract<PlanResult, { kind: 'planned' }>;

/** What a workflow does next, and the words for it in Temporal's Web UI. */
export interface Rest {
  /** Epoch ms; an instant that has passed means at once. */
  readonly until: number;
  /** What is delivered then; null when it plans again. */
  readonly delivers: Planned | null;
  readonly waitingFor: YearlyEventStatus['waitingFor'];
  readonly details: string;
  /** The timer's own line in the history. */
  readonly summary: string;
}

/** How long a plan lets its workflow sleep at `now`, and what follows if nothing changes. */
export function restAfter(plan: Exclude<PlanResult, { kind: 'ended' }>, now: number): Rest {
  switch (plan.kind) {
    case 'planned':
      return plan.recheckAt !== null && plan.recheckAt > now && plan.recheckAt < plan.armAt
        ? {
            until: plan.recheckAt,
            delivers: null,
            waitingFor: 'recheck',
            details: `Asleep until ${iso(plan.recheckAt)}, to check the plan once more. Next is ${due(plan)}.`,
            summary: `Check the plan of ${plan.occurrenceKey}`,
          }
        : {
            until: plan.armAt,
            delivers: plan,
            waitingFor: 'arming',
            details: `Asleep until ${iso(plan.armAt)}, to arm ${due(plan)}.`,
            summary: `Arm ${plan.occurrenceKey}`,
          };
    case 'sending':
      return {
        until: now + SENDING_MS,
        delivers: null,
        waitingFor: 'delivery',
        details: `${plan.occurrenceKey} is being sent on behalf of an earlier run.`,
        summary: `${plan.occurrenceKey} is being sent`,
      };
    case 'blocked':
      return {
        until: now + DAY,
        delivers: null,
        waitingFor: 'change',
        details: `Cannot be planned: ${plan.reason}. Waits for a change, and tries every day.`,
        summary: `Cannot be planned: ${plan.reason}`,
      };
  }
}

/** Before it tries again what ended in a way that it never should. */
export function restAfterFault(occurrenceKey: string, now: number): Rest {
  return {
    until: now + UNSETTLED_PAUSE_MS,
    delivers: null,
    waitingFor: 'delivery',
    details: `The delivery of ${occurrenceKey} ended without an outcome; looks again in a minute.`,
    summary: `Look again at ${occurrenceKey}`,
  };
}

/** An occurrence and its instant, in words that name nobody. */
export function due(plan: Planned): string {
  return `${plan.occurrenceKey}, due ${iso(plan.fireAt)} (${plan.timezone})`;
}

const iso = (instant: number): string => new Date(instant).toISOString();

/** A day: zone data or old facts are mended by people; a change wakes it at once. */
const DAY = 86_400_000;
export const UNSETTLED_PAUSE_MS = 60_000;
/** A request ends within its timeout, 15 s by default. */
export const SENDING_MS = 20_000;
/** The outcome of what was armed is told within seconds, unless every dispatcher is away. */
export const LAST_REPORT_MS = 120_000;
