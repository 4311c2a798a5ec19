import { randomUUID } from 'node:crypto';

import { CompleteAsyncError, Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Activities } from '../../src/activities/index.ts';
import type { PlanResult } from '../../src/domain/plan-messages.ts';
import { createActivityReporter } from '../../src/temporal/activity-reporter.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { startDevServer } from '../support/dev-server.ts';
import { freePort } from '../support/free-port.ts';
import {
  findDevServerProgram,
  uniqueTaskQueue,
  useDevServer,
  useWorkflowBundle,
  type TestTemporal,
} from '../support/temporal.ts';

const WITHIN = { timeout: 60_000, interval: 50 };
const taskQueue = uniqueTaskQueue();
/** The tokens of each delivery activity, in order of its attempts. */
const tokens = new Map<string, Uint8Array[]>();
const planned = new Set<string>();

let temporal: TestTemporal;
let worker: Worker;
let working: Promise<void>;

beforeAll(async () => {
  temporal = await useDevServer();
  worker = await createWorker({
    connection: temporal.connection,
    namespace: 'default',
    taskQueue,
    workflowBundle: await useWorkflowBundle(),
    activities,
  });
  working = worker.run();
});
afterAll(async () => {
  worker.shutdown();
  await working;
  await temporal.close();
});

/** Each user has one delivery, which stays open; after it, nothing more. */
const activities: Pick<Activities, 'plan' | 'deliver'> = {
  async plan({ userId, now }): Promise<PlanResult> {
    if (planned.has(userId)) return { kind: 'ended' };
    planned.add(userId);
    return {
      kind: 'planned',
      occurrenceKey: userId,
      timezone: 'UTC',
      tzVersion: '2026c',
      fireAt: now,
      armAt: now,
      recheckAt: null,
    };
  },
  async deliver({ occurrenceKey }) {
    const { taskToken } = Context.current().info;
    tokens.set(occurrenceKey, [...(tokens.get(occurrenceKey) ?? []), taskToken]);
    throw new CompleteAsyncError();
  },
};

/** A workflow that waits for the outcome of its delivery. */
async function startDelivery() {
  const userId = randomUUID();
  const handle = await temporal.client.workflow.start('birthday', {
    workflowId: `birthday/${userId}`,
    taskQueue,
    args: [{ userId }],
  });
  const attempts = () => tokens.get(userId) ?? [];
  await expect.poll(() => attempts().length, WITHIN).toBe(1);
  return { userId, handle, attempts };
}

test('an outcome completes the open activity, and its workflow goes on', async () => {
  const { userId, handle, attempts } = await startDelivery();
  const [token = new Uint8Array()] = attempts();
  const reporter = createActivityReporter(temporal.client);
  await reporter.complete(token, { occurrenceKey: userId, outcome: 'delivered' });
  await handle.result();
  expect(attempts()).toHaveLength(1);
});

test('a failure for now shows in Temporal, and the activity comes back after its delay', async () => {
  const { userId, handle, attempts } = await startDelivery();
  const [first = new Uint8Array()] = attempts();
  const reporter = createActivityReporter(temporal.client);
  const failedAt = performance.now();
  await reporter.fail(first, { message: 'attempt 4: HTTP 503', nextRetryDelayMs: 1500 });
  await expect
    .poll(async () => (await handle.describe()).raw.pendingActivities?.[0]?.lastFailure, WITHIN)
    .toMatchObject({
      message: 'attempt 4: HTTP 503',
      applicationFailureInfo: { type: 'DeliveryNotAccepted', nonRetryable: false },
    });
  await expect.poll(() => attempts().length, WITHIN).toBe(2);
  expect(performance.now() - failedAt).toBeGreaterThan(1400);
  const [, second = new Uint8Array()] = attempts();
  await reporter.complete(second, { occurrenceKey: userId, outcome: 'failed' });
  await handle.result();
});

test('an activity that Temporal does not wait for counts as told', async () => {
  const { userId, handle, attempts } = await startDelivery();
  const [token = new Uint8Array()] = attempts();
  const reporter = createActivityReporter(temporal.client);
  const result = { occurrenceKey: userId, outcome: 'delivered' } as const;
  await reporter.complete(token, result);
  await expect(reporter.complete(token, result)).resolves.toBeUndefined();
  await handle.result();
  await expect(reporter.complete(token, result)).resolves.toBeUndefined();
  const failure = { message: 'attempt 4: HTTP 503', nextRetryDelayMs: 1 };
  await expect(reporter.fail(token, failure)).resolves.toBeUndefined();
});

test('a token of a cluster that is no more counts as told; a namespace of ours that is not there does not', async () => {
  const { userId, handle, attempts } = await startDelivery();
  const [token = new Uint8Array()] = attempts();
  const result = { occurrenceKey: userId, outcome: 'delivered' } as const;
  const server = await startDevServer({ binary: await findDevServerProgram() });
  const connection = await Connection.connect({ address: server.address });
  const tell = (namespace: string) =>
    createActivityReporter(new Client({ connection, namespace })).complete(token, result);
  await expect(tell('default')).resolves.toBeUndefined();
  await expect(tell('not-there')).rejects.toBeInstanceOf(Error);
  await connection.close();
  await server.stop();
  await handle.terminate();
});

test('with no server at the address, the call ends with an error', async () => {
  const connection = Connection.lazy({ address: `127.0.0.1:${await freePort()}` });
  const reporter = createActivityReporter(new Client({ connection }));
  const result = { occurrenceKey: 'birthday:u1:2026', outcome: 'delivered' } as const;
  await expect(reporter.complete(new Uint8Array([1]), result)).rejects.toBeInstanceOf(Error);
  await connection.close();
});
