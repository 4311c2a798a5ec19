// @module-tag long
/**
 * One of the two stores is restored to an earlier state than the other's: nobody is lost,
 * nobody is greeted twice, and both say the same in the end.
 */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { describe, expect, inject, test, type TestContext } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { type Answer, readAnswer } from '../support/api.ts';
import { startDevServer, type DevServer } from '../support/dev-server.ts';
import { freePort } from '../support/free-port.ts';
import { createEmptyDatabase, querySql, runSql } from '../support/postgres.ts';
import { ENTRIES, runProcess, runProgram, type TestProcess } from '../support/process.ts';
import { runHere } from '../support/run-here.ts';
import { findDevServerProgram, findWorkflowBundle, uniqueTaskQueue } from '../support/temporal.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

const WITHIN = { timeout: 120_000, interval: 200 };
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Due in UTC ten minutes ago; in the zone an hour behind, in fifty. */
const due = Date.now() - HOUR / 6;
const localTime = new Date(due).toISOString().slice(11, 16);
/** A date of birth whose day is this far from that one. */
const birthday = (inDays: number): string =>
  `1992${new Date(due + inDays * DAY).toISOString().slice(4, 10)}`;

/** All processes, on the test's own database and Temporal. */
async function startInstallation({ expect, onTestFinished }: TestContext) {
  let server: DevServer | null = null;
  let processes: TestProcess[] = [];
  const directory = await mkdtemp(join(tmpdir(), 'daybell-restore-'));
  const { url: databaseUrl, drop: dropDatabase } = await createEmptyDatabase();
  const receiver = await startWebhookReceiver();
  const temporalPort = await freePort();
  const settings: Record<string, string> = {
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: `127.0.0.1:${temporalPort}`,
    TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
    WEBHOOK_URL: receiver.url,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_SECRETS: newWebhookSecret(),
    DELIVERY_LOCAL_TIME: localTime,
    PORT: String(await freePort()),
    WORKFLOW_BUNDLE: await findWorkflowBundle(),
    RECONCILE_EVERY: '1m',
  };
  const connection = Connection.lazy({ address: settings['TEMPORAL_ADDRESS'] ?? '' });
  const client = new Client({ connection });

  onTestFinished(async () => {
    await stopDaybell();
    await connection.close();
    await server?.stop();
    await receiver.close();
    await dropDatabase();
    await rm(directory, { recursive: true, force: true });
  });
  await runProcess(ENTRIES.migrate, settings).exited;
  await startTemporal();
  await startDaybell();

  async function startTemporal(): Promise<void> {
    const folder = join(directory, 'temporal');
    await mkdir(folder, { recursive: true });
    server = await startDevServer({
      binary: await findDevServerProgram(),
      port: temporalPort,
      database: join(folder, 'temporal.db'),
    });
  }

  async function startDaybell(): Promise<void> {
    const { api, scheduler, worker, dispatcher } = ENTRIES;
    processes = [api, scheduler, worker, dispatcher].map((entry) => runProcess(entry, settings));
    await Promise.all(processes.map((started) => started.line(/"ready"/)));
  }

  async function stopDaybell(): Promise<void> {
    await Promise.all(processes.splice(0).map((running) => running.stop('SIGTERM')));
  }

  async function send(method: string, path: string, body?: object): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${settings['PORT']}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return readAnswer(response);
  }

  async function createUser(inDays: number, timezone = 'Etc/UTC'): Promise<string> {
    const user = {
      firstName: 'Ada',
      lastName: 'Lovelace',
      dateOfBirth: birthday(inDays),
      timezone,
    };
    const { status, body } = await send('POST', '/v1/users', user);
    expect(status).toBe(201);
    return body.id;
  }

  /** The status of the user's workflow; null if there is none. */
  async function workflowOf(userId: string): Promise<string | null> {
    const workflow = client.workflow.getHandle(`birthday/${userId}`);
    return workflow.describe().then(
      ({ status }) => status.name,
      () => null,
    );
  }

  /** The day of the next occurrence in the ledger; null if there is none. */
  async function planned(userId: string): Promise<string | null> {
    const { body } = await send('GET', `/v1/users/${userId}/occurrences`);
    const next = body.occurrences?.find(({ status }: { status: string }) => status === 'PENDING');
    return next === undefined ? null : next.dueAt.slice(4, 10);
  }

  /** The ledger has that day for the user, and knows when the running workflow will wake. */
  async function agreeOn(userId: string, inDays: number): Promise<void> {
    await expect.poll(() => planned(userId), WITHIN).toBe(birthday(inDays).slice(4));
    await expect.poll(() => isNotified(userId), WITHIN).toBe(true);
    await expect.poll(() => workflowOf(userId), WITHIN).toBe('RUNNING');
  }

  async function isNotified(userId: string): Promise<boolean> {
    const rows = await querySql(
      databaseUrl,
      `select 1 from events.occasions where id = '${userId}' and notified_wake_at <= wake_at`,
    );
    return rows.length === 1;
  }

  /** Runs `npm run reconcile` until it finds nothing. */
  async function reconcile(): Promise<string[]> {
    const command = runCommand('command');
    expect({ exitCode: await command.exited, lines: command.lines }).toMatchObject({ exitCode: 0 });
    return command.lines;
  }

  /** For how many halves it reports that nothing was missed. */
  async function countWell(): Promise<number> {
    return (await reconcile()).filter((line) => line === 'Nothing was missed.').length;
  }

  async function noteRestore(backupTakenAt: number): Promise<string> {
    const at = new Date(backupTakenAt).toISOString();
    const command = runCommand('restored-command', ['--backup-taken-at', at]);
    expect({ exitCode: await command.exited, lines: command.lines }).toMatchObject({ exitCode: 0 });
    return command.lines.join('\n');
  }

  function runCommand(name: string, args: readonly string[] = []): TestProcess {
    return runProgram(process.execPath, [`src/reconcile/${name}.ts`, ...args], { settings });
  }

  /** The users of the tests, as they are at the time of the backup. */
  async function createPeople() {
    const people = {
      moves: await createUser(100),
      leaves: await createUser(120),
      greeted: await createUser(0, 'Etc/GMT+1'),
    };
    await agreeOn(people.moves, 100);
    await agreeOn(people.leaves, 120);
    await agreeOn(people.greeted, 0);
    return people;
  }

  /** What happens after the backup; returns the new users. */
  async function goOn({ moves, leaves, greeted }: Awaited<ReturnType<typeof createPeople>>) {
    const { status } = await send('PATCH', `/v1/users/${moves}`, { dateOfBirth: birthday(200) });
    expect(status).toBe(200);
    expect((await send('DELETE', `/v1/users/${leaves}`)).status).toBe(204);
    // Where it is ten past nine: owed, and sent at once.
    await send('PATCH', `/v1/users/${greeted}`, { timezone: 'Etc/UTC' });
    const comes = await createUser(140);
    await agreeOn(moves, 200);
    await agreeOn(comes, 140);
    await expect.poll(() => receiver.received.length, WITHIN).toBe(1);
    const ledger = () => send('GET', `/v1/users/${greeted}/occurrences`);
    await expect
      .poll(async () => (await ledger()).body.occurrences.length, WITHIN)
      .toBeGreaterThanOrEqual(2);
    return comes;
  }

  async function resume(): Promise<void> {
    const { body } = await send('GET', '/v1/deliveries');
    expect(body).toMatchObject({ paused: true, pauseReason: expect.stringContaining('restored') });
    expect((await send('POST', '/v1/deliveries/resume')).status).toBe(200);
  }

  return {
    databaseUrl,
    directory,
    receiver,
    startTemporal,
    stopTemporal: async () => server?.stop(),
    startDaybell,
    stopDaybell,
    send,
    agreeOn,
    reconcile,
    countWell,
    noteRestore,
    createPeople,
    goOn,
    resume,
  };
}

