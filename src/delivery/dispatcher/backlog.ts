import type { LedgerState } from '../../ledger/ledger-state.ts';
import type { Logger } from '../../platform/logger.ts';
import { createLoop, type Loop } from '../../platform/loop.ts';
import type { BacklogMetrics } from '../metrics.ts';

export interface BacklogWatchDeps {
  readonly ledgerState: Pick<LedgerState, 'lateBacklog'>;
  readonly logger: Logger;
  readonly metrics: BacklogMetrics;
}

const LOOK_EVERY_MS = 5_000;
const LOOK_EVERY_MS_MEANWHILE = 1_000;
const LOG_EVERY_MS = 30_000;

/**
 * Detects a backlog, as after downtime, and logs when there is one, how it shrinks and when it is
 * gone. It changes nothing: dispatchers send it, behind what is on time.
 */
export function createBacklogWatch(deps: BacklogWatchDeps): Pick<Loop, 'start' | 'stop'> {
  const { ledgerState, logger, metrics } = deps;
  let current: { readonly startedAt: number; loggedAt: number } | null = null;

  const round = async (): Promise<number> => {
    const { count, latenessMs } = await ledgerState.lateBacklog();
    const now = performance.now();
    metrics.remaining.set(count);
    metrics.inProgress.set(count > 0 ? 1 : 0);
    if (count > 0) {
      if (current === null) {
        current = { startedAt: now, loggedAt: now };
        logger.warn({ remaining: count, latenessMs: Math.round(latenessMs ?? 0) }, 'backlog found');
      } else if (now - current.loggedAt >= LOG_EVERY_MS) {
        current.loggedAt = now;
        logger.info({ remaining: count }, 'backlog is shrinking');
      }
      return LOOK_EVERY_MS_MEANWHILE;
    }
    if (current !== null) {
      const durationMs = Math.round(now - current.startedAt);
      current = null;
      metrics.lastDuration.set(durationMs / 1000);
      logger.info({ durationMs }, 'backlog done');
    }
    return LOOK_EVERY_MS;
  };

  // The dispatcher logs it when the database is down.
  return createLoop(round, () => LOOK_EVERY_MS_MEANWHILE);
}
