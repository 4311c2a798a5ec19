import { setTimeout as sleep } from 'node:timers/promises';

import { queryOf } from '../ledger/sql.ts';
import { describeError } from '../platform/errors.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { Planner } from '../planning/types.ts';
import { createLoop } from '../platform/loop.ts';
import type { LedgerFindingKind } from '../workflows/maintenance-contract.ts';
import { addCounts, createFindings, nameOf, type Finding } from './findings.ts';
import { FORGET_WAKE, lockOccasions } from './forget-wakes.ts';
import { isLeftToOperator } from './invariants.ts';
import { createLedgerLooks } from './ledger-looks.ts';
import { countSteps, type ReconcileObserver } from './metrics.ts';
import { raiseAlarm, type ReconcileLogger, type Round } from './round.ts';
import { findState, mustRest, noteLook, type ReconcileAges } from './state.ts';

export interface LedgerReconcilerDeps {
  readonly orm: Orm;
  readonly planner: Pick<Planner, 'plan'>;
  readonly logger: ReconcileLogger;
  readonly observer?: ReconcileObserver;
  /** How long after the last look the next one begins. */
  readonly everyMs: number;
  /** After how long a suspect is looked at again, before it counts; for tests. */
  readonly secondLookMs?: number;
  /** For tests. */
  readonly usersPerPage?: number;
}

export type LedgerReconciler = ReturnType<typeof createLedgerReconciler>;

export const LEDGER_KINDS: readonly LedgerFindingKind[] = [
  'unattempted',
  'unplanned',
  'impossible',
];

/** What is only between two states has left them by then. */
const SECOND_LOOK_MS = 10_000;
/** Planned in seconds. */
const SUSPECTS_AT_ONCE = 10_000;
const RETRY_AFTER_MS = 10_000;
const CHECK_BUSY_EVERY_MS = 5_000;
const NOTIFY_AT_ONCE = 500;

/**
 * The half of the reconciler that needs no Temporal: compares users and occasions with the ledger,
 * and plans what was missed. What planning does not cure raises an alarm that names it. Safe at
 * any time, also several at once.
 */
export function createLedgerReconciler(deps: LedgerReconcilerDeps) {
  const { orm, planner, logger, observer, everyMs, secondLookMs = SECOND_LOOK_MS } = deps;
  const query = queryOf(orm);
  const findings = createFindings(orm);
  const looks = createLedgerLooks(orm, deps.usersPerPage);
  const stopping = new AbortController();

  async function lookAgainLater(suspects: readonly Finding[]): Promise<Finding[]> {
    if (suspects.length === 0) return [];
    await sleep(secondLookMs, undefined, { signal: stopping.signal });
    return looks.again(suspects);
  }

  /** Plans the occasions of findings; returns the errors by workflow id. */
  async function plan(found: readonly Finding[]): Promise<Map<string, string>> {
    const occasions = found
      .filter(({ note }) => !isLeftToOperator(note))
      .map(({ type, id }) => [`${type}/${id}`, { type, id }] as const);
    const errors = new Map<string, string>();
    for (const outcome of await planner.plan([...new Map(occasions).values()])) {
      if (outcome.kind !== 'failed') continue;
      const { name, code } = describeError(outcome.error);
      errors.set(`${outcome.type}/${outcome.id}`, code === undefined ? name : `${name} ${code}`);
    }
    return errors;
  }

  /** Has the workflows of late rows look, and started if they do not run. */
  async function notifyLate(found: readonly Finding[]): Promise<void> {
    const late = found.filter(({ kind }) => kind === 'unattempted').slice(0, NOTIFY_AT_ONCE);
    if (late.length > 0) await query(NOTIFY_UNLESS_LOOKED, { occasions: JSON.stringify(late) });
  }

  /** Confirms suspects and plans them. */
  async function repair(suspects: readonly Finding[]) {
    const found = await lookAgainLater(suspects);
    const detected = await findings.keep(found);
    const errors = await plan(found);
    await notifyLate(found);
    const left = await lookAgainLater(await looks.again(found));
    const leftNames = new Set(left.map(nameOf));
    const repaired = await findings.drop(found.filter((one) => !leftNames.has(nameOf(one))));
    await findings.markUnrepaired(left.map((finding) => withError(finding, errors)));
    return { found, counts: { detected, repaired } };
  }

  /** Looks through everything once, and repairs what it finds. */
  async function look(): Promise<Round> {
    const startedAt = performance.now();
    const known = await findings.list(LEDGER_KINDS);
    const notFoundAgain = new Map(known.map((finding) => [nameOf(finding), finding]));
    const rounds: Pick<Round, 'detected' | 'repaired'>[] = [];
    let suspects: Finding[] = [];
    const repairSuspects = async (): Promise<void> => {
      if (suspects.length === 0) return;
      const { found, counts } = await repair(suspects);
      suspects = [];
      rounds.push(counts);
      for (const finding of found) notFoundAgain.delete(nameOf(finding));
    };

    for await (const page of looks.suspects()) {
      stopping.signal.throwIfAborted();
      suspects.push(...page);
      if (suspects.length >= SUSPECTS_AT_ONCE) await repairSuspects();
    }
    await repairSuspects();
    const cured = await findings.drop([...notFoundAgain.values()]);
    await noteLook(orm, 'ledger');

    const detected = addCounts(...rounds.map((round) => round.detected));
    const repaired = addCounts(cured, ...rounds.map((round) => round.repaired));
    observer?.round({ detected, repaired });
    const alarm = await raiseAlarm(findings, LEDGER_KINDS, logger);
    const durationMs = Math.round(performance.now() - startedAt);
    logger.info(
      { detected, repaired, unrepaired: alarm.unrepaired, durationMs },
      'reconciler: looked through the ledger',
    );
    return { detected, repaired, ...alarm };
  }

  const counted = countSteps(observer, stopping.signal);
  const loop = createLoop(
    async () => {
      const waitMs = waitFor(await findState(orm), everyMs);
      if (waitMs > 0) return waitMs;
      await counted(look);
      return everyMs;
    },
    (error) => {
      if (!stopping.signal.aborted) {
        logger.warn({ error: describeError(error) }, 'reconciler: cannot look through the ledger');
      }
      return RETRY_AFTER_MS;
    },
  );

  return {
    start: loop.start,
    async stop(): Promise<void> {
      stopping.abort();
      await loop.stop();
    },
    /** Looks through the ledger now, whatever else is going on. Rejects while the database is away. */
    run: () => counted(look),
  };
}

function withError(finding: Finding, errors: ReadonlyMap<string, string>): Finding {
  const error = errors.get(`${finding.type}/${finding.id}`);
  if (error === undefined) return finding;
  return { ...finding, note: `${finding.note}, and planning fails: ${error}` };
}

/** How long until the next look, in ms: another process may have looked meanwhile. */
function waitFor(ages: ReconcileAges, everyMs: number): number {
  const { ledgerAgeMs } = ages;
  if (ledgerAgeMs !== null && ledgerAgeMs < everyMs) return everyMs - ledgerAgeMs;
  return mustRest(ages, ledgerAgeMs, everyMs) ? CHECK_BUSY_EVERY_MS : 0;
}

/** Longer than *deliver* ever waits between two looks. */
const NOTIFY_UNLESS_LOOKED = `
  with ${lockOccasions(`o.ended_at is null and (o.looked_at is null
    or o.looked_at < (select events.clock() - interval '20 minutes'))`)}
  update events.occasions as o set ${FORGET_WAKE}
  from locked where o.type = locked.type and o.id = locked.id`;
