import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { BIRTHDAY, workflowId } from '../../src/ledger/occurrence-key.ts';
import { ADA, createTestApi, type TestApi } from '../support/api.ts';
import { startDevServer, type DevServer } from '../support/dev-server.ts';
import { freePort } from '../support/free-port.ts';
import { runProcess, type TestProcess } from '../support/process.ts';
import { findDevServerProgram, findWorkflowBundle, uniqueTaskQueue } from '../support/temporal.ts';

const WAIT = { timeout: 60_000, interval: 100 };
const DAY = 86_400_000;

/** The processes `scheduler` and `worker`, with a Temporal server that comes and goes. */
let directory: string;
let port: number;
let server: DevServer | null = null;
let api: TestApi;
let scheduler: TestProcess;
let worker: TestProcess;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daybell-temporal-'));
  port = await freePort();
  api = await createTestApi();
  const address = `127.0.0.1:${port}`;
  const environment = {
    DATABASE_URL: api.database.url,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
    WORKFLOW_BUNDLE: await findWorkflowBundle(),
    WEBHOOK_URL: 'http://127.0.0.1:9/greetings',
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_SECRETS: newWebhookSecret(),
  };
  scheduler = runProcess('src/planning/main.ts', environment);
  worker = runProcess('src/worker/main.ts', environment);
  connection = Connection.lazy({ address });
  client = new Client({ connection });
});
afterAll(async () => {
  await Promise.all([scheduler.stop('SIGKILL'), worker.stop('SIGKILL')]);
  await connection.close();
  await server?.stop();
  await api.database.drop();
  await rm(directory, { recursive: true, force: true });
});

test('a user who is created while Temporal is down is planned at once, and gets a workflow when it is back', async () => {
  const created = await api.send('POST', '/v1/users', ADA);
  expect(created.status).toBe(201);
  await expect.poll(planned, WAIT).toBe(1);
  await scheduler.line(/workflows cannot be notified now/);
  await worker.line(/waiting for Temporal/);
  expect(await wakesAt(created.body.id)).toBeNull();

  await startTemporal();

  await expect.poll(() => wakesAt(created.body.id), WAIT).toBeGreaterThan(Date.now());
  expect(await statusOf(created.body.id)).toBe('RUNNING');
});

test('a server that is killed and returns has lost nothing, and is notified of what changed meanwhile', async () => {
  const [known] = await api.sql<{ id: string }>('select id from users.users');
  const userId = known?.id ?? '';
  const before = (await wakesAt(userId)) ?? 0;
  await server?.stop();

  // Nine hours earlier.
  const changed = await api.send('PATCH', `/v1/users/${userId}`, { timezone: 'Asia/Tokyo' });
  const created = await api.send('POST', '/v1/users', ADA);
  await expect.poll(planned, WAIT).toBe(2);
  await startTemporal();

  expect([changed.status, created.status]).toEqual([200, 201]);
  await expect.poll(() => statusOf(created.body.id), WAIT).toBe('RUNNING');
  await expect
    .poll(async () => before - ((await wakesAt(userId)) ?? 0), WAIT)
    .toBeGreaterThan(DAY / 3);
});

test('a deletion ends the workflow', async () => {
  const { body: user } = await api.send('POST', '/v1/users', ADA);
  await expect.poll(() => statusOf(user.id), WAIT).toBe('RUNNING');

  await api.send('DELETE', `/v1/users/${user.id}`);

  await expect.poll(() => statusOf(user.id), WAIT).toBe('COMPLETED');
});

test('both processes end in order when asked to', async () => {
  expect(await Promise.all([scheduler.stop(), worker.stop()])).toEqual([0, 0]);
});

async function startTemporal(): Promise<void> {
  const binary = await findDevServerProgram();
  server = await startDevServer({ binary, port, database: join(directory, 'temporal.db') });
}

async function statusOf(userId: string): Promise<string | null> {
  try {
    const id = workflowId({ type: BIRTHDAY, id: userId });
    return (await client.workflow.getHandle(id).describe()).status.name;
  } catch {
    return null;
  }
}

/** When its workflow will wake, as far as the ledger knows; epoch ms. */
async function wakesAt(userId: string): Promise<number | null> {
  const [row] = await api.sql<{ at: number | null }>(
    `select (extract(epoch from notified_wake_at) * 1000)::float8 as at
     from events.occasions where id = ?`,
    [userId],
  );
  return row?.at ?? null;
}

async function planned(): Promise<number> {
  const rows = await api.sql("select key from events.occurrences where state = 'PENDING'");
  return rows.length;
}
