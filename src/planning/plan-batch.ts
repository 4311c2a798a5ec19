/** One planning transaction: locks, reads, decides in memory, writes; a few statements for all. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { ms, queryIn } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import { mergeVersions } from './inputs-history.ts';
import {
  findUsers,
  type InputsPeriod,
  lockUsers,
  type OccasionInputs,
  readHistory,
} from './occasion-inputs.ts';
import { type FoundOccasion, lockOccasions } from './occasions.ts';
import {
  type FinalRow,
  type LockedOpenRow,
  lockOpenRows,
  readFinalRows,
} from './occurrence-rows.ts';
import {
  decidePlan,
  finalKeysFrom,
  type InputsVersion,
  type PlanDecision,
  type PlanInput,
} from './rule.ts';
import { readRules, type RulesHistory } from './rules.ts';
import type { PlanOutcome } from './types.ts';
import { type DecidedPlan, type PlanningSettings, writePlans } from './write-plans.ts';

interface PlanBatchDeps {
  readonly settings: PlanningSettings;
  /** The process's, epoch ms. */
  readonly clock: () => number;
}

/** Plans occasions, each given once, in the transaction of `em`. */
export async function planBatch(
  em: SqlEntityManager,
  refs: readonly OccasionRef[],
  deps: PlanBatchDeps,
): Promise<PlanOutcome[]> {
  const startedAt = await limitWaiting(em);
  const rules = await readRules(em);
  await lockUsers(em, refs);
  const { now, occasions } = await lockOccasions(em, refs);
  const open = byOccasion(await lockOpenRows(em, refs));
  const openRowOf = (ref: OccasionRef) => open.get(nameOf(ref))?.[0] ?? null;

  const outcomes: PlanOutcome[] = [];
  const free = occasions.filter((occasion) => {
    const until = openRowOf(occasion)?.leasedUntil ?? null;
    if (until !== null) outcomes.push({ ...refOf(occasion), kind: 'deferred', until });
    return until === null;
  });

  const history = byOccasion(await readHistory(em, free.filter(hasChanged)));
  const users = await findUsers(em, free.flatMap(userIfGone));
  const lives = free.flatMap((occasion) => {
    const periods = history.get(nameOf(occasion)) ?? [];
    const life = lifeOf(occasion, periods, { rules, users, now });
    if (life === null) outcomes.push({ ...refOf(occasion), kind: 'ended' });
    return life === null ? [] : [{ ...life, open: openRowOf(occasion) }];
  });

  const final = byOccasion(await readFinalRows(em, lives.map(finalRowsToRead)));
  const lateNow = Math.min(now, deps.clock());
  const plans = lives.map((life) =>
    decide(life, final.get(nameOf(life.ref)) ?? [], { now, lateNow, ...deps.settings }),
  );
  const written = await writePlans(em, plans, { startedAt, now, ...deps.settings });
  return [...outcomes, ...written];
}

/** A row that somebody keeps locked holds up its batch no longer than this. */
const LOCK_TIMEOUT_MS = 5_000;

/** Gives the database's clock, before anything is locked. */
async function limitWaiting(em: SqlEntityManager): Promise<number> {
  const [row] = await queryIn(em)<{ now: number }>(
    `select set_config('lock_timeout', :timeout, true), ${ms('events.clock()', 'now')}`,
    { timeout: `${LOCK_TIMEOUT_MS}ms` },
  );
  return row?.now ?? 0;
}

/** What is known of an occasion before its ledger is looked at. */
interface Life {
  readonly ref: OccasionRef;
  readonly userId: string;
  readonly row: FoundOccasion['row'];
  readonly gone: DecidedPlan['gone'];
  readonly inputsAt: number | null;
  readonly createdAt: number;
  readonly endedAt: number | null;
  readonly versions: readonly InputsVersion[];
}

interface LifeContext {
  readonly rules: RulesHistory;
  /** Those that there are, of the users whose occasion is gone. */
  readonly users: ReadonlySet<string>;
  readonly now: number;
}

/** Of an occasion that never changed, the present says all. */
function hasChanged({ inputs }: FoundOccasion): boolean {
  return inputs === null || inputs.changedAt > inputs.createdAt;
}

function userIfGone({ inputs, userId }: FoundOccasion): string[] {
  return inputs === null && userId !== null ? [userId] : [];
}

