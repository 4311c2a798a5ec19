import { setTimeout as sleep } from 'node:timers/promises';

import { queryOf } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import { describeError } from '../platform/errors.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { Planner } from '../planning/types.ts';
import { createLoop } from '../platform/loop.ts';
import type { LedgerFindingKind } from '../workflows/maintenance-contract.ts';
import { addCounts, createFindings, nameOf, type Finding } from './findings.ts';
import { isLeftToOperator } from './invariants.ts';
import { createLedgerLooks, type Bystanders, type PageSizes } from './looks.ts';
import { raiseAlarm, type ReconcileLogger, type ReconcileObserver, type Round } from './round.ts';
import { findState, mustRest, noteLook, type ReconcileAges } from './state.ts';
import { FORGET_WAKES_OF } from './wakes-sql.ts';

export interface LedgerReconcilerDeps {
  readonly orm: Orm;
  readonly planner: Pick<Planner, 'plan'>;
  readonly logger: ReconcileLogger;
  readonly observer?: ReconcileObserver;
  /** How long after the last look the next one begins. */
  readonly everyMs: number;
  /** After how long what seems amiss is looked at a second time. */
  readonly secondLookMs?: number;
  readonly pages?: PageSizes;
}

export interface LedgerReport extends Round {
  readonly bystanders: Bystanders;
  readonly durationMs: number;
}

export type LedgerReconciler = ReturnType<typeof createLedgerReconciler>;

export const LEDGER_KINDS: readonly LedgerFindingKind[] = [
  'unattempted',
  'unplanned',
  'outdated',
  'orphaned',
  'impossible',
  'parked',
];

/** What is only between two states has left them by then. */
const SECOND_LOOK_MS = 10_000;
/** Findings at once: planned in seconds. What is beyond is found by the next pages. */
const AT_ONCE = 10_000;
const RETRY_AFTER_MS = 10_000;
const LOOK_WHETHER_BUSY_EVERY_MS = 5_000;
/** A late row whose workflow has not looked at it for longer than deliver ever waits. */
const WAKE_AT_ONCE = 500;

/**
 * The half of the reconciler that needs no Temporal: compares users, occasions and the ledger, and
 * plans by itself what was missed. What planning does not cure is a finding, and an alarm that
 * names it. Safe at any time, also several at once.
 */
