import { ApplicationFailure } from '@temporalio/common';

import type { Activities } from '../../src/activities/index.ts';
import type { RedeliveryBatchRequest, RedeliveryRequest } from '../../src/workflows/messages.ts';
import type { Run } from './runs.ts';

const KEY = 'birthday:0198f6a2-6c1e-7f5b-9d53-0a4b6c8d7e9f:2027';
const FIRE_AT = Date.UTC(2027, 4, 20, 7);

const one: RedeliveryRequest = {
  occurrenceKey: KEY,
  redeliveryId: '0198f6a2-6c1e-7f5b-9d53-0a4b6c8d7e90',
  force: false,
};
const many: RedeliveryBatchRequest = {
  filter: {
    state: 'FAILED',
    reason: 'gave_up',
    from: FIRE_AT,
    to: null,
    eventType: null,
    userId: null,
    timezone: null,
    settledBy: FIRE_AT + 1,
  },
};

/** What a redelivery asks for, answered at once. */
const redelivering = {
  beginRedelivery: async () => ({ kind: 'begun' as const }),
  awaitRedelivery: async ({ occurrenceKey }: RedeliveryRequest) => ({
    occurrenceKey,
    outcome: 'delivered' as const,
  }),
};

/** Of redeliveries, every path; of batches, the last run and one that continues as new. */
export const redeliveryRuns: Readonly<Record<string, Run>> = {
  redelivered: { workflowType: 'redelivery', args: [one], activities: () => redelivering },
  'redelivered-after-retries': {
    workflowType: 'redelivery',
    args: [one],
    activities(): Partial<Activities> {
      let asked = 0;
      return {
        ...redelivering,
        async awaitRedelivery(request) {
          asked += 1;
          if (asked > 2) return redelivering.awaitRedelivery(request);
          throw ApplicationFailure.create({ message: 'HTTP 503', nextRetryDelay: 100 });
        },
      };
    },
  },
  'redelivery-refused': {
    workflowType: 'redelivery',
    args: [one],
    activities: () => ({
      beginRedelivery: async () => ({ kind: 'refused', reason: 'delivered' }),
    }),
  },
  'redelivery-batch': {
    workflowType: 'redeliveryBatch',
    args: [many],
    activities: () => ({
      ...redelivering,
      // The second time it is being redelivered already.
      findRedeliveryPage: async () => [
        { fireAt: FIRE_AT, key: KEY },
        { fireAt: FIRE_AT, key: KEY },
        { fireAt: FIRE_AT, key: KEY.replace('2027', '2028') },
      ],
    }),
  },
  'redelivery-batch-continued': {
    workflowType: 'redeliveryBatch',
    args: [many],
    recordsFirst: true,
    activities: () => ({
      ...redelivering,
      findRedeliveryPage: async ({ after, limit }) =>
        after === null
          ? Array.from({ length: limit }, (_, nth) => ({ fireAt: FIRE_AT, key: `${KEY}${nth}` }))
          : [],
    }),
  },
};
