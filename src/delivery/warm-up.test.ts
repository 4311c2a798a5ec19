import { pino } from 'pino';
import { expect, test } from 'vitest';

import { createAttempt } from './attempt.ts';
import { startWarmUp } from './warm-up.ts';
import { createWebhookClient } from './webhook-client.ts';

const HOUR = 3_600_000;

/** A warm-up by the real client; `outcomes` are those of its attempts. */
function start(isBusy: (sent: number) => boolean) {
  const outcomes: string[] = [];
  const warmUp = startWarmUp({
    createAttempt(url) {
      const client = createWebhookClient({
        url,
        timeoutMs: 5_000,
        maxSockets: 4,
        userAgent: 'Daybell',
        allowPrivate: true,
      });
      const attempt = createAttempt({
        client,
        sentBy: 'dispatcher',
        clock: Date.now,
        settings: { lateAfterMs: HOUR, giveUpAfterMs: HOUR },
        logger: pino({ level: 'silent' }),
      });
      return {
        async attempt(claimed, recipient) {
          const recorded = await attempt(claimed, recipient);
          outcomes.push(recorded.outcome);
          return recorded;
        },
        close: client.close,
      };
    },
    isBusy: () => isBusy(outcomes.length),
    logger: pino({ level: 'silent' }),
  });
  return { warmUp, outcomes };
}

test('greets a receiver of its own, which takes every greeting', async () => {
  const { warmUp, outcomes } = start(() => false);
  await warmUp.ended;
  expect(outcomes.length).toBeGreaterThanOrEqual(1_000);
  expect(new Set(outcomes)).toEqual(new Set(['delivered']));
});

test('is over as soon as there is real work, or the process stops', async () => {
  const busy = start((sent) => sent >= 10);
  await busy.warmUp.ended;
  expect(busy.outcomes.length).toBeLessThan(50);

  const stopped = start(() => false);
  await stopped.warmUp.stop();
  expect(stopped.outcomes.length).toBeLessThan(50);
});
