/**
 * One planning transaction: locks, reads, decides in memory, writes; a few statements for the
 * batch.
 */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { workflowId } from '../ledger/occurrence-key.ts';
import { ms, queryIn } from '../ledger/sql.ts';
import type { EndReason, OccasionRef } from '../ledger/types.ts';
import { keptDateOf } from './fell-due.ts';
import { type InputsPeriod, lockUsers, readHistory } from './occasion-inputs.ts';
import {
  type FinalRow,
  type FoundOccasion,
  lockOccasions,
  type LockedOpenRow,
  lockOpenRows,
  readFinalRows,
} from './occasions.ts';
import { decidePlan, finalDatesFrom, type PlanDecision, type PlanInput } from './rule.ts';
import { mergeVersions, type Period, readRules, type RulesHistory } from './rules.ts';
import { lateLimitOf, readTypeSettings, rulesOfType } from './type-settings.ts';
import {
  type DecidedPlan,
  type PlanningSettings,
  type PlanOutcome,
  writePlans,
} from './write-plans.ts';

interface PlanBatchDeps {
  readonly settings: PlanningSettings;
  /** The process's clock, epoch ms. */
  readonly clock: () => number;
}

/** Plans occasions, each given once, in the transaction of `em`. */
export async function planBatch(
  em: SqlEntityManager,
  refs: readonly OccasionRef[],
  { settings, clock }: PlanBatchDeps,
): Promise<PlanOutcome[]> {
  const startedAt = await limitWaiting(em);
  // In this order, so that if rules change in between, the plan counts as made by the older ones.
  const types = await readTypeSettings(em, [...new Set(refs.map(({ type }) => type))]);
  const rules = await readRules(em);
  await lockUsers(em, refs);
  const occasions = await lockOccasions(em, refs);
  const now = occasions[0]?.now ?? 0;
  const openRows = new Map((await lockOpenRows(em, refs)).map((row) => [workflowId(row), row]));

  const outcomes: PlanOutcome[] = [];
  const free = occasions.filter(({ type, id }) => {
    const until = openRows.get(workflowId({ type, id }))?.leasedUntil ?? null;
    if (until !== null) outcomes.push({ type, id, kind: 'deferred', until });
    return until === null;
  });

  const periods = Map.groupBy(await readHistory(em, free.filter(hasChanged)), workflowId);
  const lives = free.flatMap((occasion) => {
    const name = workflowId(occasion);
    const ofType = rulesOfType(rules, types.of(occasion.type));
    const life = lifeOf(occasion, periods.get(name) ?? [], ofType, openRows.get(name) ?? null);
    if (life === null) outcomes.push({ type: occasion.type, id: occasion.id, kind: 'ended' });
    return life ?? [];
  });

  const finalRows = Map.groupBy(await readFinalRows(em, lives.map(finalRowsToRead)), workflowId);
  const plans = lives.map((life) =>
    decide(life, finalRows.get(workflowId(life.occasion)) ?? [], {
      now,
      lateNow: Math.min(now, clock()),
      lateLimitMs: lateLimitOf(types.of(life.occasion.type), settings),
      tz: settings.tz,
    }),
  );
  const written = await writePlans(em, plans, { startedAt, now, types, ...settings });
  return [...outcomes, ...written];
}

/** A row that another process has locked delays its batch no longer than this. */
const LOCK_TIMEOUT_MS = 5_000;

/** Returns the database's clock before anything is locked. */
async function limitWaiting(em: SqlEntityManager): Promise<number> {
  const [row] = await queryIn(em)<{ now: number }>(
    `select set_config('lock_timeout', :timeout, true), ${ms('events.clock()', 'now')}`,
    { timeout: `${LOCK_TIMEOUT_MS}ms` },
  );
  return row?.now ?? 0;
}

/** If an occasion never changed, its inputs are its whole history. */
function hasChanged({ inputs }: FoundOccasion): boolean {
  return inputs === null || inputs.changedAt > inputs.createdAt;
}

/** What is known about an occasion before its settled occurrences are read. */
type Life = Omit<DecidedPlan, 'decision' | 'lastSettled'> &
  Pick<PlanInput, 'createdAt' | 'endedAt' | 'versions'> & { readonly found: FoundOccasion };

