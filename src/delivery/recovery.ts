import type { CatchUp } from '../events/catch-up.ts';
import type { DeliveryLedger } from '../events/ports.ts';
import type { Logger } from '../observability/logger.ts';
import { createLoop } from './loop.ts';

export interface RecoveryDeps {
  readonly catchUp: CatchUp;
  readonly ledger: Pick<DeliveryLedger, 'putLateBehind'>;
  readonly logger: Logger;
  readonly observer?: RecoveryObserver;
}

/** Told how catching up goes, to show it. */
export interface RecoveryObserver {
  started(): void;
  /** At each look: how many are still owed late. */
  remaining(count: number): void;
  done(durationMs: number): void;
}

/** Watches what was missed being made up for. */
export interface Recovery {
  start(): void;
  stop(): Promise<void>;
}

/** Less than LATE_AFTER can be is not needed: whatever is seen here has waited for that long. */
const LOOK_EVERY_MS = 5_000;
const LOOK_EVERY_MS_MEANWHILE = 1_000;
const TELL_EVERY_MS = 30_000;

/**
 * Looks for what is owed late, as after downtime, and tells when catching up begins, how it
 * goes and when nothing is left. The sending itself is the dispatcher's: this only sees
 * to it that what was armed before the downtime is behind what comes due now. Each process
 * tells of it; of several, all tell the same.
 */
export function createRecovery(deps: RecoveryDeps): Recovery {
  const { catchUp, ledger, logger, observer = UNOBSERVED } = deps;
  let under: { readonly startedAt: number; toldAt: number } | null = null;

  const round = async (): Promise<number> => {
    const { count, latenessMs } = await catchUp.findOwed();
    const now = performance.now();
    observer.remaining(count);
    if (count > 0) {
      if (under === null) {
        under = { startedAt: now, toldAt: now };
        observer.started();
        logger.warn(
          { remaining: count, latenessMs: Math.round(latenessMs ?? 0) },
          'recovery started',
        );
      } else if (now - under.toldAt >= TELL_EVERY_MS) {
        under.toldAt = now;
        logger.info({ remaining: count }, 'recovery goes on');
      }
      await ledger.putLateBehind();
      return LOOK_EVERY_MS_MEANWHILE;
    }
    if (under !== null) {
      const durationMs = Math.round(now - under.startedAt);
      under = null;
      observer.done(durationMs);
      logger.info({ durationMs }, 'recovery done');
    }
    return LOOK_EVERY_MS;
  };

  // The dispatcher says so when the database is away.
  const loop = createLoop(round, () => LOOK_EVERY_MS_MEANWHILE);
  return { start: loop.start, stop: loop.stop };
}

const UNOBSERVED: RecoveryObserver = { started() {}, remaining() {}, done() {} };
