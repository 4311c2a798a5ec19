// @module-tag long
/**
 * Every process is replaced by its next version, one after the other, while all users wait for the
 * instant.
 */
import pLimit from 'p-limit';
import { expect, onTestFinished, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { findQueueState } from '../../src/platform/temporal/worker-versions.ts';
import { freePort } from '../support/free-port.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess, type TestProcess } from '../support/process.ts';
import { temporaryDataDir } from '../support/started-daybell.ts';
import { findWorkflowBundle, uniqueTaskQueue, useDevServer } from '../support/temporal.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';
import { type DueInstant, dueInstants } from '../support/instant-zones.ts';

const HERD = 120;
const LATE_AFTER_MS = 5 * 60_000;
const WITHIN = { timeout: 600_000, interval: 100 };
/** From 8:59:30 on. */
const ROLL_BEFORE_MS = 30_000;
/** Created first, to see how long this machine takes over it now. */
const SAMPLE = 20;
/** The herd has so many times as long as the sample took for its share, since other tests come and go. */
const SLACK = 3;
/** A machine that needs longer fails the test. */
const LONGEST_MS = 8 * 60_000;
/** The sample is not due before the test is over. */
const SAMPLE_AHEAD_MS = 55 * 60_000;

const PROCESSES = {
  api: ENTRIES.api,
  scheduler: ENTRIES.scheduler,
  'worker-1': ENTRIES.worker,
  'worker-2': ENTRIES.worker,
  'dispatcher-1': ENTRIES.dispatcher,
  'dispatcher-2': ENTRIES.dispatcher,
} as const;
type Name = keyof typeof PROCESSES;
const NAMES = Object.keys(PROCESSES) as Name[];

test('all processes are restarted from 8:59:30 on, a dispatcher also while it sends: 120 are greeted once, none late', async () => {
  const [database, temporal] = await Promise.all([createTestDatabase(), useDevServer()]);
  const receiver = await startWebhookReceiver();
  // So that sending everybody takes a few seconds, in which a dispatcher can be stopped.
  receiver.answer((response) => void setTimeout(() => response.end(), 300));
  const port = await freePort();
  const instants = dueInstants(await temporaryDataDir());
  const settings: NodeJS.ProcessEnv = {
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
    PORT: String(port),
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRETS: newWebhookSecret(),
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_CONCURRENCY: '8',
    // As in an image: a worker that bundles first is down for longer.
    WORKFLOW_BUNDLE: await findWorkflowBundle(),
    ...instants.settings,
    WORKER_BUILD_ID: 'before',
  };
  const running = new Map<Name, TestProcess>();
  const start = async (name: Name): Promise<void> => {
    const started = runProcess(PROCESSES[name], settings);
    running.set(name, started);
    await started.line(/"ready"/);
  };
  const restart = async (name: Name): Promise<Restart> => {
    const from = Date.now();
    const exitCode = await running.get(name)?.stop('SIGTERM');
    await start(name);
    return { name, from, until: Date.now(), exitCode };
  };
  onTestFinished(async () => {
    await Promise.all([...running.values()].map((each) => each.stop('SIGKILL')));
    await Promise.all([receiver.close(), temporal.close()]);
    await database.drop();
  });

  // It records the delivery time and the zone data that all processes use.
  expect(await runProcess(ENTRIES.migrate, settings).exited).toBe(0);
  await Promise.all(NAMES.map(start));
  /** Creates users who are due at an instant, until all of them are planned. */
  const plan = async (count: number, { at, timezone }: DueInstant): Promise<void> => {
    await createUsers(`http://127.0.0.1:${port}`, count, instants.dateOfBirth, timezone);
    await expect
      .poll(
        () => countOf(database, `state = 'PENDING' and due_at = to_timestamp(${at / 1000})`),
        WITHIN,
      )
      .toBe(count);
  };
  // All processes are warm when one user has been planned.
  await plan(1, instants.next(SAMPLE_AHEAD_MS));
  const sampledFrom = Date.now();
  await plan(SAMPLE, instants.next(SAMPLE_AHEAD_MS + 60_000));
  const planningMs = ((Date.now() - sampledFrom) * HERD) / SAMPLE;
  const due = instants.next(ROLL_BEFORE_MS + Math.min(SLACK * planningMs, LONGEST_MS));
  await plan(HERD, due);
  await until(() => Date.now() >= due.at - ROLL_BEFORE_MS);

  settings['WORKER_BUILD_ID'] = 'after';
  const restarts: Restart[] = [];
  for (const name of NAMES) restarts.push(await restart(name));
  await until(() => receiver.received.length >= HERD / 10);
  restarts.push(await restart('dispatcher-1'));
  await expect.poll(() => countOf(database, "state = 'COMPLETED'"), WITHIN).toBe(HERD);

  expect(restarts.map(({ exitCode }) => exitCode)).toEqual(restarts.map(() => 0));
  const { current } = await findQueueState(
    temporal.client,
    String(settings['TEMPORAL_TASK_QUEUE']),
  );
  expect(current).toBe('after');
  // It began when all were planned, and was over before any would have been late.
  expect(restarts[0]?.from).toBeLessThan(due.at);
  expect(restarts.at(-1)?.until).toBeLessThan(due.at + LATE_AFTER_MS);
  const ids = receiver.received.map(({ id }) => id);
  expect(new Set(ids).size).toBe(HERD);
  expect(ids).toHaveLength(HERD);
  expect(Math.min(...receiver.received.map(({ at }) => at))).toBeGreaterThanOrEqual(due.at);
  expect(receiver.received.filter(({ body }) => body.data.late)).toEqual([]);
  expect(await countOf(database, `lateness_ms > ${LATE_AFTER_MS} or attempts > 1`)).toBe(0);
}, 1_200_000);

interface Restart {
  readonly name: Name;
  /** Epoch ms: from the signal until the next one is ready. */
  readonly from: number;
  readonly until: number;
  readonly exitCode: number | null | undefined;
}

/** By the API. */
async function createUsers(
  url: string,
  count: number,
  dateOfBirth: string,
  timezone: string,
): Promise<void> {
  const atOnce = pLimit(16);
  const create = async (number: number): Promise<void> => {
    const { status } = await fetch(`${url}/v1/users`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ firstName: 'Ada', lastName: String(number), dateOfBirth, timezone }),
    });
    expect(status).toBe(201);
  };
  await Promise.all(Array.from({ length: count }, (_, number) => atOnce(() => create(number))));
}

async function countOf({ orm }: TestDatabase, condition: string): Promise<number> {
  const [row] = await orm.em
    .fork()
    .execute<{ count: number }[]>(
      `select count(*)::int as count from events.occurrences where ${condition}`,
    );
  return row?.count ?? 0;
}

/** Waits for what must happen; the test's own time limit ends it. */
async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, WITHIN).toBe(true);
}
