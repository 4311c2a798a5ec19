/**
 * A Temporal server that comes back with nothing, under the processes as they are: everybody
 * is followed again, and nobody is greeted twice.
 */
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { loadSettings } from '../../src/config/settings.ts';
import { newWebhookSecret } from '../../src/config/webhook-secrets.ts';
import { workflowId } from '../../src/domain/occurrence-key.ts';
import { statusQuery } from '../../src/workflows/messages.ts';
import { createTestApi, type TestApi } from '../support/api.ts';
import { startDevServer, type DevServer } from '../support/dev-server.ts';
import { freePort } from '../support/free-port.ts';
import { runProcess, type TestProcess } from '../support/process.ts';
import { findDevServerProgram, uniqueTaskQueue } from '../support/temporal.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const WAIT = { timeout: 240_000, interval: 200 };
/** For the processes, which bundle workflows first, and for what is done before it. */
const LEAD_MS = 2 * MINUTE;

const due = Math.ceil((Date.now() + LEAD_MS) / MINUTE) * MINUTE;
const iso = (at: number): string => new Date(at).toISOString();

let settings: NodeJS.ProcessEnv;
let port: number;
let server: DevServer;
let api: TestApi;
let receiver: WebhookReceiver;
let processes: TestProcess[] = [];
let worker: TestProcess;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  port = await freePort();
  const address = `127.0.0.1:${port}`;
  api = await createTestApi();
  receiver = await startWebhookReceiver();
  settings = {
    DATABASE_URL: api.database.url,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
    WEBHOOK_URL: receiver.url,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_SECRETS: newWebhookSecret(),
    RECONCILE_EVERY: '20m',
    DELIVERY_LOCAL_TIME: iso(due).slice(11, 16),
    // A while in which the server is lost.
    ARM_LEAD: '100s',
    ARM_WINDOW: '1s',
  };
  await startTemporal();
  worker = runProcess('src/worker/main.ts', settings);
  const others = ['relay', 'delivery'].map((name) => runProcess(`src/${name}/main.ts`, settings));
  processes = [worker, ...others];
  connection = Connection.lazy({ address });
  client = new Client({ connection });
}, 120_000);
afterAll(async () => {
  await Promise.all(processes.map((running) => running.stop('SIGKILL')));
  await connection.close();
  await server.stop();
  await receiver.close();
  await api.database.drop();
});

async function startTemporal(): Promise<void> {
  // In memory: what it knew is gone with it.
  server = await startDevServer({ binary: await findDevServerProgram(), port });
}

async function createUser(dateOfBirth: string, timezone = 'Etc/UTC'): Promise<string> {
  const user = { firstName: 'Ada', lastName: 'Lovelace', dateOfBirth, timezone };
  const created = await api.send('POST', '/v1/users', user);
  expect(created.status).toBe(201);
  return created.body.id;
}

async function ledgerOf(userId: string): Promise<string[]> {
  const states = 'select state from events.occurrences where user_id = ? order by year';
  return (await api.sql<{ state: string }>(states, [userId])).map(({ state }) => state);
}

async function waitsFor(userId: string): Promise<string | null> {
  try {
    const workflow = client.workflow.getHandle(workflowId('birthday', userId));
    return (await workflow.query(statusQuery)).waitingFor;
  } catch {
    return null;
  }
}

const greeted = (userId: string) =>
  receiver.received.filter(({ body }) => body.data.userId === userId);

test('who is armed is sent from the ledger, who was greeted is not, who sleeps is followed again', async () => {
  const birthday = `1992${iso(due).slice(4, 10)}`;
  const armed = [await createUser(birthday), await createUser(birthday)];
  const asleep = [];
  for (const days of [20, 100, 300]) {
    asleep.push(await createUser(`1992${iso(due + days * DAY).slice(4, 10)}`));
  }
  // Greeted by the Temporal of before: as the ledger keeps it.
  const done = await createUser(`1992${iso(due - DAY).slice(4, 10)}`);
  for (const userId of [...asleep, done]) {
    await expect.poll(() => waitsFor(userId), WAIT).toBe('recheck');
  }
  for (const userId of armed)
    await expect.poll(() => ledgerOf(userId), WAIT).toEqual(['PROCESSING']);

  await server.stop();
  await startTemporal();

  for (const userId of armed) {
    await expect.poll(() => ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  }
  for (const userId of [...armed, ...asleep, done]) {
    await expect.poll(() => waitsFor(userId), WAIT).toBe('recheck');
  }
  expect(armed.map((userId) => greeted(userId).length)).toEqual([1, 1]);
  expect(receiver.received).toHaveLength(2);
}, 600_000);

test('the worker makes the schedule by its setting, which runs at once, and logs a line', async () => {
  const schedule = client.schedule.getHandle(`${settings['TEMPORAL_TASK_QUEUE']}/reconcile`);
  const { spec, action, policies, info } = await schedule.describe();
  expect(spec.intervals).toEqual([{ every: 20 * MINUTE, offset: 3 * MINUTE }]);
  expect(policies).toMatchObject({ overlap: 'SKIP' });
  expect(action).toMatchObject({ workflowType: 'reconcile', args: [] });
  expect(info.numActionsTaken).toBeGreaterThan(0);
  const line = await worker.line(/"store_lost".*looked for what was missed/);
  expect(JSON.parse(line)).toMatchObject({
    level: 'info',
    // The armed ones may have been sent before anybody looked.
    detected: { store_lost: expect.toSatisfy((found) => [4, 5, 6].includes(found)) },
    unrepaired: {},
    notLookedFor: [],
  });
});

function reconcileNow(): TestProcess {
  const { TEMPORAL_ADDRESS, TEMPORAL_TASK_QUEUE } = settings;
  return runProcess('src/commands/reconcile.ts', { TEMPORAL_ADDRESS, TEMPORAL_TASK_QUEUE });
}

test('npm run reconcile says that nothing was missed', async () => {
  const command = reconcileNow();
  expect(await command.exited).toBe(0);
  expect(command.lines).toContain('Nothing was missed.');
}, 120_000);

test('npm run reconcile says what could not be repaired, and exits with 1', async () => {
  await api.sql('update users.outbox set set_aside_at = now(), relayed_at = null where id = 1');
  const command = reconcileNow();
  expect(await command.exited).toBe(1);
  expect(command.lines.join('\n')).toMatch(/set_aside +1 +0 +1 /);
  expect(command.lines).toContainEqual(expect.stringMatching(/^Not repaired: outbox:1 /));
  expect(await worker.line(/"alarm":"reconcile-unrepaired"/)).toContain('"level":"error"');
}, 120_000);

test.for(['59s', '61m', 'often'])('the setting RECONCILE_EVERY does not take %s', (value) => {
  expect(() => loadSettings({ RECONCILE_EVERY: value })).toThrow(/RECONCILE_EVERY: .* to 1h/);
});
