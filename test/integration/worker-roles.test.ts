/** Workers of one kind of work each, and workflows that were bundled beforehand. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { freePort } from '../support/free-port.ts';
import { valueOf } from '../support/metrics.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runProcess, type TestProcess } from '../support/process.ts';
import {
  findWorkflowBundle,
  type TestTemporal,
  uniqueTaskQueue,
  useDevServer,
} from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

const WITHIN = { timeout: 60_000, interval: 100 };
const EXIT_CONFIG = 78;
const taskQueue = uniqueTaskQueue();

let directory: string;
let bundle: string;
let database: TestDatabase;
let temporal: TestTemporal;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daybell-bundle-'));
  [database, temporal] = await Promise.all([createTestDatabase(), useDevServer()]);
  bundle = await findWorkflowBundle();
});
afterAll(async () => {
  await temporal.close();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

function start(entry: string, settings: Record<string, string>): TestProcess {
  const given = {
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: taskQueue,
    WORKFLOW_BUNDLE: bundle,
    ...settings,
  };
  return untilTestEnds(runProcess(entry, given));
}

test("one runs workflows, and the other their activities; neither does the other's work", async () => {
  const receiver = await startWebhookReceiver();
  onTestFinished(() => receiver.close());
  const temporalClient = temporal.client;
  const id = randomUUID();
  const workflows = start('src/worker/main.ts', { WORKER_ROLE: 'workflows' });
  await workflows.line(/"ready"/);
  await createOccasionWorkflows(temporalClient, taskQueue).start(
    { type: 'birthday', id, userId: id },
    0,
  );
  const workflow = temporalClient.workflow.getHandle(`birthday/${id}`);
  const openActivities = async (): Promise<number | undefined> =>
    (await workflow.describe()).raw.pendingActivities?.length;
  await expect.poll(openActivities, WITHIN).toBe(1);
  await sleep(1_000);
  expect(await openActivities()).toBe(1);

  const metricsPort = await freePort();
  const activities = start('src/worker/main.ts', {
    WORKER_ROLE: 'activities',
    METRICS_PORT: String(metricsPort),
    WEBHOOK_URL: receiver.url,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_SECRETS: newWebhookSecret(),
  });
  await activities.line(/"ready"/);
  // There is no such user: the occasion has ended.
  await workflow.result();
  const page = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(valueOf(page, 'daybell_deliver_calls_total', { result: 'answered' })).toBe(1);
});

test('a worker of activities requires the settings for sending', async () => {
  const worker = start('src/worker/main.ts', { WORKER_ROLE: 'activities' });
  expect(await worker.exited).toBe(EXIT_CONFIG);
  expect(worker.lines.join('\n')).toMatch(
    /WEBHOOK_URL: must be set[^]*WEBHOOK_SECRETS: must be set/,
  );
});

test('a bundle that is missing, invalid, or of other workflows is refused', async () => {
  const made = JSON.parse(await readFile(bundle, 'utf8'));
  const files = {
    gone: join(directory, 'gone.json'),
    broken: join(directory, 'broken.json'),
    stale: join(directory, 'stale.json'),
  };
  await writeFile(files.broken, '{"code":');
  await writeFile(files.stale, JSON.stringify({ ...made, madeFrom: 'yesterday' }));
  const refusals = await Promise.all(
    Object.values(files).map(async (file) => {
      const started = start('src/worker/main.ts', {
        WORKFLOW_BUNDLE: file,
        WORKER_ROLE: 'workflows',
      });
      expect(await started.exited).toBe(EXIT_CONFIG);
      return started.lines.join('\n');
    }),
  );
  expect(refusals).toEqual([
    expect.stringContaining(`WORKFLOW_BUNDLE: ${files.gone} cannot be read; npm run bundle`),
    expect.stringContaining(`WORKFLOW_BUNDLE: ${files.broken} is not a bundle`),
    expect.stringContaining(`WORKFLOW_BUNDLE: ${files.stale} was made from other workflows`),
  ]);
});
