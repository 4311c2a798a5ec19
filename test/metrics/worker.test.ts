/** What the process worker reports about its work, and about Temporal's, when it goes wrong. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { bundleWorkflows } from '../../src/worker/workflow-bundle.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { valueOf } from '../support/metrics.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runProcess, type TestProcess, urlOf } from '../support/process.ts';
import {
  findWorkflowBundle,
  type TestTemporal,
  uniqueTaskQueue,
  useDevServer,
} from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

const WITHIN = { timeout: 60_000, interval: 100 };
const taskQueue = uniqueTaskQueue();

let directory: string;
let bundle: string;
let database: TestDatabase;
let rows: EventRows;
let temporal: TestTemporal;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daybell-metrics-'));
  [database, temporal] = await Promise.all([createTestDatabase(), useDevServer()]);
  rows = createEventRows(database.orm);
  bundle = await findWorkflowBundle();
});
afterAll(async () => {
  await temporal.close();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

type Read = (name: string, labels?: Record<string, string>) => Promise<number | null>;

/** Starts it; returns the process, and a function that reads a value of one of its scrapes. */
async function start(
  entry: string,
  settings: Record<string, string> = {},
): Promise<{ running: TestProcess; value: Read }> {
  const given = {
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: taskQueue,
    WORKFLOW_BUNDLE: bundle,
    PORT: '0',
    METRICS_PORT: '0',
    WEBHOOK_URL: 'http://127.0.0.1:9/greetings',
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_SECRETS: newWebhookSecret(),
    ...settings,
  };
  const running = untilTestEnds(runProcess(entry, given));
  const url = await urlOf(running, 'metrics');
  await running.line(/"msg":"ready"/);
  return {
    running,
    value: async (name, labels = {}) => valueOf(await (await fetch(url)).text(), name, labels),
  };
}

async function startWorkflow(userId: string) {
  const occasion = { type: 'birthday', id: userId, userId };
  await createOccasionWorkflows(temporal.client, taskQueue).start(occasion, 0);
  return temporal.client.workflow.getHandle(`birthday/${userId}`);
}

test(
  'pollers, slots, plans, and calls of deliver are counted as they occur',
  { timeout: 240_000 },
  async () => {
    const { value: ofApi } = await start('src/api/main.ts');
    const pollers = (kind: string) => ofApi('daybell_task_queue_pollers', { kind });
    expect(await pollers('workflow')).toBe(0);
    expect(await pollers('activity')).toBe(0);

    const { running, value } = await start('src/worker/main.ts');
    await running.line(/"ready"/);
    await expect.poll(() => pollers('workflow'), WITHIN).toBe(1);
    await expect.poll(() => pollers('activity'), WITHIN).toBe(1);
    const slots = (metric: string) => value(metric, { worker_type: 'ActivityWorker' });
    const used = 'temporal_worker_task_slots_used';
    const available = 'temporal_worker_task_slots_available';
    const plans = (result: string) => value('daybell_plans_total', { source: 'workflow', result });
    const calls = (result: string) => value('daybell_deliver_calls_total', { result });
    const timed = (le: string) =>
      value('daybell_database_query_duration_seconds_bucket', { query: 'plan', le });
    expect(await plans('planned')).toBe(0);
    expect(await timed('+Inf')).toBe(0);

    // A call that waits for the database is slow, and occupies its slot.
    const userId = await rows.addUser();
    const workflow = await database.orm.em.fork().transactional(async (em) => {
      await em.execute('lock table events.occurrences in share row exclusive mode');
      const started = await startWorkflow(userId);
      await expect.poll(() => slots(used), WITHIN).toBe(1);
      expect(await slots(available)).toBeGreaterThan(0);
      const blocked = async () => {
        const [row] = await rows.sql<{ count: number }>(
          `select count(*)::int as count from pg_locks
           where not granted and relation = 'events.occurrences'::regclass`,
        );
        return row?.count;
      };
      await expect.poll(blocked, WITHIN).toBe(1);
      await sleep(300);
      return started;
    });
    await expect.poll(() => plans('planned'), WITHIN).toBeGreaterThan(0);
    expect(await timed('0.2')).toBe(0);
    await expect.poll(() => calls('answered'), WITHIN).toBe(1);
    await expect.poll(() => slots(used), WITHIN).toBe(0);

    // Without the ledger nothing can be checked.
    await rows.sql('alter table events.occurrences rename to elsewhere');
    await workflow.signal('changed');
    await expect.poll(() => calls('failed'), WITHIN).toBeGreaterThan(0);
    await rows.sql('alter table events.elsewhere rename to occurrences');
    await expect.poll(() => calls('answered'), WITHIN).toBe(2);
  },
);

test(
  'a workflow that fails because its code changed is counted',
  { timeout: 240_000 },
  async () => {
    const { code } = await bundleWorkflows(
      new DefaultLogger('ERROR'),
      join(import.meta.dirname, '..', 'replay', 'changed-workflow.ts'),
    );
    const changed = join(directory, 'changed.json');
    const { madeFrom } = JSON.parse(await readFile(bundle, 'utf8'));
    await writeFile(changed, JSON.stringify({ madeFrom, code }));

    const userId = await rows.addUser();
    const before = await start('src/worker/main.ts');
    const workflow = await startWorkflow(userId);
    const waitingFor = async () =>
      (await workflow.query<{ waitingFor: string }>('status')).waitingFor;
    await expect.poll(waitingFor, WITHIN).toBe('instant');
    await before.running.stop();

    const { value } = await start('src/worker/main.ts', { WORKFLOW_BUNDLE: changed });
    await workflow.signal('changed');
    const failures = () =>
      value('temporal_workflow_task_execution_failed_total', {
        failure_reason: 'NonDeterminismError',
        workflow_type: 'occasion',
      });
    await expect.poll(failures, WITHIN).toBeGreaterThan(0);
  },
);
