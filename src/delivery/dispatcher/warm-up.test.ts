// @module-tag long
import { pino } from 'pino';
import { expect, test } from 'vitest';

import { newWebhookSecret } from '../../platform/settings/webhook-secrets.ts';
import { startWarmUp } from './warm-up.ts';

const settings = {
  WEBHOOK_URL: 'https://receiver.invalid/',
  WEBHOOK_SECRETS: [newWebhookSecret()],
  WEBHOOK_TIMEOUT_MS: 5_000,
  WEBHOOK_ALLOW_PRIVATE: false,
};
const WITHIN = { timeout: 60_000, interval: 20 };

const logged: string[] = [];
const logger = pino({}, { write: (line: string) => void logged.push(line) });

const start = (isBusy: () => boolean, everyMs?: number) =>
  startWarmUp({ settings, isBusy, logger, ...(everyMs !== undefined && { everyMs }) });

test('greets a receiver of its own, which accepts every greeting, and logs nothing', async () => {
  const warmUp = start(() => false);
  await expect.poll(warmUp.sent, WITHIN).toBe(1_500);
  await warmUp.stop();
  expect(warmUp.sent()).toBe(1_500);
  expect(logged).toEqual([]);
});

test('repeats that after a while', async () => {
  const warmUp = start(() => false, 1);
  await expect.poll(warmUp.sent, WITHIN).toBeGreaterThan(1_500);
  await warmUp.stop();
});

test('is over as soon as there is real work, or the process stops', async () => {
  let asked = 0;
  const busy = start(() => (asked += 1) > 10);
  await expect.poll(() => asked, WITHIN).toBe(1_500);
  await busy.stop();
  expect(busy.sent()).toBe(10);

  const stopped = start(() => false);
  await stopped.stop();
  expect(stopped.sent()).toBeLessThan(50);
});
