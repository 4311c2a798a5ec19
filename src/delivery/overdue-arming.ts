import { Counter } from 'prom-client';

import type { OverdueArming as OverdueLedger } from '../events/ports.ts';
import type { Logger } from '../observability/logger.ts';
import type { Registry } from '../observability/metrics.ts';
import { createLoop } from './loop.ts';

export interface OverdueArmingDeps {
  readonly ledger: OverdueLedger;
  readonly logger: Logger;
  readonly metrics: Registry;
}

/** Arms what the workflows should have armed and did not. */
export interface OverdueArming {
  start(): void;
  stop(): Promise<void>;
}

/** A workflow arms 15 s before the instant; one that is planned when it is due already, in a fraction of this. */
const GRACE_MS = 2_000;
const LOOK_EVERY_MS = 1_000;
const BATCH = 500;

/**
 * Makes a delivery at its instant independent of the engine: with Temporal away, slow, or
 * an activity lost on its way to a worker, the rows of the ledger are armed from here. Their
 * workflows learn the outcome when they ask for it. Any number of these may run at once.
 */
export function createOverdueArming({ ledger, logger, metrics }: OverdueArmingDeps): OverdueArming {
  const armed = new Counter({
    name: 'daybell_occurrences_armed_overdue_total',
    help: 'Occurrences armed by a dispatcher after their instant, because no workflow had done it.',
    registers: [metrics],
  });

  const round = async (): Promise<number> => {
    const count = await ledger.armOverdue({ limit: BATCH, graceMs: GRACE_MS });
    if (count === 0) return LOOK_EVERY_MS;
    armed.inc(count);
    logger.warn({ count }, 'armed after their instant: no workflow had done it');
    return 0;
  };

  // The dispatcher says so when the database is away.
  const loop = createLoop(round, () => LOOK_EVERY_MS);
  return { start: loop.start, stop: loop.stop };
}
