/** The schedule on a real server, and what its workflow removes from a real database. */
import { setTimeout as sleep } from 'node:timers/promises';

import { type ScheduleHandle, ScheduleNotFoundError } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { createHousekeepingActivities } from '../../src/activities/housekeeping.ts';
import { loadSettings } from '../../src/platform/settings/settings.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { createRetention } from '../../src/retention/retention.ts';
import { ensureSchedule, maintenanceSchedules } from '../../src/worker/schedules.ts';
import { createWorker } from '../../src/worker/worker.ts';
import type { Retention } from '../../src/workflows/maintenance-contract.ts';
import { plantAttempt, plantOccurrence } from '../support/plant-occurrence.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runProcess } from '../support/process.ts';
import {
  findWorkflowBundle,
  uniqueTaskQueue,
  useDevServer,
  useWorkflowBundle,
  type TestTemporal,
} from '../support/temporal.ts';

const WORKER = 'src/worker/main.ts';
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const KEEP: Retention = {
  attemptsMs: 400 * DAY,
  responseExcerptsMs: 30 * DAY,
  idempotencyKeysMs: DAY,
  outboxMs: 7 * DAY,
  occurrencesMs: 800 * DAY,
};

let temporal: TestTemporal;
let database: TestDatabase;
beforeAll(async () => {
  temporal = await useDevServer();
  database = await createTestDatabase();
});
const made: ScheduleHandle[] = [];
afterEach(async () => {
  for (const schedule of made.splice(0)) await schedule.delete();
});
afterAll(async () => {
  await database.drop();
  await temporal.close();
});

function scheduleOf(taskQueue: string): ScheduleHandle {
  const schedule = temporal.client.schedule.getHandle(`${taskQueue}/housekeeping`);
  made.push(schedule);
  return schedule;
}

async function ensure(taskQueue: string, keep = KEEP): Promise<void> {
  const settings = {
    ...loadSettings({}),
    RETAIN_ATTEMPTS: keep.attemptsMs,
    RETAIN_RESPONSE_EXCERPTS: keep.responseExcerptsMs,
    RETAIN_IDEMPOTENCY_KEYS: keep.idempotencyKeysMs,
    RETAIN_OUTBOX: keep.outboxMs,
    RETAIN_OCCURRENCES: keep.occurrencesMs,
  };
  for (const schedule of maintenanceSchedules(taskQueue, settings)) {
    if (schedule.scheduleId.endsWith('/housekeeping')) {
      await ensureSchedule(temporal.client, schedule);
    }
  }
}

test('workers that start at once create one schedule, for every hour, for their task queue', async () => {
  const taskQueue = uniqueTaskQueue();
  const schedule = scheduleOf(taskQueue);
  await Promise.all([1, 2, 3].map(() => ensure(taskQueue)));
  const { spec, action, policies, info } = await schedule.describe();
  expect(spec.intervals).toEqual([{ every: HOUR, offset: 7 * 60_000 }]);
  expect(policies).toMatchObject({ overlap: 'SKIP', pauseOnFailure: false });
  expect(action).toMatchObject({ workflowType: 'housekeeping', taskQueue, args: [{ keep: KEEP }] });
  expect(info.numActionsTaken).toBe(0);

  const other = uniqueTaskQueue();
  const others = scheduleOf(other);
  await ensure(other);
  expect((await others.describe()).action).toMatchObject({ taskQueue: other });
});

test('a start with other settings changes it, and a pause by an operator is kept', async () => {
  const taskQueue = uniqueTaskQueue();
  const schedule = scheduleOf(taskQueue);
  await ensure(taskQueue);
  await schedule.pause('while the disk is replaced');
  const keep = { ...KEEP, outboxMs: DAY };
  await ensure(taskQueue, keep);
  const { action, state } = await schedule.describe();
  expect(action).toMatchObject({ args: [{ keep }] });
  expect(state).toMatchObject({ paused: true, note: 'while the disk is replaced' });
});

