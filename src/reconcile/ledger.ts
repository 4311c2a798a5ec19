import { setTimeout as sleep } from 'node:timers/promises';

import { workflowId } from '../ledger/occurrence-key.ts';
import { queryOf } from '../ledger/sql.ts';
import { describeError, errorLine } from '../platform/errors.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { Planner } from '../planning/planner.ts';
import { createLoop } from '../platform/loop.ts';
import type { Registry } from '../platform/metrics.ts';
import type { LedgerFindingKind } from '../workflows/maintenance-contract.ts';
import {
  countByKind,
  createFindings,
  type Finding,
  nameOf,
  type ReconcileLogger,
  type Round,
} from './findings.ts';
import { isLeftToOperator } from './invariants.ts';
import { createLedgerLooks } from './ledger-looks.ts';
import { createReconcileMetrics } from './metrics.ts';
import { notifyAgain } from './notify-again.ts';
import { findState, mustRest, noteLook } from './state.ts';

export interface LedgerReconcilerDeps {
  readonly orm: Orm;
  readonly planner: Pick<Planner, 'plan'>;
  readonly logger: ReconcileLogger;
  readonly registry: Registry;
  /** The pause between the last check and the next one. */
  readonly everyMs: number;
  /** After how long a suspect is checked again, before it counts; for tests. */
  readonly secondLookMs?: number;
  /** For tests. */
  readonly usersPerPage?: number;
}

export type LedgerReconciler = ReturnType<typeof createLedgerReconciler>;

const LEDGER_KINDS: readonly LedgerFindingKind[] = ['unattempted', 'unplanned', 'impossible'];

/** By then, rows that were only between two states have left them. */
const SECOND_LOOK_MS = 10_000;
/** Few enough to be planned in seconds. */
const SUSPECTS_AT_ONCE = 10_000;
const RETRY_AFTER_MS = 10_000;
const CHECK_BUSY_EVERY_MS = 5_000;
const NOTIFY_AT_ONCE = 500;

/**
 * The half of the reconciler that needs no Temporal: compares users and occasions with the ledger,
 * and plans what was missed. Whatever planning does not resolve raises an alarm that names it. Safe
 * at any time, even concurrently.
 */
export function createLedgerReconciler(deps: LedgerReconcilerDeps) {
  const { orm, planner, logger, everyMs, secondLookMs = SECOND_LOOK_MS } = deps;
  const metrics = createReconcileMetrics(deps.registry, LEDGER_KINDS);
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
    const occasions = found.filter(({ note }) => !isLeftToOperator(note));
    const outcomes = await planner.plan(occasions.map(({ type, id }) => ({ type, id })));
    return new Map(
      outcomes.flatMap((outcome) =>
        outcome.kind === 'failed' ? [[workflowId(outcome), errorLine(outcome.error)]] : [],
      ),
    );
  }

  /** Confirms suspects, plans them, and has the workflows of late rows notified. */
  async function repair(suspects: readonly Finding[]) {
    const found = await lookAgainLater(suspects);
    const detected = await findings.keep(found);
    const errors = await plan(found);
    const late = found.filter(({ kind }) => kind === 'unattempted').slice(0, NOTIFY_AT_ONCE);
    await query(NOTIFY_UNLESS_LOOKED, { occasions: JSON.stringify(late) });
    const left = await lookAgainLater(await looks.again(found));
    const names = new Set(left.map(nameOf));
    const repaired = await findings.drop(suspects.filter((one) => !names.has(nameOf(one))));
    await findings.markUnrepaired(
      left.map((finding) => withError(finding, errors.get(workflowId(finding)))),
    );
    return { detected, repaired };
  }

  /** Checks everything once, and repairs what it finds. */
  async function look(): Promise<Round> {
    const startedAt = performance.now();
    const detected: Pick<Finding, 'kind'>[] = [];
    const repaired: Pick<Finding, 'kind'>[] = [];
    // Findings of earlier rounds may be resolved by now, or have to be planned again.
    const suspects = await findings.list(LEDGER_KINDS);
    async function repairSuspects(): Promise<void> {
      if (suspects.length === 0) return;
      const came = await repair(suspects.splice(0));
      detected.push(...came.detected);
      repaired.push(...came.repaired);
    }
    for await (const page of looks.suspects()) {
      stopping.signal.throwIfAborted();
      suspects.push(...page);
      if (suspects.length >= SUSPECTS_AT_ONCE) await repairSuspects();
    }
    await repairSuspects();
    await noteLook(orm, 'ledger_looked_at');

    const counts = { detected: countByKind(detected), repaired: countByKind(repaired) };
    metrics.round(counts);
    const alarm = await findings.raiseAlarm(LEDGER_KINDS, logger);
    const durationMs = Math.round(performance.now() - startedAt);
    const about = { ...counts, unrepaired: alarm.unrepaired, durationMs };
    logger.info(about, 'reconciler: looked through the ledger');
    return { ...counts, ...alarm };
  }

  const lookCounted = (): Promise<Round> => metrics.step(look, stopping.signal);
  const loop = createLoop(
    async () => {
      const state = await findState(orm);
      const ageMs = state.ledgerAgeMs ?? Infinity;
      // Another process may have checked meanwhile.
      if (ageMs < everyMs) return everyMs - ageMs;
      if (mustRest(state, state.ledgerAgeMs, everyMs)) return CHECK_BUSY_EVERY_MS;
      await lookCounted();
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
    /** Checks the ledger now, whatever else is going on. Rejects while the database is down. */
    run: lookCounted,
  };
}

function withError(finding: Finding, error: string | undefined): Finding {
  if (error === undefined) return finding;
  return { ...finding, note: `${finding.note}, and planning fails: ${error}` };
}

/** Longer than *deliver* ever waits between two checks. */
const NOTIFY_UNLESS_LOOKED = notifyAgain(`(o.looked_at is null
  or o.looked_at < (select events.clock() - interval '20 minutes'))`);
