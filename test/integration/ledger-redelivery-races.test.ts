import { randomUUID } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { attemptOf, HOLD_MS, MINUTE } from '../support/ledger-fixture.ts';
import { useRedeliveryFixture } from '../support/redelivery-fixture.ts';

const HOUR = 60 * MINUTE;

const redelivery = useRedeliveryFixture();
const { ledger: fixture, begin, awaitOutcome, settled, begun, failed, fail } = redelivery;
const { delivered, forcedOf } = redelivery;

describe('by force', () => {
  test('one that was delivered is sent again, and the row keeps when that was', async () => {
    const { key, deliveredAt } = await delivered();
    const before = Date.now();
    expect(await begin(key, { force: true })).toEqual({ kind: 'begun' });
    const claimed = await fixture.claimOne();
    expect(claimed).toMatchObject({ key, attempt: 2 });
    await fixture.ledger.record([attemptOf(claimed, { kind: 'delivered', at: Date.now() })]);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'COMPLETED', deliveredAt });
    const { forcedAt } = await forcedOf(key);
    expect(forcedAt).toBeGreaterThanOrEqual(before);
  });

  test('what was delivered stays so, whatever comes of it, and nothing else sends it again', async () => {
    const { key, deliveredAt } = await delivered();
    const id = randomUUID();
    await begin(key, { id, force: true });
    await fail(await fixture.claimOne());

    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'COMPLETED',
      reason: 'refused',
      deliveredAt,
    });
    expect(await awaitOutcome(key, id)).toEqual({ kind: 'settled', outcome: 'failed' });
    expect(await begin(key, { id, force: true })).toEqual({ kind: 'begun' });
    expect(await begin(key)).toEqual({ kind: 'refused', reason: 'delivered' });
    expect(await fixture.claim()).toEqual([]);
  });

  test('without a user, it is still COMPLETED', async () => {
    const { key } = await delivered();
    const id = randomUUID();
    await begin(key, { id, force: true });
    const { fence } = await fixture.claimOne();
    await fixture.ledger.release([{ key, fence, because: 'user_deleted' }]);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'COMPLETED' });
    expect(await awaitOutcome(key, id)).toEqual({ kind: 'settled', outcome: 'skipped' });
  });

  test('one that failed is no forced one', async () => {
    const key = await settled('FAILED');
    await begin(key, { force: true });
    expect(await forcedOf(key)).toEqual({ forcedAt: null });
  });
});

describe('races', () => {
  test('a late 2xx of an earlier attempt ends it: nothing more is sent', async () => {
    const { key, claimed } = await failed(Date.now() - 1000);
    const id = randomUUID();
    await begin(key, { id });
    await awaitOutcome(key, id, 'b2');

    await fixture.ledger.record([attemptOf(claimed, { kind: 'delivered', at: Date.now() })]);

    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'COMPLETED',
      report: 'delivered',
      token: 'b2',
    });
    expect(await fixture.claim()).toEqual([]);
  });

  test('a late 2xx while the next attempt is on the wire stands, whatever comes of that', async () => {
    const { key, claimed } = await failed(Date.now() - 1000);
    await begin(key);
    const again = await fixture.claimOne();
    await fixture.ledger.record([attemptOf(claimed, { kind: 'delivered', at: Date.now() })]);
    await fail(again);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'COMPLETED', reason: null });
    expect(await fixture.attemptsOf(key)).toMatchObject([{ number: 1 }, { number: 2 }]);
  });

  test('a late 2xx before it begins leaves nothing to send', async () => {
    const { key, claimed } = await failed(Date.now() - 1000);
    await fixture.ledger.record([attemptOf(claimed, { kind: 'delivered', at: Date.now() })]);
    expect(await begin(key)).toEqual({ kind: 'refused', reason: 'delivered' });
  });

  test('a late failure of an earlier attempt does not settle it', async () => {
    const { key, claimed } = await failed(Date.now() - 1000);
    await begin(key);
    await fail(claimed);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'PROCESSING' });
  });

  test('its claimed rows are claimed again after the death of a dispatcher', async () => {
    const { key } = await begun();
    const first = await fixture.claimOne();
    expect(await fixture.claim()).toEqual([]);
    await fixture.rows.shiftClock(HOLD_MS + 1000);
    const [second] = await fixture.claim(10, Date.now() + HOLD_MS + 1000);
    expect(second).toMatchObject({ key, attempt: 2, fence: first.fence + 1, redelivered: true });
  });

  test('given back untried, its give-up clock has not begun', async () => {
    const { key } = await failed(Date.now() - HOUR);
    await begin(key);
    const { fence } = await fixture.claimOne();
    await fixture.ledger.giveBack([{ key, fence }]);
    expect(await fixture.rows.find(key)).toMatchObject({ attempts: 1, firstAttemptAt: null });
  });

  test('never becomes PENDING beside the plan of the next year, and holds up no other release', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.rows.addOccurrence(userId, { year: 2027, fireAt: Date.now() + HOUR });
    const key = await fixture.rows.addOccurrence(userId, { state: 'FAILED' });
    await begin(key);
    const other = await fixture.armed(Date.now() - 1000);
    const claims = await fixture.claim();
    await fixture.ledger.release(
      claims.map(({ key: claimed, fence }) => ({ key: claimed, fence, because: 'changed' })),
    );
    expect(await fixture.rows.find(other)).toMatchObject({ state: 'PENDING' });
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'PROCESSING' });
  });

  test('the activity of the plan that failed long ago does not get it back', async () => {
    const fireAt = Date.now() - 1000;
    const { key } = await failed(fireAt);
    await begin(key);
    const before = await fixture.rows.find(key);
    expect(await fixture.arm(key, fireAt, 'c3')).toEqual({ kind: 'released' });
    expect(await fixture.rows.find(key)).toEqual(before);
  });
});
