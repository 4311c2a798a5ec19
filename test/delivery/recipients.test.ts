/** Claimed rows compared with their users, occasions and types at that moment. */
import { expect, test } from 'vitest';

import { checkClaim } from '../../src/delivery/check-claim.ts';
import { createFindRecipients } from '../../src/delivery/recipient.ts';
import { occasionFields } from '../support/occasions.ts';
import {
  HOUR,
  LATE_AFTER_MS,
  LATE_LIMIT_MS,
  MINUTE,
  usePlanningFixture,
} from '../support/planning-fixture.ts';
import { bundledTz } from '../support/tz-databases.ts';

const fixture = usePlanningFixture();
/** Of 2 April, in Berlin. */
const NINE = Date.UTC(2026, 3, 2, 7);

async function planned(fields: Readonly<Record<string, unknown>> = {}) {
  const userId = await fixture.rows.addUser();
  const input = occasionFields({ date: '2026-04-02', ...fields });
  const occasion = await fixture.occasions.create(userId, input);
  expect(await fixture.planOccasion(occasion)).toMatchObject({ kind: 'planned', dueAt: NINE });
  return occasion;
}

/** Claims the only row that is due at an instant. */
async function claimAt(at: number) {
  await fixture.setClock(at);
  const [claimed, ...others] = await fixture.claim();
  if (claimed === undefined) throw new Error('nothing is due');
  expect(others).toEqual([]);
  const limits = { lateAfterMs: LATE_AFTER_MS, lateLimitMs: LATE_LIMIT_MS };
  const find = createFindRecipients(fixture.database.orm, { tz: bundledTz, ...limits }, null);
  const recipient = (await find([claimed])).get(claimed.key);
  return { claimed, recipient, check: checkClaim(claimed, recipient, at) };
}

async function actionAt(at: number): Promise<string> {
  const { check } = await claimAt(at);
  return check.action === 'end' ? check.reason : check.action;
}

test('the occasion is passed on in its current state', async () => {
  const { id, userId } = await planned({
    externalId: 'contract-9',
    recurrence: 'weekly',
    data: { plan: 'gold', seats: [1, 2] },
  });
  await fixture.occasions.update(userId, id, { data: { plan: 'silver' } });
  expect((await claimAt(NINE)).recipient).toMatchObject({
    userId,
    suspended: false,
    isAsPlanned: true,
    isOccasionGone: false,
    occasion: {
      id,
      externalId: 'contract-9',
      type: 'reminder',
      date: '2026-04-02',
      recurrence: 'weekly',
      data: { plan: 'silver' },
    },
  });
});

test('a birthday is an occasion like any other', async () => {
  const userId = await fixture.rows.addUser({ dateOfBirth: '1990-04-02' });
  await fixture.plan(userId);
  expect((await claimAt(NINE)).recipient?.occasion).toEqual({
    id: userId,
    externalId: null,
    type: 'birthday',
    date: '1990-04-02',
    recurrence: 'birthday',
    data: null,
  });
});

test.each([
  ['the offset', { offsetDays: 1 }],
  ['the time of day', { deliveryTime: '09:01' }],
  ['the zone', { timezone: 'Asia/Tokyo' }],
  ['the date', { date: '2026-04-03' }],
  ['the recurrence', { date: '2026-03-01', recurrence: 'monthly' }],
  ['what its key names', { recurrence: 'yearly' }],
] as const)('it is released if a change of %s is not planned yet', async (_, change) => {
  const { id, userId } = await planned();
  await fixture.setClock(NINE - HOUR);
  await fixture.occasions.update(userId, id, change);
  expect(await actionAt(NINE)).toBe('release');
});

test('it is sent if a change does not affect its instant', async () => {
  const { id, userId } = await planned();
  await fixture.setClock(NINE - HOUR);
  await fixture.occasions.update(userId, id, { recurrence: 'weekly', deliveryTime: '09:00' });
  expect(await actionAt(NINE)).toBe('send');
});

test('it is released if a change of its type is not planned yet, unless it has its own time', async () => {
  const [follows, own] = [await planned(), await planned({ deliveryTime: '09:00' })];
  await fixture.setType('reminder', { deliveryTime: '09:30' });
  await fixture.rows.sql(
    'update events.occurrences set next_attempt_at = null where occasion_id = ?',
    [own.id],
  );
  expect(await actionAt(NINE)).toBe('release');
  await fixture.rows.sql(
    `update events.occurrences set next_attempt_at = case occasion_id when :id then due_at end,
       lease_until = null, state = 'PENDING'`,
    { id: own.id },
  );
  expect(await actionAt(NINE)).toBe('send');
  expect(follows.id).not.toBe(own.id);
});

test('a type has its own late limit, or sends nothing late', async () => {
  await fixture.setType('reminder', { lateLimitMs: 2 * HOUR });
  await planned({ recurrence: 'once' });
  expect(await actionAt(NINE + 2 * HOUR + 1)).toBe('too_late');
  await fixture.setType('reminder', { lateLimitMs: 2 * HOUR, whenLate: 'skip' });
  await fixture.rows.sql('truncate events.occurrences, events.attempts');
  await fixture.setClock(NINE - HOUR);
  await planned({ recurrence: 'once' });
  expect(await actionAt(NINE + 6 * MINUTE)).toBe('too_late');
});

test('a suspension is respected, whether it is planned or not', async () => {
  const { id, userId } = await planned();
  await fixture.setClock(NINE - 1_000);
  await fixture.occasions.update(userId, id, { suspended: true });
  expect(await actionAt(NINE)).toBe('suspended');
});

test("so is the user's, for each of the user's occasions", async () => {
  const { userId } = await planned();
  await fixture.users.update(userId, { suspended: true });
  expect(await actionAt(NINE)).toBe('suspended');
});

test('what fell due during a suspension is not sent late, even if nobody has planned since', async () => {
  const occasion = await planned();
  const { id, userId } = occasion;
  await fixture.occasions.update(userId, id, { suspended: true });
  await fixture.setClock(NINE + HOUR);
  await fixture.occasions.update(userId, id, { suspended: false });
  const { check, claimed } = await claimAt(NINE + HOUR + MINUTE);
  expect(check.action).toBe('release');
  await fixture.ledger.release([claimed]);

  expect(await fixture.planOccasion(occasion)).toMatchObject({ dueAt: NINE + 24 * HOUR });
  expect(await fixture.rows.find(claimed.key)).toMatchObject({
    state: 'SKIPPED',
    reason: 'suspended',
  });
});

test('one whose suspension has ended by the time it falls due is sent', async () => {
  const { id, userId } = await planned();
  await fixture.occasions.update(userId, id, { suspended: true });
  await fixture.setClock(NINE - HOUR);
  await fixture.occasions.update(userId, id, { suspended: false });
  expect(await actionAt(NINE)).toBe('send');
});

test('a deleted occasion is settled as deleted, and so is a deleted user', async () => {
  const { id, userId } = await planned();
  await fixture.occasions.delete(userId, id);
  expect(await actionAt(NINE)).toBe('occasion_deleted');
  await fixture.rows.sql(
    `update events.occurrences set state = 'PENDING', lease_until = null, next_attempt_at = due_at`,
  );
  await fixture.users.delete(userId);
  expect(await actionAt(NINE)).toBe('user_deleted');
});
