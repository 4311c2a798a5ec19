import pLimit from 'p-limit';

import type { ActivityReporter, PendingReport, ReportQueue } from '../events/ports.ts';
import type { Logger } from '../observability/logger.ts';
import { createHealth } from './health.ts';
import { createLoop } from './loop.ts';

export interface ReporterDeps {
  readonly queue: ReportQueue;
  readonly engine: ActivityReporter;
  /** Epoch ms. */
  readonly clock: () => number;
  readonly logger: Logger;
  /** While a herd is being sent, reports wait. */
  readonly isBusy?: () => boolean;
  /** For so long; after it, they keep to the background. */
  readonly busyWaitMs?: number;
}

export interface Reporter {
  start(): void;
  /** Ends what is being reported; the rest stays in the ledger. */
  stop(): Promise<void>;
}

/** Completions at a time: what one Temporal server takes without falling behind. */
const CONCURRENCY = 24;
const BATCH = 240;
/**
 * Each report makes a workflow go on to its next year, which costs the machine tens of times
 * what a delivery does. While a herd is being sent they wait; if that takes long, a few a
 * second show that reports are alive.
 */
const BUSY_WAIT_MS = 30_000;
const BUSY_BATCH = 2;
const BUSY_PAUSE_MS = 500;
/** Longer than a batch takes; after it, what a dead reporter took is taken by another. */
const HOLD_MS = 60_000;
const POLL_MS = 250;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 5_000;
/** One report that fails among others that don't: it is not in their way. */
const SINGLE_FAULT_DELAY_MS = 60_000;

/**
 * The report stage: tells Temporal, from the ledger, what the open activities wait for. All
 * is kept in the ledger until Temporal has taken it; told twice does no harm.
 */
export function createReporter(deps: ReporterDeps): Reporter {
  const { queue, engine, clock, logger, isBusy = () => false, busyWaitMs = BUSY_WAIT_MS } = deps;
  const database = createHealth('database', logger);
  const temporal = createHealth('Temporal server', logger);
  let backoffMs = FIRST_BACKOFF_MS;
  let busySince = Infinity;

  /** Gives how long to wait before the next, in ms. */
  const round = async (): Promise<number> => {
    const busy = isBusy();
    busySince = busy ? Math.min(busySince, performance.now()) : Infinity;
    if (busy && performance.now() - busySince < busyWaitMs) return POLL_MS;
    const reports = await queue.take(busy ? BUSY_BATCH : BATCH, HOLD_MS);
    database.ok();
    if (reports.length === 0) return POLL_MS;

    const { told, failed, untried } = await tellAll(reports, busy);
    await queue.markReported(told);
    const isAway = told.length === 0;
    await queue.postpone(failed, isAway ? backoffMs : SINGLE_FAULT_DELAY_MS);
    await queue.postpone(untried, 0);
    if (!isAway) {
      backoffMs = FIRST_BACKOFF_MS;
      return busy ? BUSY_PAUSE_MS : 0;
    }
    const waitMs = backoffMs;
    backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS);
    return waitMs;
  };

  const tellAll = async (
    reports: readonly PendingReport[],
    wasBusy: boolean,
  ): Promise<Record<'told' | 'failed' | 'untried', PendingReport[]>> => {
    const told: PendingReport[] = [];
    const failed: PendingReport[] = [];
    const untried: PendingReport[] = [];
    await pLimit(CONCURRENCY).map(reports, async (report) => {
      const isHerdHere = !wasBusy && isBusy();
      // As many failures as calls at a time and no success: the rest need not wait for theirs.
      const isAway = told.length === 0 && failed.length >= CONCURRENCY;
      if (loop.isStopping || isHerdHere || isAway) {
        untried.push(report);
        return;
      }
      try {
        await tell(report);
        temporal.ok();
        told.push(report);
      } catch (error) {
        temporal.failed(error);
        failed.push(report);
      }
    });
    return { told, failed, untried };
  };

  const tell = (report: PendingReport): Promise<void> => {
    const { key, kind, taskToken, retryAt } = report;
    if (kind !== 'retry') return engine.complete(taskToken, { occurrenceKey: key, outcome: kind });
    const nextRetryDelayMs = Math.max((retryAt ?? 0) - clock(), 1);
    return engine.fail(taskToken, { message: describe(report), nextRetryDelayMs });
  };

  const loop = createLoop(round, (error) => {
    database.failed(error);
    return LONGEST_BACKOFF_MS;
  });

  return { start: loop.start, stop: loop.stop };
}

/** What the Web UI shows of a delivery that is being retried. */
function describe({ attempts, lastStatus, lastErrorCode }: PendingReport): string {
  const reply = lastStatus === null ? (lastErrorCode ?? 'no answer') : `HTTP ${lastStatus}`;
  return `attempt ${attempts}: ${reply}`;
}
