import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { workflowId } from '../../src/domain/occurrence-key.ts';
import { statusQuery } from '../../src/workflows/messages.ts';
import { ADA, createTestApi, type TestApi } from '../support/api.ts';
import { startDevServer, type DevServer } from '../support/dev-server.ts';
import { freePort } from '../support/free-port.ts';
import { runProcess, type TestProcess } from '../support/process.ts';
import { findDevServerProgram, findWorkflowBundle, uniqueTaskQueue } from '../support/temporal.ts';

const WAIT = { timeout: 60_000, interval: 100 };

/** The processes `relay` and `worker`, on a Temporal server that comes and goes. */
let directory: string;
let port: number;
let server: DevServer | null = null;
let api: TestApi;
let relay: TestProcess;
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
  };
  relay = runProcess('src/relay/main.ts', environment);
  worker = runProcess('src/worker/main.ts', environment);
  connection = Connection.lazy({ address });
  client = new Client({ connection });
});
afterAll(async () => {
  await Promise.all([relay.stop('SIGKILL'), worker.stop('SIGKILL')]);
  await connection.close();
  await server?.stop();
  await api.database.drop();
  await rm(directory, { recursive: true, force: true });
});

test('a user who is created while Temporal is away is planned when it is there', async () => {
  const created = await api.send('POST', '/v1/users', ADA);
  expect(created.status).toBe(201);
  await relay.line(/waiting to relay/);
  await worker.line(/waiting for Temporal/);

  await startTemporal();

  await expect.poll(() => statusOf(created.body.id), WAIT).toMatchObject({ revision: 1 });
  expect(await planned()).toBe(1);
});

test('a server that is killed and comes back has lost nothing, and what changed meanwhile is planned', async () => {
  const [known] = await api.sql<{ id: string }>('select id from users.users');
  const userId = known?.id ?? '';
  await server?.stop();

  const changed = await api.send('PATCH', `/v1/users/${userId}`, { timezone: 'Asia/Tokyo' });
  const created = await api.send('POST', '/v1/users', ADA);
  await startTemporal();

  expect([changed.status, created.status]).toEqual([200, 201]);
  await expect.poll(() => statusOf(created.body.id), WAIT).toMatchObject({ revision: 1 });
  await expect
    .poll(() => statusOf(userId), WAIT)
    .toMatchObject({ revision: 2, timezone: 'Asia/Tokyo' });
});

test('a change of zone is a new timer in the history, and a deletion is the end of the workflow', async () => {
  const { body: user } = await api.send('POST', '/v1/users', ADA);
  await expect.poll(() => statusOf(user.id), WAIT).toMatchObject({ waitingFor: 'recheck' });
  const workflow = client.workflow.getHandle(workflowId('birthday', user.id));

  await api.send('PATCH', `/v1/users/${user.id}`, { timezone: 'America/New_York' });
  const timers = async () => {
    const { events } = await workflow.fetchHistory();
    return (events ?? []).flatMap(({ timerStartedEventAttributes: timer }) => timer ?? []);
  };
  await expect.poll(timers, WAIT).toHaveLength(2);
  await api.send('DELETE', `/v1/users/${user.id}`);
  await workflow.result();

  expect((await workflow.describe()).status.name).toBe('COMPLETED');
});

test('both processes end in order when they are asked to', async () => {
  expect(await Promise.all([relay.stop(), worker.stop()])).toEqual([0, 0]);
});

async function startTemporal(): Promise<void> {
  const binary = await findDevServerProgram();
  server = await startDevServer({ binary, port, database: join(directory, 'temporal.db') });
}

async function statusOf(userId: string) {
  try {
    return await client.workflow.getHandle(workflowId('birthday', userId)).query(statusQuery);
  } catch {
    return null;
  }
}

async function planned(): Promise<number> {
  const rows = await api.sql("select key from events.occurrences where state = 'PENDING'");
  return rows.length;
}
