/** What the process worker says of its work, and of Temporal's, when it goes wrong. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { bundleWorkflows } from '../../src/worker/workflow-bundle.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { valueOf } from '../support/metrics.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runProcess, runProgram, type TestProcess, urlOf } from '../support/process.ts';
import { type TestTemporal, uniqueTaskQueue, useDevServer } from '../support/temporal.ts';
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
  bundle = join(directory, 'workflows.json');
  [database, temporal] = await Promise.all([createTestDatabase(), useDevServer()]);
  rows = createEventRows(database.orm);
  const making = runProgram(process.execPath, ['src/commands/bundle.ts', bundle], { settings: {} });
  await making.line(/Set WORKFLOW_BUNDLE=/);
  await making.exited;
});
afterAll(async () => {
  await temporal.close();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

type Read = (name: string, labels?: Record<string, string>) => Promise<number | null>;

/** Starts it; gives the process, and what reads a value of a scrape of its own. */
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
    ...settings,
  };
  const running = untilTestEnds(runProcess(entry, given));
  const url = await urlOf(running, 'metrics');
  return {
    running,
    value: async (name, labels = {}) => valueOf(await (await fetch(url)).text(), name, labels),
  };
}

function startWorkflow(userId: string) {
  return temporal.client.workflow.start('birthday', {
    taskQueue,
    workflowId: `birthday/${userId}`,
    args: [{ userId }],
  });
}

async function reconcile(nth: number): Promise<void> {
  const workflowId = `${taskQueue}/reconcile/${nth}`;
  await temporal.client.workflow.execute('reconcile', { taskQueue, workflowId, args: [{}] });
}

test(
  'pollers, slots, plans, reconciling and what it finds are told as they come to be',
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
    const slots = (metric: string) => value(metric, { worker_type: 'LocalActivityWorker' });
    const used = 'temporal_worker_task_slots_used';
    const available = 'temporal_worker_task_slots_available';
    const plans = (result: string) => value('daybell_plans_total', { result });
    const steps = (result: string) => value('daybell_reconcile_steps_total', { result });
    const timed = (le: string) =>
      value('daybell_database_query_duration_seconds_bucket', { query: 'plan', le });
    expect(await plans('succeeded')).toBe(0);
    expect(await timed('+Inf')).toBe(0);

    // A plan that waits for the database is slow, and keeps its slot.
    const userId = await rows.addUser();
    await database.orm.em.fork().transactional(async (em) => {
      await em.execute('lock table events.occurrences in access exclusive mode');
      await startWorkflow(userId);
      await expect.poll(() => slots(used), WITHIN).toBe(1);
      expect(await slots(available)).toBe(39);
      await sleep(300);
    });
    await expect.poll(() => plans('succeeded'), WITHIN).toBe(1);
    expect(await timed('0.2')).toBe(0);
    expect(await timed('+Inf')).toBe(1);
    expect(await plans('failed')).toBe(0);
    await expect.poll(() => slots(used), WITHIN).toBe(0);

    // Without the ledger, nothing can be planned, or looked for.
    await rows.sql('alter table events.occurrences rename to elsewhere');
    await temporal.client.workflow.getHandle(`birthday/${userId}`).signal('replan');
    const reconciling = reconcile(1);
    await expect.poll(() => plans('failed'), WITHIN).toBeGreaterThan(0);
    await expect.poll(() => steps('failed'), WITHIN).toBeGreaterThan(0);
    await rows.sql('alter table events.elsewhere rename to occurrences');
    await reconciling;
    expect(await steps('succeeded')).toBeGreaterThan(0);

    // Users without a plan.
    for (let count = 0; count < 11; count += 1) await rows.addUser();
    const missed = () => value('daybell_missed_detected_total', { kind: 'unplanned' });
    const before = Number(await missed());
    await reconcile(2);
    expect(await missed()).toBe(before + 11);
  },
);

test(
  'a workflow that changed code cannot go on with is told of',
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
    await expect.poll(waitingFor, WITHIN).toBe('recheck');
    await before.running.stop();

    const { value } = await start('src/worker/main.ts', { WORKFLOW_BUNDLE: changed });
    await workflow.signal('replan');
    const failures = () =>
      value('temporal_workflow_task_execution_failed_total', {
        failure_reason: 'NonDeterminismError',
        workflow_type: 'birthday',
      });
    await expect.poll(failures, WITHIN).toBeGreaterThan(0);
  },
);