/** Null when nothing is known of the occasion: it never was, or is erased. */
function lifeOf(
  occasion: FoundOccasion,
  periods: readonly InputsPeriod[],
  { rules, users, now }: LifeContext,
): Life | null {
  const { inputs, row } = occasion;
  const ref = refOf(occasion);
  if (inputs !== null) {
    const { userId, createdAt, changedAt } = inputs;
    const versions = mergeVersions(withPresent(periods, inputs), rules);
    return {
      ref,
      userId,
      row,
      gone: null,
      inputsAt: changedAt,
      createdAt,
      endedAt: null,
      versions,
    };
  }
  const userId = occasion.userId ?? periods[0]?.userId;
  if (userId === undefined) return null;
  return {
    ref,
    userId,
    row,
    gone: users.has(userId) ? 'occasion_deleted' : 'user_deleted',
    inputsAt: periods.at(-1)?.from ?? null,
    createdAt: periods[0]?.from ?? now,
    endedAt: Math.min(periods.at(-1)?.until ?? now, now),
    versions: mergeVersions(periods, rules),
  };
}

/** The present is what the inputs say, also if somebody has changed them past the history. */
function withPresent(periods: readonly InputsPeriod[], inputs: OccasionInputs) {
  const last = periods.at(-1);
  if (last === undefined) return [{ ...inputs, from: inputs.createdAt }];
  const { date, timezone, recurrence } = inputs;
  const isPresent =
    last.date === date && last.timezone === timezone && last.recurrence === recurrence;
  if (isPresent) return periods;
  return [...periods, { ...inputs, from: Math.max(inputs.changedAt, last.from) }];
}

/** From the last settled occurrence on, and as far back as the rule looks. */
function finalRowsToRead({ ref, createdAt, row, open }: Life & { open: LockedOpenRow | null }) {
  const plannedAt = row?.plannedAt ?? null;
  const asked = finalKeysFrom({ occasion: ref, createdAt, plannedAt, open });
  const lastSettled = row?.lastSettledNominal ?? '';
  return { ...ref, fromNominal: asked < lastSettled ? asked : lastSettled };
}

function decide(
  life: Life & { readonly open: LockedOpenRow | null },
  final: readonly FinalRow[],
  settings: Pick<PlanInput, 'now' | 'lateNow' | 'lateLimitMs' | 'law'>,
): DecidedPlan {
  const { ref, userId, row, gone, inputsAt, createdAt, endedAt, versions, open } = life;
  const lastSettled = lastOf(row, final);
  const keys = new Set(final.map(({ key }) => key));
  const input = {
    occasion: ref,
    createdAt,
    endedAt,
    versions,
    endReason: gone === 'occasion_deleted' ? gone : 'user_deleted',
    plannedAt: row?.plannedAt ?? null,
    open,
    lastSettled: lastSettled?.nominalDate ?? null,
    isFinal: (key: string) => keys.has(key),
    now: settings.now,
    lateNow: settings.lateNow,
    lateLimitMs: settings.lateLimitMs,
    law: settings.law,
  } satisfies PlanInput;
  return {
    occasion: { ...ref, userId },
    gone,
    inputsAt,
    version: versions.at(-1) ?? null,
    lastSettled,
    wake: { at: row?.wakeAt ?? null, dueAt: row?.wakeDueAt ?? null },
    openKey: open?.key ?? null,
    decision: versions.length === 0 ? NOTHING_KNOWN(input) : decidePlan(input),
  };
}

/** Of an occasion whose history is erased, only its open row is left to settle. */
const NOTHING_KNOWN = ({ open, endReason }: PlanInput): PlanDecision => ({
  open: open === null ? { action: 'none' } : { action: 'settle', reason: endReason },
  skipped: [],
  next: { kind: 'none' },
});

/** The final row with the latest nominal date. */
function lastOf(row: FoundOccasion['row'], final: readonly FinalRow[]): DecidedPlan['lastSettled'] {
  const { lastSettledKey: key, lastSettledNominal: nominalDate } = row ?? {};
  const known = key && nominalDate ? { key, nominalDate } : null;
  return final.reduce<DecidedPlan['lastSettled']>(
    (last, { key, nominalDate }) =>
      last === null || nominalDate > last.nominalDate ? { key, nominalDate } : last,
    known,
  );
}

function refOf({ type, id }: OccasionRef): OccasionRef {
  return { type, id };
}

function nameOf({ type, id }: OccasionRef): string {
  return `${type}/${id}`;
}

function byOccasion<Row extends OccasionRef>(rows: readonly Row[]): Map<string, Row[]> {
  return Map.groupBy(rows, nameOf);
}
