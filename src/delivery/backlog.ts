import type { Backlog } from '../ledger/backlog.ts';
import type { Logger } from '../observability/logger.ts';
import { createLoop } from '../platform/loop.ts';

export interface BacklogWatchDeps {
  readonly backlog: Backlog;
  readonly logger: Logger;
  readonly observer?: BacklogObserver;
}

/** Shows how a backlog goes down. */
export interface BacklogObserver {
  started(): void;
  /** At each look: how many are late and have had no attempt. */
  remaining(count: number): void;
  done(durationMs: number): void;
}

/** Watches the backlog that is left by downtime. */
export interface BacklogWatch {
  start(): void;
  stop(): Promise<void>;
}

/** Shorter than LATE_AFTER can be is not needed: what is seen here has waited for that long. */
const LOOK_EVERY_MS = 5_000;
const LOOK_EVERY_MS_MEANWHILE = 1_000;
const LOG_EVERY_MS = 30_000;

/**
 * Looks for a backlog, as after downtime, and logs when there is one, how it goes down and when it
 * is gone. It changes nothing: dispatchers send it, behind what is on time. Each process logs it;
 * of several, all log the same.
 */
export function createBacklogWatch(deps: BacklogWatchDeps): BacklogWatch {
  const { backlog, logger, observer = UNOBSERVED } = deps;
  let current: { readonly startedAt: number; loggedAt: number } | null = null;

  const round = async (): Promise<number> => {
    const { count, latenessMs } = await backlog.findLate();
    const now = performance.now();
    observer.remaining(count);
    if (count > 0) {
      if (current === null) {
        current = { startedAt: now, loggedAt: now };
        observer.started();
        logger.warn({ remaining: count, latenessMs: Math.round(latenessMs ?? 0) }, 'backlog found');
      } else if (now - current.loggedAt >= LOG_EVERY_MS) {
        current.loggedAt = now;
        logger.info({ remaining: count }, 'backlog goes down');
      }
      return LOOK_EVERY_MS_MEANWHILE;
    }
    if (current !== null) {
      const durationMs = Math.round(now - current.startedAt);
      current = null;
      observer.done(durationMs);
      logger.info({ durationMs }, 'backlog done');
    }
    return LOOK_EVERY_MS;
  };

  // The dispatcher logs it when the database is away.
  const loop = createLoop(round, () => LOOK_EVERY_MS_MEANWHILE);
  return { start: loop.start, stop: loop.stop };
}

const UNOBSERVED: BacklogObserver = { started() {}, remaining() {}, done() {} };
