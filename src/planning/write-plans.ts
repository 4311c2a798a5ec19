import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { workflowId } from '../ledger/occurrence-key.ts';
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
import type { TzDatabase } from '../time/tz-database.ts';
import type { InputsVersion, ResolvedOccurrence } from './fell-due.ts';
import {
  type FinalRow,
  freePlaces,
  type LockedOpenRow,
  type OccasionWrite,
  writeOccasions,
} from './occasions.ts';
import type { PlanDecision, SkippedOccurrence } from './rule.ts';
import { type AllTypeSettings, destinationOf } from './type-settings.ts';
import { wakeAt, type WakeSettings } from './wake.ts';

/** The result of planning an occasion. Instants are epoch ms. */
export type PlanOutcome = OccasionRef &
  (
    | {
        readonly kind: 'planned';
        readonly occurrenceKey: string;
        readonly dueAt: number;
        readonly wakeAt: number;
      }
    /** It has no instant; the ledger says why. */
    | { readonly kind: 'blocked'; readonly reason: string }
    /** No occurrence follows: it was deleted, or its last one is settled. */
    | { readonly kind: 'ended' }
    /** Its row is leased and being sent; to be planned once that lease has ended. */
    | { readonly kind: 'deferred'; readonly until: number }
    | { readonly kind: 'failed'; readonly error: unknown }
  );

export interface PlanningSettings {
  readonly tz: TzDatabase;
  /** When a first attempt counts as late, and how late it may be, in ms. */
  readonly lateAfterMs: number;
  readonly lateLimitMs: number;
  readonly wake: WakeSettings;
}

/** A plan that is decided but not yet written. */
export interface DecidedPlan {
  readonly occasion: OccasionRef & { readonly userId: string };
  /** Why the occasion no longer exists; null while it does. */
  readonly gone: EndReason | null;
  /** The version of the inputs that the plan is based on. */
  readonly inputsAt: number | null;
  readonly lastSettled: Pick<FinalRow, 'key' | 'nominalDate'> | null;
  /** When its workflow should wake according to the last plan. */
  readonly wake: Wake | null;
  readonly open: LockedOpenRow | null;
  readonly decision: PlanDecision;
}

interface WriteContext extends PlanningSettings {
  /** The database's clock before the plan locked anything, and after. */
  readonly startedAt: number;
  readonly now: number;
  readonly types: AllTypeSettings;
}

/**
 * Writes plans: into the ledger first what is over, then what comes next (at most one row of an
 * occasion is open at a time), and when the workflows should wake.
 */
export async function writePlans(
  em: SqlEntityManager,
  plans: readonly DecidedPlan[],
  context: WriteContext,
): Promise<PlanOutcome[]> {
  await changeOpenRows(em, plans.flatMap(openRowChange));
  const skipped = plans.flatMap((plan) => skippedRows(plan, context));
  await upsertSkipped(em, skipped);
  const leased = await settleGone(em, plans);
  const planned = plans.flatMap((plan) => plannedRows(plan, context));
  await upsertPlanned(em, planned);
  const refs = plans.map(({ occasion: { type, id } }) => ({ type, id }));
  await markFollowed(em, refs);

  const written = plans.filter(({ occasion }) => !leased.has(workflowId(occasion)));
  const wakes = await findWakes(em, written, context);
  const writes = written.map((plan) => occasionWrite(plan, wakes.get(plan) ?? null, context));
  await writeOccasions(em, writes);
  return plans.map((plan): PlanOutcome => {
    const { type, id } = plan.occasion;
    const until = leased.get(workflowId(plan.occasion));
    if (until !== undefined) return { type, id, kind: 'deferred', until };
    return outcomeOf(plan, wakes.get(plan)?.at);
  });
}

/** The change of the open row, if it does not stay with the due instant that it has. */
function openRowChange({ open, decision }: DecidedPlan): OpenRowChange[] {
  const change = decision.open;
  if (open === null) return [];
  if (change.action === 'remove') return [{ key: open.key, action: 'remove' }];
  if (change.action !== 'settle' || change.occurrence !== null) return [];
  return [{ key: open.key, action: 'settle', reason: change.reason }];
}

function skippedRows(plan: DecidedPlan, context: WriteContext): SkippedRow[] {
  const { open, skipped } = plan.decision;
  const ofOpen =
    open.action === 'settle' && open.occurrence !== null
      ? [{ ...open.occurrence, reason: open.reason }]
      : [];
  return [...ofOpen, ...skipped].map((occurrence) => skippedRow(plan, occurrence, context));
}

function skippedRow(
  plan: DecidedPlan,
  occurrence: SkippedOccurrence,
  context: WriteContext,
): SkippedRow {
  return { ...resolvedRow(plan, occurrence, context), reason: occurrence.reason };
}

/**
 * Settles all rows of deleted occasions, redeliveries too. Returns, by the name of the occasion,
 * until when one of them is leased.
 */
