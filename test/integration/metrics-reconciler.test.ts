/** What the process api says of the reconciler, and of what waits for an operator. */
import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { valueOf } from '../support/metrics.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runProcess, runProgram, type TestProcess, urlOf } from '../support/process.ts';
import {
  findWorkflowBundle,
  type TestTemporal,
  uniqueTaskQueue,
  useDevServer,
} from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

const WITHIN = { timeout: 60_000, interval: 100 };
const taskQueue = uniqueTaskQueue();

let database: TestDatabase;
let rows: EventRows;
let temporal: TestTemporal;
let settings: NodeJS.ProcessEnv;
beforeAll(async () => {
  [database, temporal] = await Promise.all([createTestDatabase(), useDevServer()]);
  rows = createEventRows(database.orm);
  settings = {
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: taskQueue,
    WORKFLOW_BUNDLE: await findWorkflowBundle(),
    PORT: '0',
    METRICS_PORT: '0',
  };
}, 120_000);
afterAll(async () => {
  await temporal.close();
  await database.drop();
});

/** The process, ready, until the test is over. */
async function start(entry: string): Promise<TestProcess> {
  const running = untilTestEnds(runProcess(entry, settings));
  await running.line(/"ready"/);
  return running;
}

async function reconcile(nth: number): Promise<void> {
  const waits = { secondLookMs: 100, patienceMs: 100 };
  const workflowId = `${taskQueue}/reconcile/${nth}`;
  await temporal.client.workflow.execute('reconcile', { taskQueue, workflowId, args: [{ waits }] });
}

/** Of a user who is gone by now: it has their workflow, which nobody started, end. */
async function addEvent(traceparent: string | null): Promise<void> {
  await rows.sql(
    `insert into users.outbox (type, user_id, revision, occurred_at, traceparent)
     values ('UserDeleted', ?, 2, now(), ?)`,
    [randomUUID(), traceparent],
  );
}

test(
  'when all was looked for, what is set aside and what cannot be repaired are told until they are no more',
  { timeout: 240_000 },
  async () => {
    const url = await urlOf(await start('src/api/main.ts'), 'metrics');
    const value = async (name: string) =>
      valueOf(await (await fetch(url)).text(), `daybell_${name}`);
    expect(await value('reconcile_last_success_timestamp_seconds')).toBe(0);

    await Promise.all([start('src/worker/main.ts'), start('src/relay/main.ts')]);
    const before = Date.now() / 1_000;
    await reconcile(1);
    expect(await value('reconcile_last_success_timestamp_seconds')).toBeGreaterThan(before);
    expect(await value('outbox_set_aside')).toBe(0);
    expect(await value('missed_unrepaired')).toBe(0);

    // Larger than Temporal takes; the relay has to have seen that it takes another.
    await addEvent('0'.repeat(3_000_000));
    await addEvent(null);
    await expect.poll(() => value('outbox_set_aside'), WITHIN).toBe(1);
    await reconcile(2);
    expect(await value('missed_unrepaired')).toBe(1);

    await rows.sql('update users.outbox set traceparent = null');
    const retry = ['src/commands/outbox.ts', 'retry', '--all'];
    const command = runProgram(process.execPath, retry, { settings });
    expect({ exitCode: await command.exited, lines: command.lines }).toMatchObject({ exitCode: 0 });
    await expect.poll(() => value('outbox_set_aside'), WITHIN).toBe(0);
    await reconcile(3);
    expect(await value('missed_unrepaired')).toBe(0);
  },
);
