import { describe, expect, test } from 'vitest';

import { createDeliveryControl } from '../../src/persistence/delivery-control.ts';
import type { Demand } from '../../src/domain/destination-demand.ts';
import { HOLD_MS, MINUTE, useLedgerFixture } from '../support/ledger-fixture.ts';

const fixture = useLedgerFixture();

const STOP: Demand = { asks: 'stop', retryAfterMs: null };
const HOUR = 60 * MINUTE;

const less = (perSecond: number): Demand => ({ asks: 'less', perSecond });

const control = () =>
  createDeliveryControl(fixture.database.orm, { lateLimitMs: 48 * HOUR, lateAfterMs: 5 * MINUTE });

/** Claims as a dispatcher does when the database's clock has been moved by so much. */
async function claimAt(shiftMs: number, limit = 1000) {
  await fixture.rows.shiftClock(shiftMs);
  return fixture.ledger.claim({ limit, now: Date.now() + shiftMs, holdMs: HOLD_MS });
}

/** The database's clock stands still at this instant. */
async function freezeClock(at: number): Promise<void> {
  await fixture.rows.sql(`create or replace function events.clock() returns timestamptz
    language sql volatile as 'select to_timestamp(${at / 1000}::float8)'`);
}

describe('a destination that asks for less', () => {
  test('gets nothing while it is stopped, then one at a time', async () => {
    const now = Date.now();
    await freezeClock(now);
    await fixture.rows.addHerd(100, now - 1000);
    await fixture.ledger.heed(STOP);
    expect(await fixture.ledger.isHeld()).toBe(true);
    const claim = () => fixture.ledger.claim({ limit: 100, now: now + HOUR, holdMs: HOLD_MS });
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
    await fixture.armed(Date.now() - 1000);
    await fixture.ledger.setPace(1000);
    let claiming: ReturnType<typeof fixture.claim> | undefined;
    await fixture.database.orm.em.fork().transactional(async (em) => {
      await em.execute("select 1 from events.destinations where id = 'default' for update");
      claiming = fixture.claim();
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
    const key = await fixture.armed(now - 1000);
    await fixture.ledger.heed(STOP);
    expect(await fixture.claim()).toEqual([]);
    expect(await fixture.rows.find(key)).toMatchObject({
      attempts: 0,
      fence: 0,
      sendingUntil: null,
    });
    await freezeClock(now + 2000);
    expect(await fixture.claim(10, now + HOUR)).toMatchObject([{ key, attempt: 1 }]);
  });

  test('two dispatchers that hear the same are one slow-down', async () => {
    await freezeClock(Date.now());
    const heeded = await Promise.all([1, 2, 3, 4].map(() => fixture.ledger.heed(STOP)));
    expect(heeded.filter(({ changed }) => changed)).toHaveLength(1);
    expect(heeded.map(({ slowDown }) => slowDown?.stops)).toEqual([1, 1, 1, 1]);
  });

  test('is slowed for whoever comes later: it is in the database', async () => {
    await freezeClock(Date.now());
    await fixture.ledger.heed(less(1000));
    const { slowDown } = await control().findDestination();
    expect(slowDown?.perSecond).toBe(500);
    expect(await fixture.ledger.isHeld()).toBe(true);
  });

  test('gets as many as it is slowed to, all dispatchers together', async () => {
    const now = Date.now();
    await freezeClock(now);
    await fixture.rows.addHerd(200, now - 1000);
    await fixture.ledger.heed(less(200));
    const claim = () => fixture.ledger.claim({ limit: 100, now: now + HOUR, holdMs: HOLD_MS });
    await freezeClock(now + 600);
    const claims = await Promise.all([claim(), claim(), claim()]);
    // 100 a second: a tenth of a second's worth is all that is saved up.
    expect(claims.flat().length).toBeLessThanOrEqual(11);
    expect(claims.flat().length).toBeGreaterThanOrEqual(9);
  });

  test('never gets more than the configured pace', async () => {
    const now = Date.now();
    await freezeClock(now);
    await fixture.ledger.setPace(10);
    await fixture.rows.addHerd(100, now - 1000);
    await fixture.ledger.heed(less(5000));
    await freezeClock(now + 600);
    const claimed = await fixture.ledger.claim({ limit: 100, now: now + HOUR, holdMs: HOLD_MS });
    expect(claimed.length).toBeLessThanOrEqual(1);
  });

  test('recovers by serving, until nothing limits it', async () => {
    const now = Date.now();
    await freezeClock(now);
    await fixture.ledger.heed(STOP);
    let seconds = 0;
    for (; (await control().findDestination()).slowDown !== null; seconds += 1) {
      await freezeClock(now + 1000 + seconds * 1000);
      await fixture.ledger.heed({ asks: 'more' });
    }
    expect(seconds).toBeLessThan(20);
    await fixture.rows.addHerd(500, now - 1000);
    const claimed = await fixture.ledger.claim({ limit: 500, now: now + HOUR, holdMs: HOLD_MS });
    expect(claimed).toHaveLength(500);
  });

  test('is not slowed for ever when nothing more is heard', async () => {
    await fixture.ledger.heed(STOP);
    await fixture.rows.addHerd(500, Date.now() - 1000);
    expect(await claimAt(62_000)).toHaveLength(500);
    expect((await control().findDestination()).slowDown).toBeNull();
    const { slowDown } = await fixture.ledger.heed(STOP);
    expect(slowDown?.stops).toBe(1);
  });

  test('is left alone as long as it serves', async () => {
    const version = 'select xmin::text as version from events.destinations';
    const before = await fixture.rows.sql(version);
    expect(await fixture.ledger.heed({ asks: 'more' })).toEqual({ changed: false, slowDown: null });
    expect(await fixture.rows.sql(version)).toEqual(before);
  });
});

describe('a pause', () => {
  test('keeps its first instant, and the last reason', async () => {
    await control().pause('maintenance');
    const { pausedAt } = await control().findDestination();
    await fixture.rows.shiftClock(MINUTE);
    await control().pause(null);
    expect(await control().findDestination()).toEqual({
      pausedAt,
      pauseReason: 'maintenance',
      slowDown: null,
    });
    await control().pause('still maintenance');
    expect(await control().findDestination()).toMatchObject({
      pausedAt,
      pauseReason: 'still maintenance',
    });
  });

  test('ends with everything as before; resumed twice is resumed', async () => {
    await fixture.armed(Date.now() - 1000);
    await control().pause('maintenance');
    await control().resume();
    await control().resume();
    expect(await control().findDestination()).toEqual({
      pausedAt: null,
      pauseReason: null,
      slowDown: null,
    });
    expect(await fixture.claim()).toHaveLength(1);
  });

  test('resuming ends a slow-down too', async () => {
    await fixture.armed(Date.now() - 1000);
    await fixture.ledger.heed({ asks: 'stop', retryAfterMs: HOUR });
    await control().resume();
    expect(await fixture.claim()).toHaveLength(1);
  });

  test('counts what waits, and says what is too late for a first attempt, and what will be', async () => {
    const now = Date.now();
    await fixture.armed(now - 49 * HOUR);
    await fixture.armed(now - 47 * HOUR);
    await fixture.armed(now - MINUTE);
    await fixture.armed(now + HOUR);
    const attempted = await fixture.armed(now - 49 * HOUR - 1);
    await fixture.rows.sql('update events.occurrences set attempts = 1 where key = ?', [attempted]);
    await control().pause(null);
    const { firstTooLateAt, ...counts } = await control().countWaiting();
    expect(counts).toEqual({ due: 4, toCome: 1, sending: 0, tooLate: 1 });
    expect(firstTooLateAt).toBeCloseTo(now + HOUR, -1);
  });

  test('counts what is being sent apart, and nothing when nothing is armed', async () => {
    expect(await control().countWaiting()).toEqual({
      due: 0,
      toCome: 0,
      sending: 0,
      tooLate: 0,
      firstTooLateAt: null,
    });
    await fixture.armed(Date.now() - MINUTE);
    await fixture.claimOne();
    expect(await control().countWaiting()).toMatchObject({ due: 0, toCome: 0, sending: 1 });
  });

  test('what has waited until it is late goes behind what is on time', async () => {
    await control().pause(null);
    const waited = await fixture.armed(Date.now() - MINUTE);
    await fixture.rows.shiftClock(10 * MINUTE);
    const onTime = await fixture.armed(Date.now() + 9 * MINUTE);
    await control().resume();
    const claim = () => fixture.claim(1, Date.now() + 10 * MINUTE);
    expect(await claim()).toMatchObject([{ key: onTime, late: false }]);
    expect(await claim()).toMatchObject([{ key: waited, late: true }]);
  });

  test('what waits out a long stop goes behind what is on time, too', async () => {
    const waited = await fixture.armed(Date.now() - MINUTE);
    await fixture.rows.shiftClock(10 * MINUTE);
    await fixture.ledger.heed(STOP);
    expect((await fixture.rows.find(waited)).lane).toBe(1);
  });

  test('longer than the backstop of the open activity does no harm: it is armed again as it was', async () => {
    const fireAt = Date.now() - MINUTE;
    const key = await fixture.armed(fireAt);
    await control().pause(null);
    const before = await fixture.rows.find(key);
    await fixture.rows.shiftClock(7 * HOUR);
    expect(await fixture.arm(key, fireAt, 'b2', Date.now() + 7 * HOUR)).toEqual({ kind: 'armed' });
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'PROCESSING',
      fireAt: before.fireAt,
      attempts: 0,
      firstAttemptAt: null,
      fence: before.fence,
      report: null,
      token: 'b2',
    });
    expect(await fixture.claim(10, Date.now() + 7 * HOUR)).toEqual([]);
    await control().resume();
    const [claimed] = await fixture.claim(10, Date.now() + 7 * HOUR);
    expect(claimed).toMatchObject({ key, attempt: 1, fireAt });
  });
});
