import { rmSync } from 'node:fs';

import type { Worker } from '@temporalio/worker';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createActivities } from '../../src/activities/index.ts';
import { workflowId } from '../../src/domain/occurrence-key.ts';
import type { DateRules } from '../../src/domain/rules.ts';
import { createPlanner } from '../../src/events/planner.ts';
import type { Scheduler } from '../../src/events/scheduling.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import { createOutdatedPlans } from '../../src/persistence/outdated-plans.ts';
import { createPlanningStore } from '../../src/persistence/planning-store.ts';
import { createRedeliveryLedger } from '../../src/persistence/redelivery-ledger.ts';
import { createRetention } from '../../src/persistence/retention.ts';
import { createScheduler } from '../../src/temporal/scheduler.ts';
import { startReplanning } from '../../src/worker/outdated-plans.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { statusQuery } from '../../src/workflows/messages.ts';
import { loadZoneLaw } from '../../src/zones/load-zone-law.ts';
import { ADA, createTestApi, type TestApi } from '../support/api.ts';
import { WITHOUT_ERASURE } from '../support/erasure.ts';
import { WITHOUT_RECONCILER } from '../support/reconciler.ts';
import {
  type TestTemporal,
  uniqueTaskQueue,
  useDevServer,
  useWorkflowBundle,
} from '../support/temporal.ts';
import { writeOlderZoneData } from '../support/zone-files.ts';
import { bundledLaw } from '../support/zone-laws.ts';

const HOUR = 3_600_000;
const WAIT = { timeout: 60_000, interval: 50 };
const olderFile = writeOlderZoneData();
const older: DateRules = {
  leapDayPolicy: 'feb28',
  localTime: '09:00',
  law: loadZoneLaw(olderFile),
};
const newer: DateRules = { ...older, law: bundledLaw };
const taskQueue = uniqueTaskQueue();

let temporal: TestTemporal;
let api: TestApi;
let scheduler: Scheduler;
beforeAll(async () => {
  temporal = await useDevServer();
  api = await createTestApi({ law: older.law });
  scheduler = createScheduler(temporal.client, taskQueue);
});
afterAll(async () => {
  await api.database.drop();
  await temporal.close();
  rmSync(olderFile);
});

test('a worker that comes up with newer zone data moves the timers of those it concerns, and wakes nobody else', async () => {
  const oldWorker = await startWorker(older);
  const inWinnipeg = await createUser('America/Winnipeg');
  const inBerlin = await createUser('Europe/Berlin');
  await expect.poll(() => fireTimeOf(inWinnipeg), WAIT).toBe('15:00');
  await expect.poll(() => fireTimeOf(inBerlin), WAIT).toBe('08:00');
  const asleep = await eventsOf(inBerlin);
  await oldWorker.stop();

  const newWorker = await startWorker(newer);
  const lines: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const plans = createOutdatedPlans(api.database.orm);
  const replanning = startReplanning({ plans, scheduler, rules: newer, clock: Date.now }, logger);

  await expect.poll(() => fireTimeOf(inWinnipeg), WAIT).toBe('14:00');
  await expect.poll(() => lines, WAIT).toHaveLength(1);
  await replanning.stop();
  expect(lines[0]).toMatchObject({
    tzVersion: bundledLaw.version,
    examined: 2,
    restamped: 1,
    replanned: 1,
    durationMs: expect.any(Number),
  });
  expect(await nextOf(inWinnipeg)).toMatchObject({
    fireAt: expect.stringMatching(/-01-15T14:00:00.000Z$/),
    tzVersion: bundledLaw.version,
  });
  expect(await nextOf(inBerlin)).toMatchObject({ tzVersion: bundledLaw.version });
  expect(await fireTimeOf(inBerlin)).toBe('08:00');
  expect(await eventsOf(inBerlin)).toBe(asleep);
  await newWorker.stop();
});

async function startWorker(rules: DateRules): Promise<{ stop(): Promise<void> }> {
  const { orm } = api.database;
  const settings = { rules, lateLimitMs: 48 * HOUR, armLeadMs: 15_000, armWindowMs: 45_000 };
  const worker: Worker = await createWorker({
    connection: temporal.connection,
    namespace: 'default',
    taskQueue,
    workflowBundle: await useWorkflowBundle(),
    activities: createActivities({
      planner: createPlanner({ store: createPlanningStore(orm), settings }),
      arming: createDeliveryLedger(orm, { lateAfterMs: HOUR }),
      redeliveryLedger: createRedeliveryLedger(orm),
      retention: createRetention(orm),
      reconciler: WITHOUT_RECONCILER,
      ...WITHOUT_ERASURE,
      clock: Date.now,
    }),
  });
  const running = worker.run();
  return {
    async stop() {
      worker.shutdown();
      await running;
    },
  };
}

/** In January, when clocks in Winnipeg were put back until 2026. */
async function createUser(timezone: string): Promise<string> {
  const user = { ...ADA, dateOfBirth: '1990-01-15', timezone };
  const { id, revision } = (await api.send('POST', '/v1/users', user)).body;
  await scheduler.userChanged('birthday', { userId: id, revision });
  return id;
}

/** The time of day, in UTC, that the user's workflow sleeps for. */
async function fireTimeOf(userId: string): Promise<string | undefined> {
  const { fireAt } = await workflowOf(userId).query(statusQuery);
  return fireAt?.slice(11, 16);
}

async function nextOf(userId: string): Promise<object> {
  return (await api.send('GET', `/v1/users/${userId}/occurrences`)).body.next;
}

async function eventsOf(userId: string): Promise<number> {
  return (await workflowOf(userId).describe()).historyLength;
}

function workflowOf(userId: string) {
  return temporal.client.workflow.getHandle(workflowId('birthday', userId));
}
