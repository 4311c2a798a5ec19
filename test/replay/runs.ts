/** Workflows that end by themselves, each run once with prepared answers. */
import { ApplicationFailure } from '@temporalio/common';

import type { Activities } from '../../src/activities/index.ts';
import type { PruneRequest } from '../../src/workflows/maintenance-contract.ts';

export interface Run {
  readonly workflowType: string;
  readonly args: readonly unknown[];
  /** Created for each run: their answers may depend on earlier calls. */
  readonly activities: () => Partial<Activities>;
}

const HOUR = 3_600_000;
const prune: PruneRequest = {
  keep: {
    attemptsMs: 9_600 * HOUR,
    responseExcerptsMs: 720 * HOUR,
    idempotencyKeysMs: 24 * HOUR,
    outboxMs: 168 * HOUR,
    occurrencesMs: 19_200 * HOUR,
  },
};

/** A round of the reconciler in which nothing is found. */
const well: Partial<Activities> = {
  checkStore: async () => ({ rests: false, forgotten: 0 }),
  lookForUnwatched: async () => ({ detected: {}, repaired: {} }),
  compareWorkflows: async () => ({ detected: {}, repaired: {}, compared: null }),
  concludeReconcile: async () => ({ unrepaired: {}, examples: [] }),
};

export const runs: Readonly<Record<string, Run>> = {
  erasure: {
    workflowType: 'erasure',
    args: [{ eraseAfterMs: 0 }],
    activities() {
      let rounds = 0;
      return {
        async erase() {
          rounds += 1;
          const erased = { fromDatabase: 50, fromTemporal: 20, runs: 70 };
          // Its time was over; then the deletions are awaited; then all is done.
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
          const counts = { attempts: 2_000, responseExcerpts: 10, idempotencyKeys: 0, outbox: 7 };
          return { removed: { ...counts, occurrences: 0, operatorLog: 0 }, more: rounds < 3 };
        },
      };
    },
  },

  'reconciled-nothing': { workflowType: 'reconcile', args: [], activities: () => well },
  'reconciled-findings': {
    workflowType: 'reconcile',
    args: [],
    activities: () => ({
      ...well,
      lookForUnwatched: async () => ({ detected: { unwatched: 3 }, repaired: { unwatched: 2 } }),
      compareWorkflows: async () => ({
        detected: { lost: 1, stray: 1 },
        repaired: { lost: 1 },
        compared: 20_000,
      }),
    }),
  },
  'reconciled-at-rest': {
    workflowType: 'reconcile',
    args: [],
    activities: () => ({ ...well, checkStore: async () => ({ rests: true, forgotten: 7 }) }),
  },
  'reconciled-but-for-a-kind': {
    workflowType: 'reconcile',
    args: [],
    activities: () => ({
      ...well,
      async compareWorkflows() {
        throw ApplicationFailure.nonRetryable('no visibility');
      },
    }),
  },
};
