import { occurrenceKey } from '../domain/occurrence-key.ts';
import { type Occurrence, occurrenceInYear } from '../domain/occurrence.ts';
import type { PlanRequest, PlanResult } from '../domain/plan-messages.ts';
import { armAt, recheckAt } from '../domain/plan-times.ts';
import { decidePlan, type NextPlan, type PlanDecision } from '../domain/planning.ts';
import type { DateRules } from '../domain/rules.ts';
import type {
  OpenOccurrence,
  PlannedOccurrence,
  PlanningStore,
  PlanningTransaction,
  UserFacts,
} from './ports.ts';

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
        const { eventType, userId, now } = request;
        const facts = await tx.lockUser(userId);
        const open = await tx.findOpen(eventType, userId);
        if (open?.sending) return { kind: 'sending', occurrenceKey: open.key };
        if (facts === null) {
          if (open !== null) await tx.skipOpen(open.key, 'user_deleted', now);
          return { kind: 'ended' };
        }
        const decision = decidePlan({
          facts,
          open,
          final: await tx.findFinal(eventType, userId),
          now,
          rules: settings.rules,
          lateLimitMs: settings.lateLimitMs,
        });
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
    if (open !== null && decision.open.action === 'skip') {
      const { reason } = decision.open;
      if (reason === 'too_late') {
        // By the facts of now, as the row is to say: by those of its plan it may be to come.
        const missed = occurrenceInYear(facts, open.year, settings.rules);
        await tx.saveSkipped(plannedOf(request, facts, missed), reason);
      } else {
        await tx.skipOpen(open.key, reason, request.now);
      }
    }
    if (open !== null && decision.open.action === 'remove') await tx.removeOpen(open.key);
    for (const missed of decision.skipped) {
      await tx.saveSkipped(plannedOf(request, facts, missed), 'too_late');
    }
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
      rechecked: false,
    };
  }
}
