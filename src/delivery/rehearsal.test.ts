import { pino } from 'pino';
import { expect, test } from 'vitest';

import { createAttempt } from './attempt.ts';
import { startRehearsal } from './rehearsal.ts';
import { createWebhookClient } from './webhook-client.ts';

const HOUR = 3_600_000;

/** A rehearsal by the real client; `outcomes` are those of its attempts. */
function rehearse(isBusy: (sent: number) => boolean) {
  const outcomes: string[] = [];
  const rehearsal = startRehearsal({
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
  return { rehearsal, outcomes };
}

test('greets a receiver of its own, which takes every greeting', async () => {
  const { rehearsal, outcomes } = rehearse(() => false);
  await rehearsal.ended;
  expect(outcomes.length).toBeGreaterThanOrEqual(1_000);
  expect(new Set(outcomes)).toEqual(new Set(['delivered']));
});

test('is over as soon as there is real work, or the process stops', async () => {
  const busy = rehearse((sent) => sent >= 10);
  await busy.rehearsal.ended;
  expect(busy.outcomes.length).toBeLessThan(50);

  const stopped = rehearse(() => false);
  await stopped.rehearsal.stop();
  expect(stopped.outcomes.length).toBeLessThan(50);
});
