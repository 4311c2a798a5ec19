import { describe, expect, test } from 'vitest';

import type { Backpressure } from '../../src/delivery/backpressure/backpressure.ts';
import { createDeliveryControl } from '../../src/ledger/delivery-control.ts';
import { HOUR, LATE_AFTER_MS, SECOND, useLedgerFixture } from './ledger-fixture.ts';

const fixture = useLedgerFixture();

const STOP: Backpressure = { asks: 'stop', retryAfterMs: null };
const less = (perSecond: number): Backpressure => ({ asks: 'less', perSecond });

const control = () =>
  createDeliveryControl(fixture.database.orm, {
    lateAfterMs: LATE_AFTER_MS,
    lateLimitMs: 48 * HOUR,
  });

/** The database's clock stands still at this instant. */
async function freezeClock(at: number): Promise<void> {
  await fixture.rows.sql(`create or replace function events.clock() returns timestamptz
    language sql volatile as 'select to_timestamp(${at / 1000}::float8)'`);
}

describe('a destination that asks to slow down', () => {
  test('gets nothing while it is stopped, then one at a time', async () => {
    const now = Date.now();
    await freezeClock(now);
    await fixture.rows.addHerd(100, now - 1000);
    await fixture.ledger.applyThrottle(STOP);
    expect(await fixture.ledger.isHeld()).toBe(true);
    const claim = () => fixture.claimed(100, { now: now + HOUR });
    await freezeClock(now + 990);
    expect(await claim()).toEqual([]);
    await freezeClock(now + 1010);
    expect(await fixture.ledger.isHeld()).toBe(false);
    expect(await claim()).toHaveLength(1);
    expect(await claim()).toEqual([]);
    await freezeClock(now + 2010);
    expect(await claim()).toHaveLength(1);
  });

  test.each([
    [
      'stopped',
      "slowed_until = now() + interval '1 hour', slowed_ends_at = now() + interval '1 day'",
    ],
    ['paused', 'paused_at = now()'],
  ])('gets nothing from a claim that began before it was %s', async (_, change) => {
    await fixture.planned(Date.now() - 1000);
    await fixture.ledger.setRateLimit(1000);
    let claiming: ReturnType<typeof fixture.claimed> | undefined;
    await fixture.database.orm.em.fork().transactional(async (em) => {
      await em.execute("select 1 from events.destinations where id = 'default' for update");
      claiming = fixture.claimed();
      const waiting = `select 1 from pg_stat_activity
        where wait_event_type = 'Lock' and datname = current_database()`;
      await expect.poll(() => fixture.rows.sql(waiting)).toHaveLength(1);
      await em.execute(`update events.destinations set ${change} where id = 'default'`);
    });
    expect(await claiming).toEqual([]);
  });

  test('uses up no attempts of those that wait', async () => {
    const now = Date.now();
    await freezeClock(now);
    const key = await fixture.planned(now - 1000);
    await fixture.ledger.applyThrottle(STOP);
    expect(await fixture.claimed()).toEqual([]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'PENDING',
      attempts: 0,
      leaseToken: 0,
    });
    await freezeClock(now + 2000);
    expect(await fixture.claimed(10, { now: now + HOUR })).toMatchObject([{ key, attempt: 1 }]);
  });

  test('is slowed once by several processes that see the same', async () => {
    await freezeClock(Date.now());
    const applied = await Promise.all([1, 2, 3, 4].map(() => fixture.ledger.applyThrottle(STOP)));
    expect(applied.filter(({ changed }) => changed)).toHaveLength(1);
    expect(applied.map(({ slowDown }) => slowDown?.stops)).toEqual([1, 1, 1, 1]);
  });

  test('is slowed for processes that start later too, since that is in the database', async () => {
    await freezeClock(Date.now());
    await fixture.ledger.applyThrottle(less(1000));
    const { slowDown } = await control().findDestination();
    expect(slowDown?.perSecond).toBe(500);
    expect(await fixture.ledger.isHeld()).toBe(true);
  });

  test('gets as many as the slowed rate allows, from all processes together', async () => {
    const now = Date.now();
    await freezeClock(now);
    await fixture.rows.addHerd(200, now - 1000);
    await fixture.ledger.applyThrottle(less(200));
    const claim = () => fixture.claimed(100, { now: now + HOUR });
    await freezeClock(now + 600);
    const claims = await Promise.all([claim(), claim(), claim()]);
    // 100 a second: no more than a tenth of a second's worth is saved up.
    expect(claims.flat().length).toBeLessThanOrEqual(11);
    expect(claims.flat().length).toBeGreaterThanOrEqual(9);
  });

  test('never gets more than the configured rate limit', async () => {
    const now = Date.now();
    await freezeClock(now);
    await fixture.ledger.setRateLimit(10);
    await fixture.rows.addHerd(100, now - 1000);
    await fixture.ledger.applyThrottle(less(5000));
    await freezeClock(now + 600);
    const claimed = await fixture.claimed(100, { now: now + HOUR });
    expect(claimed.length).toBeLessThanOrEqual(1);
  });

  test('recovers by serving, until nothing limits it', async () => {
    const now = Date.now();
    await freezeClock(now);
    await fixture.ledger.applyThrottle(STOP);
    let seconds = 0;
    for (; (await control().findDestination()).slowDown !== null; seconds += 1) {
      await freezeClock(now + 1000 + seconds * 1000);
      await fixture.ledger.applyThrottle({ asks: 'more' });
    }
    expect(seconds).toBeLessThan(20);
    await fixture.rows.addHerd(500, now - 1000);
    const claimed = await fixture.claimed(500, { now: now + HOUR });
    expect(claimed).toHaveLength(500);
  });

  test('is not slowed forever if there are no more responses', async () => {
    await fixture.ledger.applyThrottle(STOP);
    await fixture.rows.addHerd(500, Date.now() - 1000);
    await fixture.setClocks(62 * SECOND);
    expect(await fixture.claimed(1000)).toHaveLength(500);
    expect((await control().findDestination()).slowDown).toBeNull();
    const { slowDown } = await fixture.ledger.applyThrottle(STOP);
    expect(slowDown?.stops).toBe(1);
  });

  test('is left alone as long as it serves', async () => {
    const version = 'select xmin::text as version from events.destinations';
    const before = await fixture.rows.sql(version);
    expect(await fixture.ledger.applyThrottle({ asks: 'more' })).toEqual({
      changed: false,
      slowDown: null,
    });
    expect(await fixture.rows.sql(version)).toEqual(before);
  });
});
