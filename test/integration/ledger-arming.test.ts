import { expect, test } from 'vitest';

import { attemptOf, MINUTE, useLedgerFixture } from '../support/ledger-fixture.ts';

const fixture = useLedgerFixture();

test('makes a planned row due at its fire instant, with the token of the open activity', async () => {
  const fireAt = Date.now() + MINUTE;
  const key = await fixture.armed(fireAt, 'beef');
  expect(await fixture.rows.find(key)).toMatchObject({
    state: 'PROCESSING',
    nextAttemptAt: fireAt,
    token: 'beef',
    lane: 0,
    attempts: 0,
    report: null,
  });
});

test('puts a row that is late behind those on time, due at once', async () => {
  const key = await fixture.armed(Date.now() - 6 * MINUTE);
  const row = await fixture.rows.find(key);
  expect(row.lane).toBe(1);
  expect(row.nextAttemptAt).toBeLessThanOrEqual(Date.now());
});

test('releases an activity that believes in another instant', async () => {
  const key = await fixture.planned(Date.now() + MINUTE);
  expect(await fixture.arm(key, Date.now() + 2 * MINUTE)).toEqual({ kind: 'released' });
  expect(await fixture.rows.find(key)).toMatchObject({ state: 'PENDING', token: null });
});

test('releases an activity whose row is gone or cannot be planned any more', async () => {
  const fireAt = Date.now() + MINUTE;
  expect(await fixture.arm('birthday:nobody:2026', fireAt)).toEqual({ kind: 'released' });
  const key = await fixture.planned(fireAt);
  await fixture.rows.sql(
    `update events.occurrences set blocked_reason = 'no such zone' where key = ?`,
    [key],
  );
  expect(await fixture.arm(key, fireAt)).toEqual({ kind: 'released' });
});

test.each([
  ['COMPLETED', 'delivered'],
  ['FAILED', 'failed'],
  ['SKIPPED', 'skipped'],
])('answers at once with what became of a %s row', async (state, outcome) => {
  const fireAt = Date.now();
  const key = await fixture.rows.addOccurrence(await fixture.rows.addUser(), { fireAt, state });
  expect(await fixture.arm(key, fireAt)).toEqual({ kind: 'settled', outcome });
  expect(await fixture.claim()).toEqual([]);
});

test('leaves a row on the wire where it is, but reports to the new token', async () => {
  const fireAt = Date.now() - 1000;
  const key = await fixture.armed(fireAt, 'a1');
  const claimed = await fixture.claimOne();
  const { sendingUntil } = await fixture.rows.find(key);
  expect(await fixture.arm(key, fireAt, 'a2')).toEqual({ kind: 'armed' });
  expect(await fixture.rows.find(key)).toMatchObject({
    token: 'a2',
    sendingUntil,
    armedAttempts: 1,
  });
  expect(await fixture.claim()).toEqual([]);
  await fixture.ledger.record([attemptOf(claimed, { kind: 'delivered', at: Date.now() })]);
  expect(await fixture.rows.find(key)).toMatchObject({
    state: 'COMPLETED',
    token: 'a2',
    report: 'delivered',
  });
});

test('lets go of the activity that the row waited with before, and only of that', async () => {
  const fireAt = Date.now() + MINUTE;
  const key = await fixture.armed(fireAt, 'aa01');
  const stale = () =>
    fixture.rows.sql(
      `select encode(task_token, 'hex') as token from events.stale_tokens where occurrence_key = ?`,
      [key],
    );
  await fixture.arm(key, fireAt, 'aa01');
  expect(await stale()).toEqual([]);
  await fixture.arm(key, fireAt, 'aa02');
  await fixture.arm(key, fireAt, 'aa03');
  expect(await stale()).toEqual([{ token: 'aa01' }, { token: 'aa02' }]);
  expect(await fixture.rows.find(key)).toMatchObject({ token: 'aa03' });
  await fixture.arm(key, fireAt + MINUTE, 'aa04');
  expect(await stale()).toHaveLength(2);
});

test('releases the activity of a row that is being redelivered, and leaves that alone', async () => {
  const fireAt = Date.now() - MINUTE;
  const key = await fixture.armed(fireAt, 'aa01');
  await fixture.rows.sql(
    'update events.occurrences set redelivery_id = gen_random_uuid() where key = ?',
    [key],
  );
  expect(await fixture.arm(key, fireAt, 'aa02')).toEqual({ kind: 'released' });
  expect(await fixture.rows.find(key)).toMatchObject({ token: 'aa01' });
});

test('begins a new burst, no sooner than the receiver asked', async () => {
  const fireAt = Date.now() - 1000;
  const key = await fixture.armed(fireAt);
  const retryAt = Date.now() + MINUTE;
  await fixture.ledger.record([
    attemptOf(await fixture.claimOne(), { kind: 'retry', at: retryAt }),
  ]);
  await fixture.arm(key, fireAt, 'a2');
  expect(await fixture.rows.find(key)).toMatchObject({
    nextAttemptAt: retryAt,
    armedAttempts: 0,
    attempts: 1,
    report: null,
    token: 'a2',
  });
});

test('does not bring forward the next attempt of a row that was armed before', async () => {
  const fireAt = Date.now() - 1000;
  const key = await fixture.armed(fireAt);
  // The receiver has asked for a minute.
  const again = Date.now() + MINUTE;
  await fixture.ledger.record([attemptOf(await fixture.claimOne(), { kind: 'again', at: again })]);
  await fixture.arm(key, fireAt, 'a2');
  expect(await fixture.rows.find(key)).toMatchObject({ nextAttemptAt: again, token: 'a2' });
  expect(await fixture.claim()).toEqual([]);
});

test('arming again while rows are claimed takes none of them off the wire', async () => {
  const fireAt = Date.now() - 1000;
  const keys = await fixture.rows.addHerd(100, fireAt);
  const claiming = (async () => [
    ...(await fixture.claim(30)),
    ...(await fixture.claim(30)),
    ...(await fixture.claim(40)),
  ])();
  await Promise.all([...keys.toReversed().map((key) => fixture.arm(key, fireAt, 'a2')), claiming]);
  for (const { key, fence } of await claiming) {
    const row = await fixture.rows.find(key);
    expect(row).toMatchObject({ fence, attempts: 1, armedAttempts: 1, token: 'a2' });
    expect(row.sendingUntil).not.toBeNull();
  }
});
