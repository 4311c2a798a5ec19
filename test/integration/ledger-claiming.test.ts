import { expect, test } from 'vitest';

import { HOLD_MS, MINUTE, useLedgerFixture } from '../support/ledger-fixture.ts';

const fixture = useLedgerFixture();

test('takes what is due, counts the attempt and says what was planned', async () => {
  const fireAt = Date.now() - 1000;
  const key = await fixture.armed(fireAt);
  const claimed = await fixture.claimOne();
  expect(claimed).toMatchObject({
    key,
    fence: 1,
    attempt: 1,
    armedAttempt: 1,
    fireAt,
    eventType: 'birthday',
    year: 2026,
    anchorDate: '1990-05-20',
    timezone: 'Europe/Berlin',
    localDate: '2026-05-20',
  });
  expect(await fixture.rows.find(key)).toMatchObject({
    attempts: 1,
    fence: 1,
    state: 'PROCESSING',
  });
  expect(claimed.firstAttemptAt).toBeGreaterThanOrEqual(fireAt);
});

test("is never early by the caller's clock", async () => {
  const fireAt = Date.now() - 1000;
  await fixture.arm(await fixture.planned(fireAt), fireAt, 'a1', fireAt);
  expect(await fixture.claim(10, fireAt - 1)).toEqual([]);
  expect(await fixture.claim(10, fireAt)).toHaveLength(1);
});

test("is never early by the database's clock", async () => {
  const fireAt = Date.now() - 1000;
  await fixture.armed(fireAt);
  await fixture.rows.shiftClock(-MINUTE);
  expect(await fixture.claim()).toEqual([]);
  const waitMs = await fixture.ledger.nextDueInMs(Date.now());
  expect(waitMs).toBeGreaterThan(MINUTE - 5000);
  await fixture.rows.shiftClock(0);
  expect(await fixture.claim()).toHaveLength(1);
});

test('never gives one row to two claims at once', async () => {
  const keys = await fixture.rows.addHerd(1000, Date.now() - 1000);
  const claims = await Promise.all(Array.from({ length: 10 }, () => fixture.claim(200)));
  const claimed = claims.flat().map(({ key }) => key);
  expect(claimed.length).toBeGreaterThan(200);
  expect(new Set(claimed).size).toBe(claimed.length);
  const rest = await fixture.claim(1000);
  expect(new Set([...claimed, ...rest.map(({ key }) => key)])).toEqual(new Set(keys));
});

test('takes those on time before those late, however long these have waited', async () => {
  const late = await fixture.armed(Date.now() - 60 * MINUTE);
  const onTime = await fixture.armed(Date.now() - 1000);
  expect((await fixture.claim(1)).map(({ key }) => key)).toEqual([onTime]);
  expect((await fixture.claim(1)).map(({ key }) => key)).toEqual([late]);
});

test('takes no more of those late than asked', async () => {
  await fixture.armed(Date.now() - 60 * MINUTE);
  const onTime = await fixture.armed(Date.now() - 1000);
  const claim = (lateLimit: number) =>
    fixture.ledger.claim({ limit: 10, lateLimit, now: Date.now(), holdMs: HOLD_MS });
  expect(await claim(0)).toMatchObject([{ key: onTime, late: false }]);
  expect(await claim(1)).toMatchObject([{ late: true }]);
});

test('holds a row until its time is over; then any other may have it', async () => {
  const key = await fixture.armed(Date.now() - 1000);
  await fixture.claimOne();
  await fixture.rows.shiftClock(HOLD_MS - 2000);
  expect(await fixture.claim(10, Date.now() + HOLD_MS)).toEqual([]);
  await fixture.rows.shiftClock(HOLD_MS + 1000);
  const [again] = await fixture.claim(10, Date.now() + HOLD_MS + 1000);
  expect(again).toMatchObject({ key, fence: 2, attempt: 2 });
});

test('takes nothing while deliveries are paused, and goes on afterwards', async () => {
  await fixture.armed(Date.now() - 1000);
  await fixture.rows.sql('update events.destinations set paused_at = now()');
  expect(await fixture.claim()).toEqual([]);
  await fixture.rows.sql('update events.destinations set paused_at = null');
  expect(await fixture.claim()).toHaveLength(1);
});

test('keeps the pace, all claimants together', async () => {
  await fixture.rows.addHerd(100, Date.now() - 1000);
  await fixture.ledger.setPace(200);
  const startedAt = performance.now();
  let claimed = 0;
  while (claimed < 100) {
    const claims = await Promise.all([fixture.claim(100), fixture.claim(100)]);
    claimed += claims.flat().length;
  }
  const elapsedMs = performance.now() - startedAt;
  // 100 at 200 a second, less the tenth of a second that the bucket may hold.
  expect(elapsedMs).toBeGreaterThan(390);
});

test('tells when the next row is due, and nothing when none is armed', async () => {
  expect(await fixture.ledger.nextDueInMs(Date.now())).toBeNull();
  const fireAt = Date.now() + MINUTE;
  await fixture.armed(fireAt);
  const waitMs = await fixture.ledger.nextDueInMs(Date.now());
  expect(waitMs).toBeLessThanOrEqual(MINUTE);
  expect(waitMs).toBeGreaterThan(MINUTE - 10_000);
  expect(await fixture.ledger.nextDueInMs(fireAt - 5 * MINUTE)).toBeCloseTo(5 * MINUTE, -2);
  await fixture.armed(Date.now() - 1000);
  expect(await fixture.ledger.nextDueInMs(Date.now())).toBe(0);
  expect(await fixture.ledger.counts()).toEqual({ armed: 2, unreported: 0 });
});
