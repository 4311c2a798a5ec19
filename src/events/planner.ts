import type { EventType } from '../domain/event-type.ts';
import { occurrenceKey } from '../domain/occurrence-key.ts';
import type { Occurrence } from '../domain/occurrence.ts';
import type { PlanRequest, PlanResult } from '../domain/plan-messages.ts';
import { armAt, recheckAt } from '../domain/plan-times.ts';
import { type DatedFacts, decidePlanSince } from '../domain/planning-history.ts';
import type { MissedOccurrence, NextPlan, PlanDecision } from '../domain/planning.ts';
import type { DateRules } from '../domain/rules.ts';
import type {
  FinalOccurrence,
  OpenOccurrence,
  PlannedOccurrence,
  PlanningStore,
  PlanningTransaction,
  UserFacts,
} from './planning-store.ts';

export interface PlannerDeps {
  readonly store: PlanningStore;
  readonly settings: PlannerSettings;
  readonly logger?: { warn(fields: object, message: string): void };
}

export interface PlannerSettings {
  readonly rules: DateRules;
  /** How late a first attempt may be. */
  readonly lateLimitMs: number;
  readonly armLeadMs: number;
  readonly armWindowMs: number;
}

export interface Planner {
  /**
   * Settles what is open and plans what comes next, in one transaction. Faults of data are
   * results. Safe to repeat: with nothing changed it comes to the same.
   */
  plan(request: PlanRequest): Promise<PlanResult>;
}

/** The planner of the Event Scheduling Context, by section 3 of the design. */
export function createPlanner({ store, settings, logger }: PlannerDeps): Planner {
  return {
    plan: (request) =>
      store.transaction(async (tx) => {
        const { eventType, userId } = request;
        const facts = await tx.lockFacts(eventType, userId);
        const open = await tx.findOpen(eventType, userId);
        if (open?.sending) return { kind: 'sending', occurrenceKey: open.key };
        if (typeof facts === 'string') {
          if (open !== null) await tx.skipOpen(open.key, facts, request.now);
          return { kind: 'ended' };
        }
        const final = await tx.findFinal(eventType, userId);
        const { rules, lateLimitMs } = settings;
        // A slow worker's `now` can be before a change that it finds: what was past by then is past.
        const now = Math.max(request.now, facts.changedAt);
        const decision = decidePlanSince(
          { facts, open, final, now, rules, lateLimitMs },
          await readHistory(tx, eventType, facts, open, final),
        );
        await settle(tx, request, facts, open, decision);
        return planNext(tx, request, facts, decision.next);
      }),
  };

  async function settle(
    tx: PlanningTransaction,
    request: PlanRequest,
    facts: UserFacts,
    open: OpenOccurrence | null,
    decision: PlanDecision,
  ): Promise<void> {
    const saveMissed = (missed: MissedOccurrence): Promise<void> =>
      tx.saveSkipped(plannedOf(request, { ...facts, ...missed.facts }, missed), 'too_late');
    if (open !== null && decision.open.action === 'skip') {
      // What was missed says by which facts: by those of its plan it may be to come.
      if (decision.open.reason === 'too_late') await saveMissed(decision.open.missed);
      else await tx.skipOpen(open.key, decision.open.reason, request.now);
    }
    if (open !== null && decision.open.action === 'remove') await tx.removeOpen(open.key);
    for (const missed of decision.skipped) await saveMissed(missed);
  }

  async function planNext(
    tx: PlanningTransaction,
    request: PlanRequest,
    facts: UserFacts,
    next: NextPlan,
  ): Promise<PlanResult> {
    if (next.kind === 'blocked') {
      const { year, reason } = next;
      const blocked = { ...rowOf(request, facts, year), blockedReason: reason };
      await tx.savePlanned(blocked);
      logger?.warn({ occurrenceKey: blocked.key, reason }, 'cannot be planned');
      return { kind: 'blocked', reason };
    }
    const planned = plannedOf(request, facts, next.occurrence);
    await tx.savePlanned(planned);
    const { fireAt } = next.occurrence;
    const { userId } = request;
    return {
      kind: 'planned',
      occurrenceKey: planned.key,
      timezone: facts.timezone,
      tzVersion: settings.rules.law.version,
      fireAt,
      armAt: armAt(fireAt, userId, settings.armLeadMs, settings.armWindowMs),
      recheckAt: planned.rechecked ? null : recheckAt(fireAt, userId),
    };
  }

  function plannedOf(
    request: PlanRequest,
    facts: UserFacts,
    { year, localDate, fireAt }: Occurrence,
  ): PlannedOccurrence {
    // A plan made as late as the recheck would be is the recheck.
    const rechecked = recheckAt(fireAt, request.userId) <= request.now;
    return { ...rowOf(request, facts, year), localDate, fireAt, rechecked };
  }

  /** What a plan says before its instant is known. */
  function rowOf(
    { eventType, userId, now }: PlanRequest,
    facts: UserFacts,
    year: number,
  ): PlannedOccurrence {
    return {
      key: occurrenceKey(eventType, userId, year),
      eventType,
      userId,
      year,
      anchorDate: facts.dateOfBirth,
      timezone: facts.timezone,
      localTime: settings.rules.localTime,
      leapDayPolicy: settings.rules.leapDayPolicy,
      tzVersion: settings.rules.law.version,
      localDate: null,
      fireAt: null,
      blockedReason: null,
      plannedAt: now,
      factsAt: facts.changedAt,
      rechecked: false,
    };
  }
}

/**
 * What was true of the user since the last plan. Of a single change the present says all,
 * and without any there is nothing to read.
 */
async function readHistory(
  tx: PlanningTransaction,
  eventType: EventType,
  { userId, createdAt, changedAt }: UserFacts,
  open: OpenOccurrence | null,
  final: readonly FinalOccurrence[],
): Promise<readonly DatedFacts[]> {
  const planned = open === null ? final : [open];
  const since = Math.max(createdAt, ...planned.map(({ factsAt }) => factsAt));
  if (changedAt <= since) return [];
  const history = await tx.findHistory(eventType, userId, since);
  return open === null ? history : history.filter(({ from }) => from > since);
}