/** Null if nothing is known about the occasion: it never existed, or is erased. */
function lifeOf(
  found: FoundOccasion,
  periods: readonly InputsPeriod[],
  rules: RulesHistory,
  open: LockedOpenRow | null,
): Life | null {
  const { type, id, inputs, now } = found;
  const userId = found.userId ?? periods[0]?.userId;
  if (userId === undefined) return null;
  const known = {
    found,
    occasion: { type, id, userId },
    wake:
      found.wakeAt === null
        ? null
        : { at: found.wakeAt, dueAt: found.wakeDueAt, place: found.wakePlace },
    open,
  };
  if (inputs !== null) {
    return {
      ...known,
      gone: null,
      endedAt: null,
      inputsAt: inputs.changedAt,
      createdAt: inputs.createdAt,
      versions: mergeVersions(withPresent(periods, inputs), rules),
    };
  }
  const last = periods.at(-1);
  return {
    ...known,
    gone: found.hasUser ? 'occasion_deleted' : 'user_deleted',
    inputsAt: last?.from ?? null,
    createdAt: periods[0]?.from ?? now,
    endedAt: Math.min(last?.until ?? now, now),
    versions: mergeVersions(periods, rules),
  };
}

const INPUTS = [
  'date',
  'recurrence',
  'rrule',
  'offsetDays',
  'timezone',
  'localTime',
  'suspended',
] as const satisfies readonly (keyof Period)[];

/** The current inputs are in force, even if they were changed without a history. */
function withPresent(
  periods: readonly InputsPeriod[],
  inputs: NonNullable<FoundOccasion['inputs']>,
): Parameters<typeof mergeVersions>[0] {
  const last = periods.at(-1);
  if (last === undefined) return [{ ...inputs, from: inputs.createdAt }];
  if (INPUTS.every((input) => last[input] === inputs[input])) return periods;
  return [...periods, { ...inputs, from: Math.max(inputs.changedAt, last.from) }];
}

/** From the last settled occurrence on, and as far back as the rule needs. */
function finalRowsToRead({ createdAt, found, open, versions }: Life) {
  const { plannedAt, lastSettledNominal } = found;
  const asked = finalDatesFrom({ createdAt, plannedAt, open, versions });
  const lastSettled = lastSettledNominal ?? '';
  return { type: found.type, id: found.id, fromNominal: asked < lastSettled ? asked : lastSettled };
}

function decide(
  { found, createdAt, endedAt, versions, ...life }: Life,
  finalRows: readonly FinalRow[],
  terms: Pick<PlanInput, 'now' | 'lateNow' | 'lateLimitMs' | 'tz'>,
): DecidedPlan {
  const { gone, open, occasion } = life;
  const lastSettled = lastSettledOf(found, finalRows);
  const finalKeys = new Set(finalRows.map(({ key }) => key));
  const finalDays = new Set(finalRows.map((row) => keptDateOf({ ...row, version: row })));
  const endReason = gone === 'occasion_deleted' ? gone : 'user_deleted';
  if (versions.length === 0)
    return { ...life, lastSettled, decision: decideErased(open, endReason) };
  const decision = decidePlan({
    occasion,
    createdAt,
    endedAt,
    versions,
    endReason,
    open,
    plannedAt: found.plannedAt,
    lastSettled: lastSettled?.nominalDate ?? null,
    finalDates: [...finalRows, lastSettled].flatMap((row) => row?.nominalDate ?? []),
    isFinal: (one) => finalKeys.has(one.key) || finalDays.has(keptDateOf(one)),
    ...terms,
  });
  return { ...life, lastSettled, decision };
}

/** If the history of an occasion is erased, only its open row is left to settle. */
function decideErased(open: LockedOpenRow | null, reason: EndReason): PlanDecision {
  return {
    open: open === null ? { action: 'none' } : { action: 'settle', reason, occurrence: null },
    skipped: [],
    next: { kind: 'none' },
  };
}

/** The final row with the latest nominal date. */
function lastSettledOf(
  { lastSettledKey: key, lastSettledNominal: nominalDate }: FoundOccasion,
  finalRows: readonly FinalRow[],
): DecidedPlan['lastSettled'] {
  const known = key !== null && nominalDate !== null ? [{ key, nominalDate }] : [];
  return [...known, ...finalRows].reduce<DecidedPlan['lastSettled']>(
    (last, { key, nominalDate }) =>
      last === null || nominalDate > last.nominalDate ? { key, nominalDate } : last,
    null,
  );
}
