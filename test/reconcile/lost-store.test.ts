// @module-tag long
/**
 * A Temporal server that comes back with nothing, under the processes as they are: all workflows
 * are there again, and nobody is greeted twice, or late. And what `npm run reconcile` says.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { recordRules } from '../../src/planning/rules.ts';
import { loadTzDatabase } from '../../src/platform/load-tz-database.ts';
import { createTestApi, type TestApi } from '../support/api.ts';
import { startDevServer, type DevServer } from '../support/dev-server.ts';
import { freePort } from '../support/free-port.ts';
import { createInstantZones, writeZones } from '../support/instant-zones.ts';
import { ENTRIES, runProcess, type TestProcess } from '../support/process.ts';
import { runHere } from '../support/run-here.ts';
import { findDevServerProgram, findWorkflowBundle, uniqueTaskQueue } from '../support/temporal.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const WAIT = { timeout: 240_000, interval: 200 };
/** By then the users are planned, and the server is gone. */
const LEAD_MS = 25_000;

const zones = createInstantZones(Date.now());
/** The birthday this many days after that of the due users. */
const birthday = (days: number): string =>
  `1992${new Date(zones.wallMs + days * DAY).toISOString().slice(4, 10)}`;

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
  const tz = loadTzDatabase(zoneData);
  api = await createTestApi({ tz });
  await recordRules(api.database.orm.em.fork(), {
    localTime: zones.localTime,
    leapDayPolicy: 'feb28',
    tzVersion: tz.version,
  });
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
  };
  await startTemporal();
  worker = runProcess(ENTRIES.worker, settings);
  const others = [ENTRIES.scheduler, ENTRIES.dispatcher].map((entry) =>
    runProcess(entry, settings),
  );
  processes = [worker, ...others];
  connection = Connection.lazy({ address });
  client = new Client({ connection });
  await Promise.all(processes.map((started) => started.line(/"ready"/)));
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
  const states = 'select state from events.occurrences where user_id = ? order by nominal_date';
  return (await api.sql<{ state: string }>(states, [userId])).map(({ state }) => state);
}

const runs = async (userId: string): Promise<boolean> => {
  const status = await client.workflow
    .getHandle(`birthday/${userId}`)
    .describe()
    .then((description) => description.status.name)
    .catch(() => null);
  return status === 'RUNNING';
};

test('users who are due meanwhile are greeted on time, greeted ones are not again, and all workflows are restarted', async () => {
  // The schedule has run once: the store is known, and a different one is recognized.
  const remembered = 'select store_id from events.reconciler where store_id is not null';
  await expect.poll(() => api.sql(remembered), WAIT).toHaveLength(1);
  const due = zones.instantFrom(Date.now() + LEAD_MS);
  const asleep: string[] = [];
  for (const days of [20, 100, 300]) asleep.push(await createUser(birthday(days)));
  const greeted: string[] = [];
  for (let nth = 0; nth < 2; nth++) {
    greeted.push(await createUser(birthday(0), zones.zoneOf(due).name));
  }
  const all = [...asleep, ...greeted];
  for (const userId of all) await expect.poll(() => runs(userId), WAIT).toBe(true);
  await server.stop();
  for (const userId of greeted) {
    await expect.poll(() => ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  }
  await startTemporal();

  for (const userId of all) await expect.poll(() => runs(userId), WAIT).toBe(true);
  const line = await worker.line(/all workflows are notified again/);
  expect(JSON.parse(line)).toMatchObject({ level: 'warn', forgotten: expect.any(Number) });
  const keys = receiver.received.map(({ id }) => id).toSorted();
  expect(keys.map((key) => key.split(':')[1])).toEqual([...greeted].toSorted());
  const late = await api.sql<{ ms: number }>(
    'select lateness_ms::float8 as ms from events.occurrences where lateness_ms is not null',
  );
  expect(Math.max(...late.map(({ ms }) => ms))).toBeLessThan(10_000);
}, 600_000);

test('the worker creates the schedule from its setting, and it runs at once when it is new', async () => {
  const schedule = client.schedule.getHandle(`${settings['TEMPORAL_TASK_QUEUE']}/reconcile`);
  const { spec, action, policies, info } = await schedule.describe();
  expect(spec.intervals).toEqual([{ every: 20 * MINUTE, offset: 3 * MINUTE }]);
  expect(policies).toMatchObject({ overlap: 'SKIP' });
  expect(action).toMatchObject({ workflowType: 'reconcile', args: [] });
  expect(info.numActionsTaken).toBeGreaterThan(0);
});

const COMMAND = 'src/reconcile/command.ts';
const reconcileNow = (): TestProcess => runProcess(COMMAND, settings);
const said = ({ lines }: TestProcess): string => lines.join('\n');

test('npm run reconcile plans missed users, names what it cannot repair, and ends with 1', async () => {
  const open = await api.sql<{ user_id: string }>(
    `select o.user_id from events.occurrences as o
     where state = 'PENDING' and not exists (
       select from events.occurrences as s where s.user_id = o.user_id and s.state = 'COMPLETED')
     limit 2`,
  );
  const [missed = '', edited = ''] = open.map(({ user_id }) => user_id);
  await api.sql(`delete from events.occurrences where state = 'PENDING' and user_id = ?`, [missed]);
  const settle = (key: string | null, nominal: string | null) =>
    api.sql(
      'update events.occasions set last_settled_key = ?, last_settled_nominal = ? where id = ?',
      [key, nominal, edited],
    );
  await settle('birthday:x:2031', '2031-03-15');
  const command = reconcileNow();
  expect(await command.exited).toBe(1);
  expect(said(command)).toMatch(/^unplanned: 1 found, 1 repaired, 0 not repaired /m);
  expect(said(command)).toContain(`Not repaired: birthday/${edited} (impossible)`);
  expect(await ledgerOf(missed)).toContain('PENDING');
  await settle(null, null);
}, 120_000);

test('with Temporal down, npm run reconcile checks the ledger, and ends with 69', async () => {
  await server.stop();
  const command = reconcileNow();
  expect(await command.exited).toBe(69);
  expect(said(command)).toMatch(/^The ledger:\n/);
  await startTemporal();
}, 120_000);

test('with the database down, or not configured, npm run reconcile says which', async () => {
  const address = `postgresql://u:p@127.0.0.1:${await freePort()}/nothing`;
  const away = await runHere(COMMAND, [], { ...settings, DATABASE_URL: address });
  expect(away.code).toBe(69);
  expect(await runHere(COMMAND, [], { ...settings, LATE_LIMIT: 'soon' })).toEqual({
    code: 78,
    text: expect.stringContaining('LATE_LIMIT'),
  });
}, 120_000);
