// @module-tag long
/** What the process api says of the reconciler, and of what waits for an operator. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { valueOf } from '../support/metrics.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess, type TestProcess, urlOf } from '../support/process.ts';
import {
  findWorkflowBundle,
  type TestTemporal,
  uniqueTaskQueue,
  useDevServer,
} from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

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
    WEBHOOK_URL: 'https://example.com/greetings',
    WEBHOOK_SECRETS: newWebhookSecret(),
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

/** Both halves, as an operator has them look. */
async function reconcile(): Promise<number | null> {
  const command = runProcess('src/reconcile/command.ts', settings);
  return command.exited;
}

test(
  'when all was looked for, and what cannot be repaired, are told until it is no more',
  { timeout: 240_000 },
  async () => {
    const url = await urlOf(await start(ENTRIES.api), 'metrics');
    const value = async (name: string) =>
      valueOf(await (await fetch(url)).text(), `daybell_${name}`);
    expect(await value('reconcile_last_success_timestamp_seconds')).toBe(0);

    await start(ENTRIES.worker);
    const before = Date.now() / 1_000;
    expect(await reconcile()).toBe(0);
    expect(await value('reconcile_last_success_timestamp_seconds')).toBeGreaterThan(before - 1);
    expect(await value('missed_unrepaired')).toBe(0);

    const userId = await rows.addUser();
    expect(await reconcile()).toBe(0);
    const settle = (key: string | null, nominal: string | null) =>
      rows.sql(
        `update events.occasions set last_settled_key = :key, last_settled_nominal = :nominal
         where id = :userId::uuid`,
        { key, nominal, userId },
      );
    await settle('birthday:x:2031', '2031-03-15');
    expect(await reconcile()).toBe(1);
    expect(await value('missed_unrepaired')).toBe(1);

    await settle(null, null);
    expect(await reconcile()).toBe(0);
    expect(await value('missed_unrepaired')).toBe(0);
  },
);
