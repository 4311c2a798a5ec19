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

const start = (isBusy: () => boolean) =>
  startWarmUp({ settings, isBusy, logger: pino({ level: 'silent' }) });

test('greets a receiver of its own, which takes every greeting', async () => {
  expect(await start(() => false).ended).toBe(1_500);
});

test('is over as soon as there is real work, or the process stops', async () => {
  let asked = 0;
  const busy = start(() => (asked += 1) > 10);
  expect(await busy.ended).toBe(10);

  const stopped = start(() => false);
  await stopped.stop();
  expect(await stopped.ended).toBeLessThan(50);
});
