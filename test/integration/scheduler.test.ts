import { randomUUID } from 'node:crypto';

import { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { workflowId } from '../../src/domain/occurrence-key.ts';
import { MessageRefusedError, SchedulerAwayError } from '../../src/events/scheduling.ts';
import { connectTemporal } from '../../src/temporal/connection.ts';
import { createScheduler } from '../../src/temporal/scheduler.ts';
import { freePort } from '../support/free-port.ts';
import { uniqueTaskQueue, useDevServer, type TestTemporal } from '../support/temporal.ts';

let temporal: TestTemporal;
beforeAll(async () => {
  temporal = await useDevServer();
});
afterAll(() => temporal.close());

test('the first message starts the workflow, the next ones reach the same', async () => {
  const scheduler = createScheduler(temporal.client, uniqueTaskQueue());
  const userId = randomUUID();

  await scheduler.userChanged('birthday', { userId, revision: 1 });
  await scheduler.userDeleted('birthday', { userId, revision: 2 });
  await scheduler.replan('birthday', userId);

  const { events } = await temporal.client.workflow
    .getHandle(workflowId('birthday', userId))
    .fetchHistory();
  const signals = (events ?? []).flatMap(
    ({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName ?? [],
  );
  expect(signals).toEqual(['userChanged', 'userDeleted', 'replan']);
});

test('a workflow that has ended is started again by a later message', async () => {
  const scheduler = createScheduler(temporal.client, uniqueTaskQueue());
  const userId = randomUUID();
  const workflow = temporal.client.workflow.getHandle(workflowId('birthday', userId));
  await scheduler.userChanged('birthday', { userId, revision: 1 });
  await workflow.terminate();

  await scheduler.userChanged('birthday', { userId, revision: 2 });

  expect((await workflow.describe()).status.name).toBe('RUNNING');
});

test('a message that Temporal refuses is refused for good', async () => {
  const scheduler = createScheduler(temporal.client, 'q'.repeat(2_000));
  const sent = scheduler.userChanged('birthday', { userId: randomUUID(), revision: 1 });
  await expect(sent).rejects.toThrow(MessageRefusedError);
});

test('a namespace that does not exist may come: the scheduler is away', async () => {
  const { connection } = temporal.client;
  const client = new Client({ connection, namespace: 'not-yet' });
  const sent = createScheduler(client, uniqueTaskQueue()).replan('birthday', randomUUID());
  await expect(sent).rejects.toThrow(SchedulerAwayError);
});

test('with nobody at the address the scheduler is away, and says so within seconds', async () => {
  const nobody = connectTemporal({
    TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}`,
    TEMPORAL_DEV_PORT: 0,
    TEMPORAL_TASK_QUEUE: 'nobody',
  });
  try {
    const sent = createScheduler(nobody.client, uniqueTaskQueue()).replan('birthday', randomUUID());
    await expect(sent).rejects.toThrow(SchedulerAwayError);
  } finally {
    await nobody.close();
  }
});
