import { randomUUID } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { createReportQueue } from '../../src/persistence/report-queue.ts';
import { attemptOf, HOLD_MS, MINUTE } from '../support/ledger-fixture.ts';
import { useRedeliveryFixture } from '../support/redelivery-fixture.ts';

const HOUR = 60 * MINUTE;

const redelivery = useRedeliveryFixture();
const {
  ledger: fixture,
  begin,
  awaitOutcome,
  settled,
  begun,
  failed,
  fail,
  redeliveriesOf,
} = redelivery;

test('is due now, behind those on time, with its attempts counted on and a give-up clock of its own', async () => {
  const fireAt = Date.now() - 100 * HOUR;
  const { key } = await failed(fireAt);
  await fixture.rows.sql(`update events.occurrences set attempts = 4, retry_at = fire_at`);
  const onTime = await fixture.armed(Date.now() - 100);
  const before = Date.now();

  expect(await begin(key)).toEqual({ kind: 'begun' });

  const [first, second] = await fixture.claim();
  expect(first).toMatchObject({ key: onTime, redelivered: false });
  expect(second).toMatchObject({
    key,
    redelivered: true,
    late: true,
    fireAt,
    attempt: 5,
    armedAttempt: 1,
    earlierAttempts: 4,
  });
  expect(second?.firstAttemptAt).toBeGreaterThanOrEqual(before);
  expect(await fixture.rows.find(key)).toMatchObject({ reason: null, retryAt: null });
});

test.each(['FAILED', 'SKIPPED'])('%s is PROCESSING', async (state) => {
  const key = await settled(state);
  expect(await begin(key)).toEqual({ kind: 'begun' });
  expect(await fixture.rows.find(key)).toMatchObject({ state: 'PROCESSING', lane: 1 });
});

test.each([
  ['PENDING', 'live'],
  ['PROCESSING', 'live'],
  ['COMPLETED', 'delivered'],
])('%s is left as it is', async (state, reason) => {
  const key = await settled(state);
  const before = await fixture.rows.find(key);
  expect(await begin(key)).toEqual({ kind: 'refused', reason });
  expect(await fixture.rows.find(key)).toEqual(before);
});

test('not without a user, an instant or a row', async () => {
  const orphan = await fixture.rows.addOccurrence(randomUUID(), { state: 'FAILED' });
  const unplanned = await settled('SKIPPED');
  await fixture.rows.sql('update events.occurrences set fire_at = null where key = ?', [unplanned]);
  expect(await begin(orphan)).toEqual({ kind: 'refused', reason: 'user_deleted' });
  expect(await begin(unplanned)).toEqual({ kind: 'refused', reason: 'no_instant' });
  expect(await begin('birthday:nobody:2026')).toEqual({ kind: 'refused', reason: 'unknown' });
  expect(await fixture.rows.find(orphan)).toMatchObject({ state: 'FAILED' });
});

test('of many that begin at once, one does', async () => {
  const key = await settled('FAILED');
  const begun = await Promise.all(
    Array.from({ length: 8 }, () =>
      redelivery.redelivery.begin(
        { occurrenceKey: key, redeliveryId: randomUUID(), force: false },
        Date.now(),
      ),
    ),
  );
  expect(begun.filter((won) => won)).toHaveLength(1);
  expect(await redeliveriesOf(key)).toMatchObject({ redeliveries: 1 });
});

test('begins once for its id, also when it is asked again after the end; another may follow', async () => {
  const key = await settled('FAILED');
  const id = randomUUID();
  await begin(key, { id });
  expect(await begin(key, { id })).toEqual({ kind: 'begun' });
  await fail(await fixture.claimOne());
  expect(await begin(key, { id })).toEqual({ kind: 'begun' });
  expect(await fixture.rows.find(key)).toMatchObject({ state: 'FAILED', reason: 'refused' });

  expect(await begin(key)).toEqual({ kind: 'begun' });
  expect(await fixture.rows.find(key)).toMatchObject({ state: 'PROCESSING' });
  expect(await redeliveriesOf(key)).toMatchObject({ redeliveries: 2, earlier: 1 });
});

