import { expect, test } from 'vitest';

import { HOLD_MS, MINUTE, useLedgerBench } from '../support/ledger-bench.ts';

const bench = useLedgerBench();

test('takes what is due, counts the attempt and says what was planned', async () => {
  const fireAt = Date.now() - 1000;
  const key = await bench.armed(fireAt);
  const claimed = await bench.claimOne();
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
  expect(await bench.rows.find(key)).toMatchObject({ attempts: 1, fence: 1, state: 'PROCESSING' });
  expect(claimed.firstAttemptAt).toBeGreaterThanOrEqual(fireAt);
});

test("is never early by the caller's clock", async () => {
  const fireAt = Date.now() - 1000;
  await bench.arm(await bench.planned(fireAt), fireAt, 'a1', fireAt);
  expect(await bench.claim(10, fireAt - 1)).toEqual([]);
  expect(await bench.claim(10, fireAt)).toHaveLength(1);
});

test("is never early by the database's clock", async () => {
  const fireAt = Date.now() - 1000;
  await bench.armed(fireAt);
  await bench.rows.shiftClock(-MINUTE);
  expect(await bench.claim()).toEqual([]);
  const waitMs = await bench.ledger.nextDueInMs(Date.now());
  expect(waitMs).toBeGreaterThan(MINUTE - 5000);
  await bench.rows.shiftClock(0);
  expect(await bench.claim()).toHaveLength(1);
});

test('never gives one row to two claims at once', async () => {
  const keys = await bench.rows.addHerd(1000, Date.now() - 1000);
  const claims = await Promise.all(Array.from({ length: 10 }, () => bench.claim(200)));
  const claimed = claims.flat().map(({ key }) => key);
  expect(claimed.length).toBeGreaterThan(200);
  expect(new Set(claimed).size).toBe(claimed.length);
  const rest = await bench.claim(1000);
  expect(new Set([...claimed, ...rest.map(({ key }) => key)])).toEqual(new Set(keys));
});

test('takes those on time before those late, however long these have waited', async () => {
  const late = await bench.armed(Date.now() - 60 * MINUTE);
  const onTime = await bench.armed(Date.now() - 1000);
  expect((await bench.claim(1)).map(({ key }) => key)).toEqual([onTime]);
  expect((await bench.claim(1)).map(({ key }) => key)).toEqual([late]);
});

test('takes no more of those late than asked', async () => {
  await bench.armed(Date.now() - 60 * MINUTE);
  const onTime = await bench.armed(Date.now() - 1000);
  const claim = (lateLimit: number) =>
    bench.ledger.claim({ limit: 10, lateLimit, now: Date.now(), holdMs: HOLD_MS });
  expect(await claim(0)).toMatchObject([{ key: onTime, late: false }]);
  expect(await claim(1)).toMatchObject([{ late: true }]);
});

test('holds a row until its time is over; then any other may have it', async () => {
  const key = await bench.armed(Date.now() - 1000);
  await bench.claimOne();
  await bench.rows.shiftClock(HOLD_MS - 2000);
  expect(await bench.claim(10, Date.now() + HOLD_MS)).toEqual([]);
  await bench.rows.shiftClock(HOLD_MS + 1000);
  const [again] = await bench.claim(10, Date.now() + HOLD_MS + 1000);
  expect(again).toMatchObject({ key, fence: 2, attempt: 2 });
});

test('takes nothing while deliveries are paused, and goes on afterwards', async () => {
  await bench.armed(Date.now() - 1000);
  await bench.rows.sql('update events.destinations set paused_at = now()');
  expect(await bench.claim()).toEqual([]);
  await bench.rows.sql('update events.destinations set paused_at = null');
  expect(await bench.claim()).toHaveLength(1);
});

test('keeps the pace, all claimants together', async () => {
  await bench.rows.addHerd(100, Date.now() - 1000);
  await bench.ledger.setPace(200);
  const startedAt = performance.now();
  let claimed = 0;
  while (claimed < 100) {
    const claims = await Promise.all([bench.claim(100), bench.claim(100)]);
    claimed += claims.flat().length;
  }
  const elapsedMs = performance.now() - startedAt;
  // 100 at 200 a second, less the tenth of a second that the bucket may hold.
  expect(elapsedMs).toBeGreaterThan(390);
});

test('tells when the next row is due, and nothing when none is armed', async () => {
  expect(await bench.ledger.nextDueInMs(Date.now())).toBeNull();
  const fireAt = Date.now() + MINUTE;
  await bench.armed(fireAt);
  const waitMs = await bench.ledger.nextDueInMs(Date.now());
  expect(waitMs).toBeLessThanOrEqual(MINUTE);
  expect(waitMs).toBeGreaterThan(MINUTE - 10_000);
  expect(await bench.ledger.nextDueInMs(fireAt - 5 * MINUTE)).toBeCloseTo(5 * MINUTE, -2);
  await bench.armed(Date.now() - 1000);
  expect(await bench.ledger.nextDueInMs(Date.now())).toBe(0);
  expect(await bench.ledger.counts()).toEqual({ armed: 2, unreported: 0 });
});