async function settleGone(
  em: SqlEntityManager,
  plans: readonly DecidedPlan[],
): Promise<Map<string, number>> {
  const leased = new Map<string, number>();
  for (const [reason, gone] of Map.groupBy(plans, ({ gone }) => gone)) {
    if (reason === null) continue;
    const refs = gone.map(({ occasion: { type, id } }) => ({ type, id }));
    for (const { leaseUntil, ...ref } of await settleAllOf(em, refs, reason)) {
      leased.set(workflowId(ref), leaseUntil);
    }
  }
  return leased;
}

function plannedRows(plan: DecidedPlan, context: WriteContext): PlannedRow[] {
  const { next } = plan.decision;
  if (next.kind === 'none') return [];
  if (next.kind === 'blocked') {
    return [{ ...rowOf(plan, next, context), blockedReason: next.reason }];
  }
  const { occurrence, supersededAt } = next;
  return [{ ...resolvedRow(plan, occurrence, context), supersededAt }];
}

function resolvedRow(
  plan: DecidedPlan,
  occurrence: ResolvedOccurrence,
  context: WriteContext,
): PlannedRow {
  const { localDate, dueAt } = occurrence;
  return { ...rowOf(plan, occurrence, context), localDate, dueAt };
}

/** A row without an instant. */
function rowOf(
  { occasion, inputsAt }: DecidedPlan,
  { key, nominalDate, version }: Pick<ResolvedOccurrence, 'key' | 'nominalDate' | 'version'>,
  { tz, types }: WriteContext,
): PlannedRow {
  const { recurrence, rrule = null, date, offsetDays, timezone }: InputsVersion = version;
  const { localTime, leapDayPolicy, from } = version;
  return {
    key,
    occasionType: occasion.type,
    occasionId: occasion.id,
    userId: occasion.userId,
    nominalDate,
    recurrence,
    rrule,
    date,
    offsetDays,
    timezone,
    localTime,
    leapDayPolicy,
    tzVersion: tz.version,
    rulesId: types.rulesIdOf(occasion.type),
    inputsAt: inputsAt ?? from,
    localDate: null,
    dueAt: null,
    supersededAt: null,
    blockedReason: null,
    destination: destinationOf(types.of(occasion.type)),
  };
}

interface Wake {
  /** When the workflow should wake. */
  readonly at: number;
  /** The due instant that this is for, and the place among the workflows that wake for it. */
  readonly dueAt: number | null;
  readonly place: number | null;
}

/** A plan without an instant is checked again after a day. */
const BLOCKED_FOR_MS = 86_400_000;

/** When the workflow of each should wake; none for ended ones. */
async function findWakes(
  em: SqlEntityManager,
  plans: readonly DecidedPlan[],
  { now, wake }: WriteContext,
): Promise<Map<DecidedPlan, Wake>> {
  const wakes = new Map<DecidedPlan, Wake>();
  const moved: { plan: DecidedPlan; dueAt: number }[] = [];
  for (const plan of plans) {
    const { next } = plan.decision;
    if (next.kind === 'blocked')
      wakes.set(plan, { at: now + BLOCKED_FOR_MS, dueAt: null, place: null });
    if (next.kind !== 'planned') continue;
    const { dueAt } = next.occurrence;
    // Kept as long as the due instant is: another place would only move it around.
    if (plan.wake?.dueAt === dueAt) wakes.set(plan, plan.wake);
    else moved.push({ plan, dueAt });
  }
  const places = await freePlaces(em, [...new Set(moved.map(({ dueAt }) => dueAt))]);
  for (const { plan, dueAt } of moved) {
    const place = places.get(dueAt) ?? 0;
    places.set(dueAt, place + 1);
    // An occurrence that is owed already leaves dispatchers their time, too.
    const from = Math.max(dueAt, now);
    wakes.set(plan, { at: wakeAt(from, place, plan.occasion.id, wake), dueAt, place });
  }
  return wakes;
}

function occasionWrite(
  { occasion, inputsAt, lastSettled, decision }: DecidedPlan,
  wake: Wake | null,
  { startedAt, now, types }: WriteContext,
): OccasionWrite {
  return {
    ...occasion,
    plannedAt: decision.next.kind === 'blocked' ? null : startedAt,
    inputsAt,
    rulesId: types.rulesIdOf(occasion.type),
    lastSettledKey: lastSettled?.key ?? null,
    lastSettledNominal: lastSettled?.nominalDate ?? null,
    wakeAt: wake?.at ?? null,
    wakeDueAt: wake?.dueAt ?? null,
    wakePlace: wake?.place ?? null,
    endedAt: decision.next.kind === 'none' ? now : null,
  };
}

function outcomeOf({ occasion, decision }: DecidedPlan, wakeAt: number | undefined): PlanOutcome {
  const { type, id } = occasion;
  const { next } = decision;
  if (next.kind === 'none' || wakeAt === undefined) return { type, id, kind: 'ended' };
  if (next.kind === 'blocked') return { type, id, kind: 'blocked', reason: next.reason };
  const { key, dueAt } = next.occurrence;
  return { type, id, kind: 'planned', occurrenceKey: key, dueAt, wakeAt };
}
