/**
 * A Temporal server that comes back with nothing, under the processes as they are: everybody
 * is followed again, and nobody is greeted twice.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { loadSettings } from '../../src/config/settings.ts';
import { newWebhookSecret } from '../../src/config/webhook-secrets.ts';
import { workflowId } from '../../src/domain/occurrence-key.ts';
import { statusQuery } from '../../src/workflows/messages.ts';
import { loadZoneLaw } from '../../src/zones/load-zone-law.ts';
import { createTestApi, type TestApi } from '../support/api.ts';
import { startDevServer, type DevServer } from '../support/dev-server.ts';
import { freePort } from '../support/free-port.ts';
import { createInstantZones, writeZones } from '../support/instant-zones.ts';
import { runProcess, type TestProcess } from '../support/process.ts';
import { findDevServerProgram, findWorkflowBundle, uniqueTaskQueue } from '../support/temporal.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const WAIT = { timeout: 240_000, interval: 200 };
/**
 * Until the greetings of those who are armed as the server is lost: longer than until the new one
 * has been looked at. Who was greeted before that is followed again by a later look only.
 */
const LEAD_MS = 110_000;

const zones = createInstantZones(Date.now());
/** The birthday that is so many days after that of those who are armed. */
const birthday = (days: number): string => `1992${iso(zones.wallMs + days * DAY).slice(4, 10)}`;
const iso = (at: number): string => new Date(at).toISOString();

let directory: string;
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
  directory = await mkdtemp(join(tmpdir(), 'daybell-lost-store-'));
  const zoneData = join(directory, 'zones.json');
  writeZones(zoneData, zones.zones);
  api = await createTestApi({ law: loadZoneLaw(zoneData) });
  receiver = await startWebhookReceiver();
  settings = {
    DATABASE_URL: api.database.url,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
    WEBHOOK_URL: receiver.url,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_SECRETS: newWebhookSecret(),
    WORKFLOW_BUNDLE: await findWorkflowBundle(),
    RECONCILE_EVERY: '20m',
    ZONE_DATA: zoneData,
    DELIVERY_LOCAL_TIME: zones.localTime,
    // A while in which the server is lost.
    ARM_LEAD: '200s',
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
  await rm(directory, { recursive: true });
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
  const asleep = [];
  for (const days of [20, 100, 300]) asleep.push(await createUser(birthday(days)));
  // Greeted by the Temporal of before: as the ledger keeps it.
  const done = await createUser(birthday(-2));
  for (const userId of [...asleep, done]) {
    await expect.poll(() => waitsFor(userId), WAIT).toBe('recheck');
  }
  // The schedule has run once: the store is known, and another can be told from it.
  const remembered = 'select store_id from events.reconciler where store_id is not null';
  await expect.poll(() => api.sql(remembered), WAIT).toHaveLength(1);
  const due = zones.instantFrom(Date.now() + LEAD_MS);
  const armed = [];
  for (let nth = 0; nth < 2; nth++) {
    armed.push(await createUser(birthday(0), zones.zoneOf(due).name));
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
    detected: { store_lost: 6 },
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
