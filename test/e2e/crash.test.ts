/** kill -9 of everything at once, and a start after it: nobody is forgotten, nobody greeted twice. */
import { setTimeout as sleep } from 'node:timers/promises';

import { beforeAll, describe, expect, test, type TestContext } from 'vitest';

import { newWebhookSecret } from '../../src/config/webhook-secrets.ts';
import { findDevServerProgram } from '../support/temporal.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';
import { createUser, minuteToCome, occurrenceThat, until } from './support/birthdays.ts';
import { startDaybell, stillRunning, temporaryDataDir } from './support/daybell.ts';

beforeAll(findDevServerProgram, 25 * 60_000);

const SOON_MS = 30_000;

describe.concurrent('killed with -9', { timeout: 300_000 }, () => {
  test('while the user sleeps, and started again when the minute has passed', async ({
    expect,
    onTestFinished,
  }) => {
    const arming = { ARM_LEAD: '5s', ARM_WINDOW: '0s' };
    const { settings, receiver, due } = await prepare(arming, onTestFinished);
    const before = await startDaybell(settings);
    const userId = await createUser(before, due.dateOfBirth);
    await occurrenceThat(before, userId, ({ state }) => state === 'PENDING');
    expect(Date.now()).toBeLessThan(due.at - 5_000);
    await before.killAll();

    await sleep(due.at + 1_000 - Date.now());
    const after = await startDaybell(settings);
    const delivered = await occurrenceThat(after, userId, ({ state }) => state === 'COMPLETED');
    expect(Date.now()).toBeLessThan(after.readyAt + SOON_MS);
    expect(delivered.latenessMs).toBeGreaterThan(1_000);
    await occurrenceThat(after, userId, ({ state }) => state === 'PENDING');
    expect(receiver.received).toHaveLength(1);
    const told = Number(receiver.received[0]?.headers['daybell-lateness-ms']);
    expect(told).toBeGreaterThan(1_000);
    expect(told).toBeLessThanOrEqual(Number(delivered.latenessMs));
    expect(await after.terminal.stop('SIGINT')).toBe(0);
  });

  test('while the user is armed', async ({ expect, onTestFinished }) => {
    const { settings, receiver, due } = await prepare({ ARM_LEAD: '10m' }, onTestFinished);
    const before = await startDaybell(settings);
    const userId = await createUser(before, due.dateOfBirth);
    await occurrenceThat(before, userId, ({ state }) => state === 'PROCESSING');
    expect(Date.now()).toBeLessThan(due.at);
    await before.killAll();

    const after = await startDaybell(settings);
    const delivered = await occurrenceThat(after, userId, ({ state }) => state === 'COMPLETED');
    expect(Date.now()).toBeLessThan(Math.max(after.readyAt, due.at) + SOON_MS);
    expect(delivered.latenessMs).toBeGreaterThanOrEqual(0);
    await occurrenceThat(after, userId, ({ state }) => state === 'PENDING');
    expect(receiver.received).toHaveLength(1);
    expect(receiver.received[0]?.at).toBeGreaterThanOrEqual(due.at);
    expect(await after.terminal.stop('SIGINT')).toBe(0);
  });
});

test(
  'the supervisor alone killed with -9: its services end, its servers are replaced by the next start',
  { timeout: 120_000 },
  async () => {
    const settings = { DATA_DIR: await temporaryDataDir() };
    const before = await startDaybell(settings);
    const processes = before.processes();
    process.kill(before.process('supervisor').pid, 'SIGKILL');
    await until(() =>
      stillRunning(processes).every((name) => name === 'postgres' || name === 'temporal'),
    );

    const after = await startDaybell(settings);
    expect(after.terminal.lines[0]).toMatch(/did not end in order.*postgres \(process \d+\)/);
    expect(stillRunning(processes)).toEqual([]);
    expect(await after.terminal.stop('SIGINT')).toBe(0);
  },
);

async function prepare(arming: NodeJS.ProcessEnv, whenFinished: TestContext['onTestFinished']) {
  const receiver = await startWebhookReceiver();
  whenFinished(() => receiver.close());
  const due = minuteToCome(60_000);
  const settings = {
    DATA_DIR: await temporaryDataDir(whenFinished),
    DELIVERY_LOCAL_TIME: due.DELIVERY_LOCAL_TIME,
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRETS: newWebhookSecret(),
    WEBHOOK_ALLOW_PRIVATE: 'true',
    ...arming,
  };
  return { settings, receiver, due };
}
