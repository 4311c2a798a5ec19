/** What the reconciler remembers of what it found, from one look to the next. */
import { expect, test } from 'vitest';

import { HOUR, isoIn, MINUTE, useReconcileFixture } from '../support/reconcile-fixture.ts';

const fixture = useReconcileFixture();
const { plant, plantArmed, look } = fixture;

test('a suspicion that was only a moment is dropped; what is still so is found, once', async () => {
  const lost = await plant({ fire_at: isoIn(-HOUR) });
  const late = await plant({ fire_at: isoIn(-HOUR) });
  await look();
  await fixture.rows.sql(
    "update events.occurrences set state = 'PROCESSING', next_attempt_at = now() where key = ?",
    [late],
  );
  expect(await fixture.ledger.confirm()).toEqual({ unattempted: 1 });
  expect(await look()).toEqual({ [lost]: 'unattempted' });
  expect(await fixture.ledger.confirm()).toEqual({});
});

test('of two that look, confirm and settle at once, each finding is counted by one', async () => {
  const keys = [];
  for (let nth = 0; nth < 20; nth++) keys.push(await plant({ fire_at: isoIn(-HOUR) }));
  await Promise.all([look(), look()]);
  const counted = await Promise.all([fixture.ledger.confirm(), fixture.ledger.confirm()]);
  expect(counted.map(({ unattempted = 0 }) => unattempted).reduce((a, b) => a + b)).toBe(20);

  await fixture.rows.sql(
    "update events.occurrences set state = 'COMPLETED', settled_at = now(), report = null",
  );
  const settled = await Promise.all([fixture.ledger.settle(), fixture.ledger.settle()]);
  expect(settled.map(({ repaired }) => repaired.unattempted ?? 0).reduce((a, b) => a + b)).toBe(20);
});

test('what was tried is tried again after ever longer pauses, and is unrepaired meanwhile', async () => {
  const key = await plant({ fire_at: isoIn(-HOUR) });
  await look();
  await fixture.ledger.confirm();
  expect(await fixture.ledger.findToTry(10)).toMatchObject([
    { subject: key, waitsForEngine: false },
  ]);
  await fixture.ledger.markTried([{ subject: key, note: null }]);
  expect(await fixture.ledger.findToTry(10)).toEqual([]);
  expect(await fixture.ledger.settle()).toEqual({ repaired: {}, awaited: 1 });
  expect(await fixture.ledger.markUnrepaired()).toMatchObject({
    counts: { unattempted: 1 },
    fresh: { unattempted: 1 },
    examples: [{ subject: key }],
  });
  expect(await fixture.ledger.markUnrepaired()).toMatchObject({
    counts: { unattempted: 1 },
    fresh: {},
  });

  for (const [tries, minutes] of [
    [1, 5],
    [2, 10],
    [3, 20],
    [50, 24 * 60],
  ] as const) {
    const triedAgo = async (ms: number) => {
      await fixture.rows.sql('update events.findings set tries = ?, tried_at = ?', [
        tries,
        isoIn(-ms),
      ]);
      return (await fixture.ledger.findToTry(10)).length;
    };
    expect(await triedAgo((minutes - 1) * MINUTE)).toBe(0);
    expect(await triedAgo((minutes + 1) * MINUTE)).toBe(1);
  }
});

test('a look ends at its limit, says so, and the next one goes on from there', async () => {
  for (let nth = 0; nth < 5; nth++) await fixture.rows.addUser();
  const request = { eventTypes: ['birthday'], limit: 3, onPage() {} };
  expect(await fixture.ledger.look('unplanned', request)).toEqual({ suspected: 3, more: true });
  expect(await fixture.ledger.look('unplanned', request)).toEqual({ suspected: 2, more: false });
});

test('plans due soon that were checked are to be asked for, page by page, until they are found', async () => {
  const soon = { rechecked_at: isoIn(-HOUR) };
  const keys = [
    await plant({ ...soon, fire_at: isoIn(-MINUTE) }),
    await plant({ ...soon, fire_at: isoIn(HOUR) }),
    await plant({ ...soon, fire_at: isoIn(110 * MINUTE) }),
  ];
  await plant({ ...soon, fire_at: isoIn(3 * HOUR) });
  await plant({ ...soon, fire_at: isoIn(HOUR), planned_at: isoIn(-MINUTE) });
  const first = await fixture.ledger.findDueSoon(null, 2);
  const rest = await fixture.ledger.findDueSoon(first.at(-1) ?? null, 2);
  expect([...first, ...rest].map(({ key }) => key)).toEqual(keys);

  expect(await fixture.ledger.suspectUnfollowed(keys.slice(1))).toBe(2);
  expect((await fixture.ledger.findDueSoon(null, 10)).map(({ key }) => key)).toEqual(
    keys.slice(0, 1),
  );
  await fixture.rows.sql('update events.occurrences set planned_at = now() where key = ?', [
    keys[1],
  ]);
  expect(await fixture.ledger.confirm()).toEqual({ unfollowed: 1 });
});

test('what cannot be planned, what waits for a dispatcher, and what is open for nobody is counted', async () => {
  await plant({ fire_at: null });
  await plantArmed({ next_attempt_at: isoIn(-HOUR) });
  await plantArmed({ next_attempt_at: isoIn(MINUTE), sending_until: isoIn(MINUTE) });
  await fixture.rows.sql(
    "insert into events.stale_tokens (task_token, occurrence_key, dropped_at) values ('a1', 'k', ?)",
    [isoIn(-2 * HOUR)],
  );
  expect(await fixture.ledger.countBystanders()).toEqual({
    blocked: 1,
    waiting: 1,
    staleTokens: 1,
  });
});