describe.concurrent('one of the two stores is restored', { timeout: 400_000 }, () => {
  test('an older database and a newer Temporal', async (context) => {
    const { expect } = context;
    const installation = await startInstallation(context);
    const { databaseUrl, receiver, startDaybell, stopDaybell } = installation;
    const { agreeOn, countWell, createPeople, goOn, noteRestore, reconcile, resume, send } =
      installation;
    const people = await createPeople();
    await stopDaybell();
    const name = new URL(databaseUrl).pathname.slice(1);
    const backup = `${name}_backup`;
    const admin = inject('postgresAdminUrl');
    await runSql(admin, `create database ${backup} template ${name}`);
    const backupTakenAt = Date.now();
    await startDaybell();
    const comes = await goOn(people);

    await stopDaybell();
    await runSql(admin, `drop database ${name}`);
    await runSql(admin, `alter database ${backup} rename to ${name}`);
    const noted = await noteRestore(backupTakenAt);
    expect(noted).toMatch(/^Noted\. The database is at the earlier state/);
    expect(noted).toContain('3 workflows are notified again');
    await startDaybell();
    await reconcile();

    await agreeOn(people.moves, 100);
    // A user who was deleted exists again, and is planned.
    await agreeOn(people.leaves, 120);
    expect((await send('GET', `/v1/users/${comes}`)).status).toBe(404);
    await resume();
    // A change is planned, although its number was used once before.
    await send('PATCH', `/v1/users/${people.moves}`, { dateOfBirth: birthday(150) });
    await agreeOn(people.moves, 150);
    await expect.poll(countWell, WITHIN).toBe(2);
    expect(receiver.received).toHaveLength(1);
  });

  test('an older Temporal and a newer database', async (context) => {
    const { expect } = context;
    const installation = await startInstallation(context);
    const { directory, receiver, startDaybell, stopDaybell, startTemporal, stopTemporal } =
      installation;
    const { agreeOn, countWell, createPeople, goOn, noteRestore, reconcile, resume, send } =
      installation;
    const people = await createPeople();
    await stopDaybell();
    await stopTemporal();
    await cp(join(directory, 'temporal'), join(directory, 'backup'), { recursive: true });
    const backupTakenAt = Date.now();
    await startTemporal();
    await startDaybell();
    const comes = await goOn(people);

    await stopDaybell();
    await stopTemporal();
    await rm(join(directory, 'temporal'), { recursive: true });
    await cp(join(directory, 'backup'), join(directory, 'temporal'), { recursive: true });
    await startTemporal();
    // Too early does no harm; and what came after it is minutes later, as in reality.
    const noted = await noteRestore(backupTakenAt - 120_000);
    expect(noted).toMatch(/^Noted\. Temporal's store is at the earlier state/);
    await startDaybell();
    await reconcile();

    await agreeOn(people.moves, 200);
    await agreeOn(comes, 140);
    await agreeOn(people.greeted, 0);
    await resume();
    await send('PATCH', `/v1/users/${people.moves}`, { dateOfBirth: birthday(150) });
    await agreeOn(people.moves, 150);
    await expect.poll(countWell, WITHIN).toBe(2);
    expect(receiver.received).toHaveLength(1);
  });
});

test('npm run restored says which setting is missing, and how it is used', async () => {
  const entry = 'src/reconcile/restored-command.ts';
  const without = await runHere(entry, ['--backup-taken-at', '2026-05-20T03:00:00Z']);
  expect(without).toEqual({ code: 78, text: expect.stringContaining('DATABASE_URL') });
  const usage = expect.stringContaining('npm run restored -- --backup-taken-at <instant>');
  for (const args of [
    [],
    ['--backup-taken-at', 'yesterday'],
    ['--backup-taken-at=2999-01-01T00:00Z'],
  ]) {
    const given = { DATABASE_URL: 'postgresql://u:p@127.0.0.1:1/nothing' };
    expect(await runHere(entry, args, given)).toEqual({ code: 64, text: usage });
  }
});
