// @module-tag long
/**
 * kill -9 of everything at once, and then a start: nobody is forgotten, nobody is greeted twice.
 */
import { beforeAll, expect, onTestFinished, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { findDevServerProgram } from '../support/temporal.ts';
import { startWebhookReceiver, withStatus } from '../support/webhook-receiver.ts';
import { createUser, occurrenceThat, until } from './support/birthdays.ts';
import { type DueInstant, dueInstants } from '../support/instant-zones.ts';
import { startDaybell, stillRunning, temporaryDataDir } from '../support/started-daybell.ts';

beforeAll(findDevServerProgram, 25 * 60_000);

/** The time within which missed greetings must be sent, by design. */
const SOON_MS = 60_000;

test(
  "after kill -9 of everything, while one user sleeps and another's webhook is in flight; then of the supervisor alone",
  { timeout: 480_000 },
  async () => {
    const receiver = await startWebhookReceiver();
    onTestFinished(() => receiver.close());
    const dataDir = await temporaryDataDir();
    const due = dueInstants(dataDir);
    const preparedAt = Date.now();
    const settings = {
      DATA_DIR: dataDir,
      ...due.settings,
      WEBHOOK_URL: receiver.url,
      WEBHOOK_SECRETS: newWebhookSecret(),
      WEBHOOK_ALLOW_PRIVATE: 'true',
    };
    const before = await startDaybell(settings);
    receiver.answer(() => {});
    const create = async ({ at, timezone }: DueInstant) => ({
      dueAt: at,
      userId: await createUser(before, due.dateOfBirth, { timezone }),
    });
    // As long as the start took, in which two are easily planned; the second is due 20 s later.
    const first = due.next(Math.max(15_000, before.readyAt - preparedAt));
    const onItsWay = await create(first);
    const asleep = await create(due.next(first.at + 20_000 - Date.now()));
    await occurrenceThat(before, asleep.userId, ({ status }) => status === 'PENDING');
    await occurrenceThat(before, onItsWay.userId, ({ status }) => status === 'PROCESSING');
    await until(() => receiver.received.length > 0);
    expect(Date.now()).toBeLessThan(asleep.dueAt - 2_000);
    await before.killAll();
    receiver.answer(withStatus(200));

    // When the minute of the sleeping user has passed.
    await until(() => Date.now() > asleep.dueAt + 1_000);
    const after = await startDaybell(settings);
    for (const { userId } of [asleep, onItsWay]) {
      const delivered = await occurrenceThat(after, userId, ({ status }) => status === 'COMPLETED');
      expect(Date.now()).toBeLessThan(after.readyAt + SOON_MS);
      expect(delivered.latenessMs).toBeGreaterThan(1_000);
      await occurrenceThat(after, userId, ({ status }) => status === 'PENDING');
      const lateness = greetingsOf(userId).at(-1)?.headers['daybell-lateness-ms'];
      expect(Number(lateness)).toBeGreaterThan(1_000);
      expect(Number(lateness)).toBeLessThanOrEqual(Number(delivered.latenessMs));
    }
    expect(greetingsOf(asleep.userId)).toHaveLength(1);
    // The receiver had it and Daybell could not know: sent again, under the same id.
    const twice = greetingsOf(onItsWay.userId);
    expect(twice).toHaveLength(2);
    expect(new Set(twice.map(({ id }) => id)).size).toBe(1);
    expect(twice[0]?.at).toBeGreaterThanOrEqual(onItsWay.dueAt);

    // Without their supervisor, the services end, and the next start replaces the servers.
    const processes = after.processes();
    process.kill(after.process('supervisor').pid, 'SIGKILL');
    await until(() =>
      stillRunning(processes).every((name) => name === 'postgres' || name === 'temporal'),
    );
    const last = await startDaybell(settings);
    expect(last.terminal.lines[0]).toMatch(/did not end in order.*postgres \(process \d+\)/);
    expect(stillRunning(processes)).toEqual([]);
    expect(await last.terminal.stop('SIGINT')).toBe(0);

    function greetingsOf(userId: string) {
      return receiver.received.filter(({ body }) => body.data.user?.id === userId);
    }
  },
);