export function createLedgerReconciler(deps: LedgerReconcilerDeps) {
  const { orm, planner, logger, observer, everyMs, secondLookMs = SECOND_LOOK_MS } = deps;
  const query = queryOf(orm);
  const findings = createFindings(orm);
  const looks = createLedgerLooks(orm, deps.pages);
  const stopping = new AbortController();

  const pause = async (ms: number): Promise<void> => {
    await sleep(ms, undefined, { signal: stopping.signal });
  };

  /** What still holds a moment later, of what seems amiss. */
  async function confirm(suspects: readonly Finding[]): Promise<Finding[]> {
    if (suspects.length === 0) return [];
    await pause(secondLookMs);
    const names = new Set(suspects.map(nameOf));
    return (await looks.again(suspects)).filter((finding) => names.has(nameOf(finding)));
  }

  /** Plans what was found; gives what went wrong, by the workflow id of the occasion. */
  async function plan(found: readonly Finding[]): Promise<Map<string, string>> {
    const toPlan = found.filter(({ note }) => !isLeftToOperator(note));
    const occasions = new Map(toPlan.flatMap(occasionsOf));
    const failures = new Map<string, string>();
    for (const outcome of await planner.plan([...occasions.values()])) {
      if (outcome.kind !== 'failed') continue;
      const { name, code } = describeError(outcome.error);
      failures.set(`${outcome.type}/${outcome.id}`, code === undefined ? name : `${name} ${code}`);
    }
    return failures;
  }

  /** Has the workflows of late rows look again, which start if they are not there. */
  async function wake(found: readonly Finding[]): Promise<void> {
    const late = found.filter(({ kind }) => kind === 'unattempted').slice(0, WAKE_AT_ONCE);
    if (late.length === 0) return;
    const occasions = late.flatMap(occasionsOf).map(([, occasion]) => occasion);
    await query(FORGET_WAKES_OF, { occasions: JSON.stringify(occasions) });
  }

  /** Cures what was found, old and new; gives what has become of it. */
  async function cure(suspects: readonly Finding[]) {
    const known = await findings.list(LEDGER_KINDS);
    const confirmed = await confirm(suspects);
    const old = known.length === 0 ? [] : await looks.again(known);
    const found = withoutRepeats([...confirmed, ...old]);
    const detected = await findings.keep(found);
    const outlived = await findings.drop(without(known, found));
    if (found.length === 0) return { detected, repaired: outlived, fresh: {} };

    const failures = await plan(found);
    await wake(found);
    await findings.markTried(found);
    let left = withoutRepeats(await looks.again(found));
    if (left.length > 0) {
      await pause(secondLookMs);
      left = withoutRepeats(await looks.again(left));
    }
    const cured = await findings.drop(without(found, left));
    const uncured = left.filter((finding) => found.some(isSame(finding)));
    const fresh = await findings.markUnrepaired(
      uncured.map((finding) => withFailure(finding, failures)),
    );
    return { detected, repaired: addCounts(outlived, cured), fresh };
  }

  /** Looks through everything once, and cures what it finds. */
  async function run(): Promise<LedgerReport> {
    const startedAt = performance.now();
    let [detected, repaired, fresh] = [{}, {}, {}];
    let suspects: Finding[] = [];
    const cureSome = async (): Promise<void> => {
      const came = await cure(suspects);
      suspects = [];
      detected = addCounts(detected, came.detected);
      repaired = addCounts(repaired, came.repaired);
      fresh = addCounts(fresh, came.fresh);
    };

    for (const look of looks.all) {
      for (let isOver = false; !isOver;) {
        stopping.signal.throwIfAborted();
        const page = await look.next();
        suspects.push(...page.suspects);
        isOver = page.isOver;
        if (suspects.length >= AT_ONCE) await cureSome();
      }
    }
    await cureSome();
    await noteLook(orm, 'ledger');

    const alarm = await raiseAlarm(findings, LEDGER_KINDS, logger, explain);
    const bystanders = await looks.countBystanders();
    const durationMs = Math.round(performance.now() - startedAt);
    observer?.round({ detected, repaired, unrepaired: fresh, durationMs });
    const report = { detected, repaired, ...alarm, bystanders, durationMs };
    const { examples: _named, ...counts } = report;
    logger.info(counts, 'reconciler: looked through the ledger');
    return report;
  }

  const counted = async (): Promise<LedgerReport> => {
    try {
      const report = await run();
      observer?.step('succeeded');
      return report;
    } catch (error) {
      if (!stopping.signal.aborted) observer?.step('failed');
      throw error;
    }
  };

  async function round(): Promise<number> {
    const ages = await findState(orm);
    const waitMs = waitFor(ages, everyMs);
    if (waitMs > 0) return waitMs;
    await counted();
    return everyMs;
  }

  const loop = createLoop(round, (error) => {
    if (!stopping.signal.aborted) {
      logger.warn({ error: describeError(error) }, 'reconciler: cannot look through the ledger');
    }
    return RETRY_AFTER_MS;
  });

  return {
    start: loop.start,
    async stop(): Promise<void> {
      stopping.abort();
      await loop.stop();
    },
    /** Looks through the ledger now, also while a herd goes out. Rejects while the database is away. */
    run: counted,
  };
}

/** How long until the next look, in ms: another process may have looked meanwhile. */
function waitFor(ages: ReconcileAges, everyMs: number): number {
  const { ledgerAgeMs } = ages;
  if (ledgerAgeMs !== null && ledgerAgeMs < everyMs) return everyMs - ledgerAgeMs;
  return mustRest(ages, ledgerAgeMs, everyMs) ? LOOK_WHETHER_BUSY_EVERY_MS : 0;
}

async function explain({ note }: Finding): Promise<string> {
  return note ?? 'planning it has changed nothing';
}

function occasionsOf({ type, id }: Finding): [string, OccasionRef][] {
  return type === null || id === null ? [] : [[`${type}/${id}`, { type, id }]];
}

function withFailure(finding: Finding, failures: ReadonlyMap<string, string>): Finding {
  const failure = failures.get(`${finding.type}/${finding.id}`);
  if (failure === undefined) return finding;
  return { ...finding, note: `${finding.note ?? 'it is amiss'}, and planning fails: ${failure}` };
}

const isSame =
  (left: Finding) =>
  (right: Finding): boolean =>
    nameOf(left) === nameOf(right);

function withoutRepeats(all: readonly Finding[]): Finding[] {
  return [...new Map(all.map((finding) => [nameOf(finding), finding])).values()];
}

function without(all: readonly Finding[], some: readonly Finding[]): Finding[] {
  const names = new Set(some.map(nameOf));
  return all.filter((finding) => !names.has(nameOf(finding)));
}
