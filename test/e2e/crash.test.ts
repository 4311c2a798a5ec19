// @module-tag long
/** kill -9 of everything at once, and a start after it: nobody is forgotten, nobody greeted twice. */
import { setTimeout as sleep } from 'node:timers/promises';

import { beforeAll, describe, expect, test, type TestContext } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { findDevServerProgram } from '../support/temporal.ts';
import { startWebhookReceiver, withStatus } from '../support/webhook-receiver.ts';
import { createUser, occurrenceThat, until } from './support/birthdays.ts';
import { dueInstants } from '../support/instant-zones.ts';
import {
  type RunningDaybell,
  startDaybell,
  stillRunning,
  temporaryDataDir,
} from '../support/started-daybell.ts';

beforeAll(findDevServerProgram, 25 * 60_000);

/** Within which what was missed is sent, by the design. */
const SOON_MS = 60_000;

describe.concurrent('killed with -9', { timeout: 480_000 }, () => {
  test('while the user sleeps, and started again when the minute has passed', async ({
    expect,
    onTestFinished,
  }) => {
    const { settings, receiver, create } = await prepare(onTestFinished);
    const before = await startDaybell(settings);
    const { userId, dueAt } = await create(before);
    await occurrenceThat(before, userId, ({ status }) => status === 'PENDING');
    expect(Date.now()).toBeLessThan(dueAt - 5_000);
    await before.killAll();

    await sleep(dueAt + 1_000 - Date.now());
    const after = await startDaybell(settings);
    const delivered = await occurrenceThat(after, userId, ({ status }) => status === 'COMPLETED');
    expect(Date.now()).toBeLessThan(after.readyAt + SOON_MS);
    expect(delivered.latenessMs).toBeGreaterThan(1_000);
    await occurrenceThat(after, userId, ({ status }) => status === 'PENDING');
    expect(receiver.received).toHaveLength(1);
    const told = Number(receiver.received[0]?.headers['daybell-lateness-ms']);
    expect(told).toBeGreaterThan(1_000);
    expect(told).toBeLessThanOrEqual(Number(delivered.latenessMs));
    expect(await after.terminal.stop('SIGINT')).toBe(0);
  });

  test('while the webhook is on its way', async ({ expect, onTestFinished }) => {
    const { settings, receiver, create } = await prepare(onTestFinished);
    receiver.answer(() => {});
    const before = await startDaybell(settings);
    const { userId, dueAt } = await create(before);
    await occurrenceThat(before, userId, ({ status }) => status === 'PROCESSING');
    await until(() => receiver.received.length > 0);
    await before.killAll();
    receiver.answer(withStatus(200));

    const after = await startDaybell(settings);
    const delivered = await occurrenceThat(after, userId, ({ status }) => status === 'COMPLETED');
    expect(Date.now()).toBeLessThan(Math.max(after.readyAt, dueAt) + SOON_MS);
    expect(delivered.latenessMs).toBeGreaterThanOrEqual(0);
    await occurrenceThat(after, userId, ({ status }) => status === 'PENDING');
    // The receiver had it and Daybell could not know: once more, under the same id.
    expect(receiver.received).toHaveLength(2);
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(1);
    expect(receiver.received[0]?.at).toBeGreaterThanOrEqual(dueAt);
    expect(await after.terminal.stop('SIGINT')).toBe(0);
  });
});

test(
  'the supervisor alone killed with -9: its services end, its servers are replaced by the next start',
  { timeout: 480_000 },
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

async function prepare(whenFinished: TestContext['onTestFinished']) {
  const receiver = await startWebhookReceiver();
  whenFinished(() => receiver.close());
  const dataDir = await temporaryDataDir(whenFinished);
  const due = dueInstants(dataDir);
  const preparedAt = Date.now();
  const settings = {
    DATA_DIR: dataDir,
    ...due.settings,
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRETS: newWebhookSecret(),
    WEBHOOK_ALLOW_PRIVATE: 'true',
  };
  /** A user who is due when so much time has passed as the start took, in which one is easily planned. */
  const create = async (daybell: RunningDaybell) => {
    const { at, timezone } = due.next(Math.max(15_000, daybell.readyAt - preparedAt));
    return { dueAt: at, userId: await createUser(daybell, due.dateOfBirth, { timezone }) };
  };
  return { settings, receiver, create };
}
