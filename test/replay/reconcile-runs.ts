import { ApplicationFailure } from '@temporalio/common';

import type { Activities } from '../../src/activities/index.ts';
import type { ConcludeRequest, FindingKind } from '../../src/domain/reconcile-messages.ts';
import type { Run } from './runs.ts';

/** A round in which nothing is found. */
const well: Partial<Activities> = {
  lookForMissed: async () => ({ suspected: 0, more: false }),
  confirmMissed: async () => ({}),
  repairMissed: async () => ({ tried: 0 }),
  settleMissed: async () => ({ repaired: {}, awaited: 0 }),
  concludeReconcile: async (request: ConcludeRequest) => ({
    ...request,
    unrepaired: {},
    examples: [],
    bystanders: { blocked: 0, waiting: 0, staleTokens: 0 },
    durationMs: 1,
  }),
};

/** Repairs in two pages, whose outcome is awaited three times. */
function finding(): Partial<Activities> {
  const pages = [500, 3];
  const awaited = [503, 20, 0];
  return {
    ...well,
    lookForMissed: async ({ kind }) => ({ suspected: kind === 'unplanned' ? 503 : 0, more: false }),
    confirmMissed: async () => ({ unplanned: 503 }),
    repairMissed: async () => ({ tried: pages.shift() ?? 0 }),
    settleMissed: async () => ({ repaired: { unplanned: 10 }, awaited: awaited.shift() ?? 0 }),
  };
}

/** Of the reconciler, every path. */
export const reconcileRuns: Readonly<Record<string, Run>> = {
  'reconciled-nothing': { workflowType: 'reconcile', args: [], activities: () => well },
  'reconciled-findings': { workflowType: 'reconcile', args: [], activities: finding },
  'reconciled-in-rounds': {
    workflowType: 'reconcile',
    args: [],
    recordsFirst: true,
    activities() {
      let looks = 0;
      const isMore = (kind: FindingKind): boolean => kind === 'store_lost' && (looks += 1) === 1;
      return {
        ...well,
        lookForMissed: async ({ kind }) => ({ suspected: 0, more: isMore(kind) }),
        confirmMissed: async () => ({ store_lost: 7 }),
      };
    },
  },
  'reconciled-but-for-a-kind': {
    workflowType: 'reconcile',
    args: [],
    activities: () => ({
      ...well,
      async lookForMissed({ kind }) {
        if (kind === 'unfollowed') throw ApplicationFailure.nonRetryable('no visibility');
        return { suspected: 0, more: false };
      },
    }),
  },
};