test('waits until what came of it before has been told', async () => {
  const queue = createReportQueue(fixture.database.orm);
  const { key } = await failed(Date.now() - 1000, { isReported: false });

  expect(await begin(key)).toEqual({ kind: 'not_yet' });
  expect(await fixture.rows.find(key)).toMatchObject({ state: 'FAILED', report: 'failed' });

  await queue.markReported(await queue.take(10, HOLD_MS));
  expect(await begin(key)).toEqual({ kind: 'begun' });
});

test('one whose workflow was ended by hand is taken over by the next, and goes on where it was', async () => {
  const key = await settled('FAILED');
  await begin(key, { id: randomUUID() });
  const next = randomUUID();

  expect(await begin(key, { id: next })).toEqual({ kind: 'begun' });

  expect(await redeliveriesOf(key)).toEqual({ id: next, redeliveries: 1, earlier: 0 });
});

describe('its outcome', () => {
  test('is reported to whoever awaits it, and a delivery is COMPLETED', async () => {
    const { key, id } = await begun();
    expect(await awaitOutcome(key, id, 'b2')).toEqual({ kind: 'armed' });
    const claimed = await fixture.claimOne();
    await fixture.ledger.record([
      attemptOf(claimed, { kind: 'delivered', at: claimed.fireAt + 7 }),
    ]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'COMPLETED',
      latenessMs: 7,
      report: 'delivered',
      token: 'b2',
    });
    expect(await awaitOutcome(key, id)).toEqual({ kind: 'settled', outcome: 'delivered' });
  });

  test('given up, it is FAILED again, with the reason', async () => {
    const { key, id } = await begun();
    await awaitOutcome(key, id);
    await fail(await fixture.claimOne());
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'FAILED',
      reason: 'refused',
      report: 'failed',
    });
    expect(await awaitOutcome(key, id)).toEqual({ kind: 'settled', outcome: 'failed' });
  });

  test('without a user, it is SKIPPED', async () => {
    const { key, id } = await begun();
    const { fence } = await fixture.claimOne();
    await fixture.ledger.release([{ key, fence, because: 'user_deleted' }]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'SKIPPED',
      reason: 'user_deleted',
    });
    expect(await awaitOutcome(key, id)).toEqual({ kind: 'settled', outcome: 'skipped' });
  });

  test('when the burst is over, the next one comes no sooner than it was to', async () => {
    const { key, id } = await begun();
    await awaitOutcome(key, id);
    const at = Date.now() + MINUTE;
    await fixture.ledger.record([attemptOf(await fixture.claimOne(), { kind: 'retry', at })]);
    expect(await fixture.rows.find(key)).toMatchObject({ nextAttemptAt: null, report: 'retry' });

    expect(await awaitOutcome(key, id, 'b2')).toEqual({ kind: 'armed' });

    expect(await fixture.rows.find(key)).toMatchObject({
      nextAttemptAt: at,
      armedAttempts: 0,
      report: null,
      token: 'b2',
    });
  });

  test('to await it leaves a row on the wire, and one that waits for its next attempt, as they are', async () => {
    const { key, id } = await begun();
    const claimed = await fixture.claimOne();
    const onTheWire = await fixture.rows.find(key);
    await awaitOutcome(key, id, 'b2');
    expect(await fixture.rows.find(key)).toEqual({ ...onTheWire, token: 'b2' });

    const at = Date.now() + 2000;
    await fixture.ledger.record([attemptOf(claimed, { kind: 'again', at })]);
    await awaitOutcome(key, id, 'b3');
    expect(await fixture.rows.find(key)).toMatchObject({ nextAttemptAt: at, armedAttempts: 1 });
  });

  test('is not for one that has been taken over', async () => {
    const { key, id } = await begun();
    await begin(key, { id: randomUUID() });
    expect(await awaitOutcome(key, id)).toEqual({ kind: 'released' });
  });
});
