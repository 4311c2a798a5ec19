/** S10, S11 and S13 of the table: what becomes of a delivery that does not simply succeed. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { withStatus } from '../support/webhook-receiver.ts';
import { type ArmedUser, armedUser, holdAnswers } from './support/armed-user.ts';
import { daysFrom, WAIT } from './support/expectations.ts';
import type { OccurrenceRow } from './support/observe.ts';
import { useRealServer } from './support/real-server.ts';
import { startWorld, type World } from './support/world.ts';

const DAY = 86_400_000;

let world: World;
beforeAll(async () => {
  world = await startWorld({ server: await useRealServer(), armLeadMs: 300 * DAY });
});
afterAll(() => world.stop());
afterEach(() => world.tidy());

for (const { status, state, reason } of [
  { status: 200, state: 'COMPLETED', reason: null },
  { status: 404, state: 'FAILED', reason: 'refused' },
  { status: 503, state: 'SKIPPED', reason: 'user_deleted' },
]) {
  test(`S10 deleted while the webhook hangs, which then ends with ${status}: no retry, ${state}, and nobody is resurrected`, async () => {
    const user = await armedUser(world);
    const answer = holdAnswers(world);
    await sent(user);

    await world.deleteUser(user.userId);
    answer(status);

    await world.workflowOf(user.userId).result();
    expect(await world.rowsOf(user.userId)).toEqual([
      { key: user.webhookId, state, reason, attempts: [{ number: 1, status }] },
    ]);
    await world.passUntil(daysFrom(user.planned, 2));
    await everythingDueIsSent();
    expect(world.greetingsOf(user.userId)).toHaveLength(1);
    expect(await world.rowsOf(user.userId)).toHaveLength(1);
  });
}

test('S11 the receiver got it, but its answer was lost: retried with the same webhook-id', async () => {
  const user = await armedUser(world);
  world.receiver.answer((response) => void response.socket?.destroy());
  await sent(user);
  world.receiver.answer(withStatus(200));
  await world.passUntil(new Date(Date.parse(user.planned) + 60_000).toISOString());

  await expect.poll(() => world.greetingsOf(user.userId), WAIT).toHaveLength(2);
  expect(world.greetingsOf(user.userId)).toMatchObject([
    { webhookId: user.webhookId, scheduledFor: user.planned },
    { webhookId: user.webhookId, scheduledFor: user.planned },
  ]);
  await expect
    .poll(() => world.ledgerOf(user.userId), WAIT)
    .toMatchObject([
      {
        state: 'COMPLETED',
        attempts: [{ status: null, errorCode: 'ECONNRESET' }, { status: 200 }],
      },
      { state: 'PENDING' },
    ]);
});

test('S13 the receiver refuses for good: FAILED after one attempt, and next year is planned', async () => {
  const user = await armedUser(world);
  world.receiver.answer(withStatus(422));

  await sent(user);

  await expect
    .poll(() => world.ledgerOf(user.userId), WAIT)
    .toMatchObject([
      {
        webhookId: user.webhookId,
        state: 'FAILED',
        reason: 'refused',
        attempts: [{ status: 422 }],
      },
      { state: 'PENDING', reason: null },
    ]);
  expect(world.greetingsOf(user.userId)).toHaveLength(1);
});

test('S13 the receiver is out of order for three days: given up as FAILED, and next year is planned', async () => {
  const user = await armedUser(world);
  world.receiver.answer(withStatus(500));
  await sent(user);

  await world.passUntil(daysFrom(user.planned, 3));

  const [first, ...more] = await settledRowsOf(user);
  expect(first).toMatchObject({ key: user.webhookId, state: 'FAILED', reason: 'gave_up' });
  expect(new Set(first?.attempts.map(({ status }) => status))).toEqual(new Set([500]));
  expect(more).toMatchObject([{ state: 'PENDING', reason: null, attempts: [] }]);
});

/** It is 9:00, and the receiver has the request. */
async function sent({ userId, planned }: ArmedUser): Promise<void> {
  await world.passUntil(planned);
  await expect.poll(() => world.greetingsOf(userId), WAIT).toHaveLength(1);
}

/** Another user, whose turn comes after everybody's who was due before. */
async function everythingDueIsSent(): Promise<void> {
  const other = await armedUser(world);
  await sent(other);
}

/** Once the first is settled, and the next is planned; it can take Temporal's first retry. */
async function settledRowsOf({ userId }: ArmedUser): Promise<OccurrenceRow[]> {
  const patiently = { ...WAIT, timeout: 50_000 };
  await expect.poll(() => world.rowsOf(userId), patiently).toHaveLength(2);
  return world.rowsOf(userId);
}