test('its workflow removes what has passed its retention time, and its result says how much', async () => {
  const taskQueue = uniqueTaskQueue();
  const schedule = scheduleOf(taskQueue);
  const sql = (query: string, params: unknown[] = []) =>
    database.orm.em.fork().execute<{ number: number }[]>(query, params);
  const key = await plantOccurrence(sql, { state: 'COMPLETED' });
  const started_at = new Date(Date.now() - 401 * DAY).toISOString();
  await plantAttempt(sql, key, { number: 1, started_at });
  await plantAttempt(sql, key, { number: 2, started_at: new Date().toISOString() });
  await ensure(taskQueue);

  const worker: Worker = await createWorker({
    connection: temporal.connection,
    namespace: 'default',
    taskQueue,
    workflowBundle: await useWorkflowBundle(),
    activities: createHousekeepingActivities({
      retention: createRetention(database.orm),
      audits: { storeNext: async () => false, firstDayNotStored: async () => null },
    }),
  });
  const { result, workflowId } = await worker.runUntil(async () => {
    await schedule.trigger();
    const workflow = temporal.client.workflow.getHandle(await firstWorkflowOf(schedule));
    return { result: await workflow.result(), workflowId: workflow.workflowId };
  });

  expect(workflowId).toMatch(new RegExp(`^${taskQueue}/housekeeping-`));
  const nothing = {
    responseExcerpts: 0,
    idempotencyKeys: 0,
    outbox: 0,
    occurrences: 0,
    operatorLog: 0,
  };
  expect(result).toEqual({ attempts: 1, ...nothing });
  expect(await sql('select number from events.attempts')).toEqual([{ number: 2 }]);
});

test('the process worker creates the schedule from its settings, runs it and logs a line', async () => {
  const taskQueue = uniqueTaskQueue();
  const schedule = scheduleOf(taskQueue);
  const worker = runProcess(WORKER, {
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: taskQueue,
    WEBHOOK_URL: 'https://example.com/greetings',
    WEBHOOK_SECRETS: newWebhookSecret(),
    WORKFLOW_BUNDLE: await findWorkflowBundle(),
    RETAIN_ATTEMPTS: '401d',
    RETAIN_OUTBOX: '36h',
  });
  try {
    await worker.line(/"ready"/);
    await untilMade(schedule);
    expect((await schedule.describe()).action).toMatchObject({
      args: [{ keep: { ...KEEP, attemptsMs: 401 * DAY, outboxMs: 36 * HOUR } }],
    });
    await schedule.trigger();
    const line = await worker.line(/housekeeping: removed/);
    expect(JSON.parse(line)).toMatchObject({ level: 'info', attempts: 0, outbox: 0, more: false });
  } finally {
    expect(await worker.stop()).toBe(0);
  }
});

test.for([
  ['RETAIN_IDEMPOTENCY_KEYS', '8d', /from 1d to 7d/],
  ['RETAIN_IDEMPOTENCY_KEYS', '1h', /from 1d to 7d/],
  ['RETAIN_ATTEMPTS', 'forever', /a duration/],
  ['RETAIN_RESPONSE_EXCERPTS', '59m', /from 1h/],
  ['RETAIN_OUTBOX', '0s', /from 1h/],
  ['RETAIN_OCCURRENCES', '69d', /from 70d/],
] as const)('the setting %s does not accept %s', ([name, value, rule]) => {
  expect(() => loadSettings({ [name]: value })).toThrow(rule);
  expect(() => loadSettings({ [name]: value })).toThrow(name);
});

async function untilMade(schedule: ScheduleHandle): Promise<void> {
  for (;;) {
    try {
      await schedule.describe();
      return;
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
      await sleep(50);
    }
  }
}

async function firstWorkflowOf(schedule: ScheduleHandle): Promise<string> {
  for (;;) {
    const [started] = (await schedule.describe()).info.recentActions;
    if (started !== undefined) return started.action.workflow.workflowId;
    await sleep(50);
  }
}
