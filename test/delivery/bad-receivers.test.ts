// @module-tag long
/**
 * Receivers that answer with anything but a plain 200: the ledger's outcome, and how often they are
 * called.
 */
import { expect, test } from 'vitest';

import { page, type Answer } from './bad-answers.ts';
import { deliver } from './delivery-story.ts';
import { HOUR, useDispatcherFixture } from '../support/dispatcher-fixture.ts';
import { describeClients } from '../support/describe-clients.ts';
import { withStatus } from '../support/webhook-receiver.ts';

/** Retries: 4 times with short pauses, and here once more at the moment of giving up. */
const FIVE = 5;

describeClients(({ name: client }) => {
  const fixture = useDispatcherFixture();

  test('200 with an HTML page is a delivery', async () => {
    fixture.receiver.answer(page(200));
    expect(await deliver(fixture, { client })).toEqual({
      state: 'COMPLETED',
      reason: null,
      attempts: [
        {
          outcome: 'delivered',
          status: 200,
          errorCode: null,
          excerpt: '<html> <head><title>200</title></head> <body>nginx</body> </html>',
        },
      ],
      pauses: [],
    });
  });

  test.each([
    [400, 'give_up', 'refused'],
    [404, 'give_up', 'refused'],
    [422, 'give_up', 'refused'],
    [410, 'gone', 'gone'],
  ])('%i is called once, and given up', async (status, outcome, reason) => {
    fixture.receiver.answer(withStatus(status));
    const { attempts, ...story } = await deliver(fixture, { client });
    expect(story).toMatchObject({ state: 'FAILED', reason });
    expect(attempts).toEqual([{ outcome, status, errorCode: null, excerpt: null }]);
    expect(fixture.receiver.received).toHaveLength(1);
  });

  test('301 to itself is called once, not followed, and given up', async () => {
    fixture.receiver.answer(withStatus(301, { location: fixture.receiver.url }));
    const { attempts, ...story } = await deliver(fixture, { client });
    expect(story).toMatchObject({ state: 'FAILED', reason: 'refused' });
    expect(attempts).toMatchObject([{ outcome: 'give_up', status: 301 }]);
    expect(fixture.receiver.received).toHaveLength(1);
  });

  test.each<[string, number, Answer]>([
    ['500', 500, withStatus(500)],
    ['502 with an HTML page', 502, page(502)],
    ['503', 503, withStatus(503)],
    ['429', 429, withStatus(429)],
    ['408', 408, withStatus(408)],
    [
      '429 that may come back before the schedule does',
      429,
      withStatus(429, { 'retry-after': '0' }),
    ],
    ['429 with a Retry-After that is none', 429, withStatus(429, { 'retry-after': 'soon' })],
  ])('%s is retried after 1, 2, 4 and 10 s, until the end', async (_, status, answer) => {
    fixture.receiver.answer(answer);
    const { attempts, pauses, ...story } = await deliver(fixture, { client });
    expect(story).toEqual({ state: 'FAILED', reason: 'gave_up' });
    expect(attempts).toMatchObject(
      Array.from({ length: FIVE }, () => ({ outcome: 'retry', status })),
    );
    expect(new Set(fixture.receiver.received.map(({ id }) => id)).size).toBe(1);
    expect(fixture.receiver.received).toHaveLength(FIVE);
    for (const [index, leastMs] of [1_000, 2_000, 4_000, 10_000].entries()) {
      // Jitter is upward. Clocks are corrected by each answer of the database, also in an attempt.
      expect(pauses[index]).toBeGreaterThanOrEqual(leastMs - 200);
      expect(pauses[index]).toBeLessThanOrEqual(1.5 * leastMs + 200);
    }
  });

  test.each<[string, () => string, number]>([
    ['in seconds', () => '60', 60_000],
    ['as a date', () => new Date(Date.now() + 120_000).toUTCString(), 119_000],
    ['that asks for a day', () => '86400', HOUR],
  ])('429 is not retried sooner than its Retry-After %s', async (_, retryAfter, leastMs) => {
    let asked = 0;
    fixture.receiver.answer((response) => {
      asked += 1;
      const headers = { 'retry-after': retryAfter() };
      withStatus(asked === 1 ? 429 : 200, asked === 1 ? headers : {})(response);
    });
    const { attempts, pauses, state } = await deliver(fixture, { client });
    expect(state).toBe('COMPLETED');
    expect(attempts).toMatchObject([
      { outcome: 'retry', status: 429 },
      { outcome: 'delivered', status: 200 },
    ]);
    expect(pauses).toHaveLength(1);
    expect(pauses[0]).toBeGreaterThanOrEqual(leastMs - 1100);
    // Jitter is upward, and no more than half.
    expect(pauses[0]).toBeLessThanOrEqual((leastMs + 1100) * 1.5);
  });
});
