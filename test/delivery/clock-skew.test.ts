// @module-tag long
/**
 * Processes whose clocks are off, and a receiver that verifies signatures according to Standard
 * Webhooks.
 */
import { Webhook } from 'standardwebhooks';
import { beforeEach, expect, test } from 'vitest';

import { useDeliverFixture } from './deliver-fixture.ts';
import { HOUR, WITHIN } from '../support/dispatcher-fixture.ts';
import { valueOf } from '../support/metrics.ts';
import type { TestDispatcher } from '../support/test-dispatcher.ts';

const fixture = useDeliverFixture();
const { base } = fixture;

const MINUTE = 60_000;
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const secrets = [SECRET];

const off = (byMs: number) => () => Date.now() + byMs;

/** Refuses unsigned requests, and those not within five minutes of the correct time. */
beforeEach(() => {
  const webhook = new Webhook(SECRET);
  base.receiver.answer((response, { rawBody, headers }) => {
    try {
      webhook.verify(rawBody, headers as Record<string, string>);
      response.end();
    } catch {
      response.writeHead(401).end();
    }
  });
});

const alarms = ({ logged }: TestDispatcher) => logged.filter(({ alarm }) => alarm === 'clock-skew');
const stamps = () => base.rows.sql('select 1 from events.dispatchers');

test.each([6 * MINUTE, -6 * MINUTE, 49 * HOUR])(
  'a dispatcher that is %i ms off sends nothing, says so, and does not count as alive',
  async (byMs) => {
    const keys = await fixture.dueHerd(20, Date.now() - 10 * MINUTE);
    const dispatcher = await base.dispatch({ clock: off(byMs), secrets });
    await expect.poll(() => alarms(dispatcher), WITHIN).toHaveLength(1);
    expect(alarms(dispatcher)).toMatchObject([{ level: 50 }]);
    const page = await dispatcher.metrics.metrics();
    expect(valueOf(page, 'daybell_clock_skewed')).toBe(1);
    expect(Math.round(valueOf(page, 'daybell_clock_offset_seconds') ?? 0)).toBe(-byMs / 1_000);

    // The one with the correct clock sends everything.
    const worker = await fixture.work({ secrets });
    for (const key of keys) await worker.deliver(key);
    expect(await stamps()).toEqual([]);
    expect(await base.countIn('COMPLETED')).toBe(20);
    expect(await fixture.sentBy()).toEqual({ workflow: 20 });
    expect(base.receiver.received).toHaveLength(20);
  },
);

test.each([3 * MINUTE, -3 * MINUTE])(
  'a dispatcher that is %i ms off signs and records with the correct time, and nothing is refused',
  async (byMs) => {
    const dueAt = Date.now() - 10 * MINUTE;
    await fixture.dueHerd(20, dueAt);
    const dispatcher = await base.dispatch({ clock: off(byMs), secrets });
    await expect.poll(() => base.countIn('COMPLETED'), WITHIN).toBe(20);
    expect(alarms(dispatcher)).toEqual([]);
    const [row] = await base.rows.sql<{ least: number; most: number }>(
      'select min(lateness_ms)::float8 as least, max(lateness_ms)::float8 as most from events.occurrences',
    );
    expect(row?.least).toBeGreaterThanOrEqual(10 * MINUTE - 1_000);
    expect(row?.most).toBeLessThanOrEqual(Date.now() - dueAt + 1_000);
  },
);

test('a clock that is corrected while the dispatcher runs is noticed', async () => {
  let byMs = 6 * MINUTE;
  const dispatcher = await base.dispatch({ clock: () => Date.now() + byMs, secrets });
  await expect.poll(() => alarms(dispatcher), WITHIN).toHaveLength(1);
  await fixture.dueHerd(5, Date.now() - 1_000);
  byMs = 0;
  await expect.poll(() => base.countIn('COMPLETED'), WITHIN).toBe(5);
  expect(await stamps()).toHaveLength(1);
});

test('a clock that jumps while a herd is sent has nothing refused, and another process sends the rest', async () => {
  let byMs = 0;
  const { receiver } = base;
  const webhook = new Webhook(SECRET);
  let refused = 0;
  receiver.answer((response, { rawBody, headers }) => {
    if (receiver.received.length === 100) byMs = -10 * MINUTE;
    try {
      webhook.verify(rawBody, headers as Record<string, string>);
      setTimeout(() => response.end(), 5);
    } catch {
      refused += 1;
      response.writeHead(401).end();
    }
  });
  await fixture.dueHerd(400, Date.now() - 20 * MINUTE);
  const dispatcher = await base.dispatch({ clock: () => Date.now() + byMs, secrets });
  await expect.poll(() => alarms(dispatcher), WITHIN).toHaveLength(1);
  await base.dispatch({ secrets });
  await expect.poll(() => base.countIn('COMPLETED'), WITHIN).toBe(400);
  expect(refused).toBe(0);
  expect(receiver.received).toHaveLength(400);
});

test('a worker whose clock is 6 minutes off sends nothing, and says why', async () => {
  const key = await fixture.due(Date.now() - 1_000);
  const refusal = await (await fixture.work({ clock: off(6 * MINUTE), secrets })).refusal(key);
  expect(refusal.message).toBe("this worker's clock is too far off the database's");
  expect(base.receiver.received).toEqual([]);
  await (await fixture.work({ clock: off(3 * MINUTE), secrets })).deliver(key);
  expect(await base.stateOf(key)).toBe('COMPLETED');
});
