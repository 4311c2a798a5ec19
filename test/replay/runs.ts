/** Workflows that come to an end by themselves, each played once with answers made up in advance. */
import type { Activities } from '../../src/activities/index.ts';
import type { PruneRequest } from '../../src/workflows/messages.ts';
import { reconcileRuns } from './reconcile-runs.ts';
import { redeliveryRuns } from './redelivery-runs.ts';

export interface Run {
  readonly workflowType: string;
  readonly args: readonly unknown[];
  /** Made for each run: what they answer may depend on what they were asked before. */
  readonly activities: () => Partial<Activities>;
  /** Records its first run; the last by default. */
  readonly recordsFirst?: boolean;
}

const HOUR = 3_600_000;
const prune: PruneRequest = {
  keep: {
    attemptsMs: 9_600 * HOUR,
    responseExcerptsMs: 720 * HOUR,
    idempotencyKeysMs: 24 * HOUR,
    outboxMs: 168 * HOUR,
  },
};

export const runs: Readonly<Record<string, Run>> = {
  ...redeliveryRuns,
  ...reconcileRuns,

  erasure: {
    workflowType: 'erasure',
    args: [{ eraseAfterMs: 0 }],
    activities() {
      let rounds = 0;
      return {
        async erase() {
          rounds += 1;
          const erased = { fromDatabase: 50, fromTemporal: 20, runs: 70 };
          // Its time was up; then what was deleted is awaited; then all is done.
          return { erased, more: rounds === 1, deleting: rounds < 3 };
        },
      };
    },
  },

  housekeeping: {
    workflowType: 'housekeeping',
    args: [prune],
    activities() {
      let rounds = 0;
      return {
        async prune() {
          rounds += 1;
          const removed = { attempts: 2_000, responseExcerpts: 10, idempotencyKeys: 0, outbox: 7 };
          return { removed, more: rounds < 3 };
        },
      };
    },
  },
};
