import type { SqlEntityManager } from '@mikro-orm/postgresql';

import type { ZoneLaw } from '../domain/zone.ts';
import {
  changeOpenRows,
  markFollowed,
  settleAllOf,
  upsertPlanned,
  upsertSkipped,
} from '../ledger/plan-rows.ts';
import type {
  EndReason,
  OccasionRef,
  OpenRowChange,
  PlannedRow,
  SkippedRow,
} from '../ledger/types.ts';
import { countWaking, type OccasionWrite, writeOccasions } from './occasions.ts';
import type { FinalRow } from './occurrence-rows.ts';
import type { InputsVersion, PlanDecision, ResolvedOccurrence } from './rule.ts';
import type { PlanOutcome } from './types.ts';
import { wakeAt, type WakeSettings } from './wake.ts';

export interface PlanningSettings {
  readonly law: ZoneLaw;
  /** How late a first attempt may be. */
  readonly lateLimitMs: number;
  readonly wake: WakeSettings;
}

/** A plan that is decided, and not yet written. */
export interface DecidedPlan {
  readonly occasion: OccasionRef & { readonly userId: string };
  /** Why there is no such occasion any more; null while there is. */
  readonly gone: EndReason | null;
  /** The change of inputs that the plan knows. */
  readonly inputsAt: number | null;
  /** The version in force; of what is gone the last one, if any is known. */
  readonly version: InputsVersion | null;
  readonly lastSettled: Pick<FinalRow, 'key' | 'nominalDate'> | null;
  /** As it was planned before: `at`, for the due instant `dueAt`. */
  readonly wake: { readonly at: number | null; readonly dueAt: number | null };
  readonly openKey: string | null;
  readonly decision: PlanDecision;
}

interface WriteContext extends PlanningSettings {
  /** The database's clock before the plan locked anything, and after. */
  readonly startedAt: number;
  readonly now: number;
}

/** A plan without an instant is looked at again after a day. */
const BLOCKED_FOR_MS = 86_400_000;

/**
 * Writes plans: into the ledger what is over, then what comes next (at most one row of an
 * occasion is open at a time), and when the workflows are to wake.
 */
export async function writePlans(
  em: SqlEntityManager,
  plans: readonly DecidedPlan[],
  context: WriteContext,
): Promise<PlanOutcome[]> {
  const rows = createRows(context);
  await changeOpenRows(em, plans.flatMap(openChangeOf));
  const leased = await settleGone(em, plans);
  await upsertPlanned(em, plans.flatMap(rows.planned));
  await upsertSkipped(em, plans.flatMap(rows.skipped));
  await markFollowed(
    em,
    plans.map(({ occasion: { type, id } }) => ({ type, id })),
  );

  const written = plans.filter(({ occasion }) => !leased.has(nameOf(occasion)));
  const wakes = await findWakes(em, written, context);
  const outcomes = plans.map((plan) => {
    const until = leased.get(nameOf(plan.occasion));
    const { type, id } = plan.occasion;
    if (until !== undefined) return { type, id, kind: 'deferred' as const, until };
    return outcomeOf(plan, wakes.get(plan));
  });
  await writeOccasions(
    em,
    written.map((plan) => occasionOf(plan, wakes.get(plan), context)),
  );
  return outcomes;
}

function openChangeOf({ openKey: key, decision }: DecidedPlan): OpenRowChange[] {
  const { open } = decision;
  if (key === null || open.action === 'none' || open.action === 'keep') return [];
  return [{ key, ...open }];
}

/**
 * Settles all rows of occasions that are gone, redeliveries too. Gives, by the name of the
 * occasion, until when one of them is leased.
 */
async function settleGone(
  em: SqlEntityManager,
  plans: readonly DecidedPlan[],
): Promise<Map<string, number>> {
  const leased = new Map<string, number>();
  const byReason = Map.groupBy(plans, ({ gone }) => gone);
  for (const [reason, gone] of byReason) {
    if (reason === null) continue;
    const refs = gone.map(({ occasion: { type, id } }) => ({ type, id }));
    for (const { leaseUntil, ...ref } of await settleAllOf(em, refs, reason)) {
      leased.set(nameOf(ref), leaseUntil);
    }
  }
  return leased;
}

