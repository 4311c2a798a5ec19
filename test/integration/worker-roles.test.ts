/** Workers of one kind of work each, and workflows that were bundled beforehand. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { ADA, createTestApi, type TestApi } from '../support/api.ts';
import { freePort } from '../support/free-port.ts';
import { valueOf } from '../support/metrics.ts';
import { runProcess, runProgram, type TestProcess } from '../support/process.ts';
import { type TestTemporal, uniqueTaskQueue, useDevServer } from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

const WITHIN = { timeout: 60_000, interval: 100 };
const HOUR = 3_600_000;
const EXIT_CONFIG = 78;
const taskQueue = uniqueTaskQueue();

let directory: string;
let bundle: string;
let api: TestApi;
let temporal: TestTemporal;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daybell-bundle-'));
  bundle = join(directory, 'made', 'workflows.json');
  [api, temporal] = await Promise.all([createTestApi(), useDevServer()]);
  const making = runProgram(process.execPath, ['src/commands/bundle.ts', bundle], {
    settings: {},
  });
  await making.line(/Set WORKFLOW_BUNDLE=/);
  await making.exited;
});
afterAll(async () => {
  await temporal.close();
  await api.database.drop();
  await rm(directory, { recursive: true, force: true });
});

function start(entry: string, settings: Record<string, string>): TestProcess {
  const given = {
    DATABASE_URL: api.database.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: taskQueue,
    WORKFLOW_BUNDLE: bundle,
    ...settings,
  };
  return untilTestEnds(runProcess(entry, given));
}

test('one plans, the other arms; neither does the work of the other', async () => {
  // Due within the hour, and so armed as soon as it is planned: for the lead is an hour.
  const due = new Date(Date.now() + HOUR / 2);
  const [date, time] = due.toISOString().split('T');
  const settings = { ARM_LEAD: '1h', DELIVERY_LOCAL_TIME: time?.slice(0, 5) ?? '' };
  start('src/relay/main.ts', {});
  const workflows = start('src/worker/main.ts', { ...settings, WORKER_ROLE: 'workflows' });
  await workflows.line(/"ready"/);
  const user = { ...ADA, dateOfBirth: `1992${date?.slice(4)}`, timezone: 'UTC' };
  const { body } = await api.send('POST', '/v1/users', user);
  const state = async (): Promise<string | undefined> => {
    const rows = await api.sql<{ state: string }>(
      'select state from events.occurrences where user_id = ?',
      [body.id],
    );
    return rows[0]?.state;
  };
  await expect.poll(state, WITHIN).toBe('PENDING');
  const openActivities = async (): Promise<number | undefined> => {
    const { raw } = await temporal.client.workflow.getHandle(`birthday/${body.id}`).describe();
    return raw.pendingActivities?.length;
  };
  await expect.poll(openActivities, WITHIN).toBe(1);
  await sleep(1_000);
  expect(await state()).toBe('PENDING');

  const metricsPort = await freePort();
  const activities = start('src/worker/main.ts', {
    ...settings,
    WORKER_ROLE: 'activities',
    METRICS_PORT: String(metricsPort),
  });
  await activities.line(/"ready"/);
  await expect.poll(state, WITHIN).toBe('PROCESSING');
  const page = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(valueOf(page, 'daybell_occurrences_armed_total')).toBe(1);
  expect(valueOf(page, 'daybell_occurrences_armed_after_instant_total')).toBe(0);
});

test('a bundle that is not there, is none, or is of other workflows is refused', async () => {
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
      const started = start('src/worker/main.ts', { WORKFLOW_BUNDLE: file });
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