/** What the ledger keeps of plans. */
function createRows({ law }: WriteContext) {
  const row = (
    { occasion, inputsAt }: DecidedPlan,
    { key, nominalDate }: { readonly key: string; readonly nominalDate: string },
    version: InputsVersion,
  ): PlannedRow => ({
    key,
    occasionType: occasion.type,
    occasionId: occasion.id,
    userId: occasion.userId,
    nominalDate,
    date: version.date,
    timezone: version.timezone,
    localTime: version.localTime,
    leapDayPolicy: version.leapDayPolicy,
    tzVersion: law.version,
    inputsAt: inputsAt ?? version.from,
    localDate: null,
    dueAt: null,
    supersededAt: null,
    blockedReason: null,
  });
  const resolved = (plan: DecidedPlan, occurrence: ResolvedOccurrence): PlannedRow => {
    const { localDate, dueAt, version } = occurrence;
    return { ...row(plan, occurrence, version), localDate, dueAt };
  };

  return {
    planned(plan: DecidedPlan): PlannedRow[] {
      const { next } = plan.decision;
      if (next.kind === 'none') return [];
      if (next.kind === 'blocked') {
        return [{ ...row(plan, next, next.version), blockedReason: next.reason }];
      }
      return [{ ...resolved(plan, next.occurrence), supersededAt: next.supersededAt }];
    },

    skipped(plan: DecidedPlan): SkippedRow[] {
      return plan.decision.skipped.map((occurrence) => ({
        ...resolved(plan, occurrence),
        reason: occurrence.reason,
      }));
    },
  };
}

interface Wake {
  readonly at: number;
  readonly dueAt: number | null;
}

/** When the workflow of each is to wake; none for what has ended. */
async function findWakes(
  em: SqlEntityManager,
  plans: readonly DecidedPlan[],
  { now, wake }: WriteContext,
): Promise<Map<DecidedPlan, Wake>> {
  const wakes = new Map<DecidedPlan, Wake>();
  const anew: { plan: DecidedPlan; dueAt: number }[] = [];
  for (const plan of plans) {
    const { next } = plan.decision;
    if (next.kind === 'blocked') wakes.set(plan, { at: now + BLOCKED_FOR_MS, dueAt: null });
    if (next.kind !== 'planned') continue;
    const { dueAt } = next.occurrence;
    // Kept while the due instant is: another place would only move it about.
    if (plan.wake.at !== null && plan.wake.dueAt === dueAt) {
      wakes.set(plan, { at: plan.wake.at, dueAt });
    } else {
      anew.push({ plan, dueAt });
    }
  }
  const places = await countWaking(em, [...new Set(anew.map(({ dueAt }) => dueAt))]);
  for (const { plan, dueAt } of anew) {
    const place = places.get(dueAt) ?? 0;
    places.set(dueAt, place + 1);
    // Of what is owed already, dispatchers have their time too.
    const from = Math.max(dueAt, now);
    wakes.set(plan, { at: wakeAt(from, place, plan.occasion.id, wake), dueAt });
  }
  return wakes;
}

function occasionOf(
  { occasion, inputsAt, lastSettled, decision }: DecidedPlan,
  wake: Wake | undefined,
  { startedAt, now }: WriteContext,
): OccasionWrite {
  return {
    ...occasion,
    plannedAt: decision.next.kind === 'blocked' ? null : startedAt,
    inputsAt,
    lastSettledKey: lastSettled?.key ?? null,
    lastSettledNominal: lastSettled?.nominalDate ?? null,
    wakeAt: wake?.at ?? null,
    wakeDueAt: wake?.dueAt ?? null,
    endedAt: decision.next.kind === 'none' ? now : null,
  };
}

function outcomeOf({ occasion, decision }: DecidedPlan, wake: Wake | undefined): PlanOutcome {
  const { type, id } = occasion;
  const { next } = decision;
  if (next.kind === 'none' || wake === undefined) return { type, id, kind: 'ended' };
  if (next.kind === 'blocked') return { type, id, kind: 'blocked', reason: next.reason };
  const { key, dueAt } = next.occurrence;
  return { type, id, kind: 'planned', occurrenceKey: key, dueAt, wakeAt: wake.at };
}

function nameOf({ type, id }: OccasionRef): string {
  return `${type}/${id}`;
}
