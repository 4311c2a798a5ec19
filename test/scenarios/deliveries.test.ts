/** S6, S10, S11 and S13 of the table: deliveries that do not simply succeed. */
import type { ServerResponse } from 'node:http';

import { expect } from 'vitest';

import { withStatus } from '../support/webhook-receiver.ts';
import { daysFrom } from './support/expectations.ts';
import { useRealServer } from './support/real-server.ts';
import { useWorld } from './support/world.ts';

const PATIENT = { timeout: 120_000, interval: 50 };

const { world, test } = useWorld({ startServer: useRealServer, dispatches: true });

for (const { status, state, reason } of [
  { status: 200, state: 'COMPLETED', reason: null },
  { status: 404, state: 'FAILED', reason: 'refused' },
  { status: 503, state: 'FAILED', reason: 'user_deleted' },
]) {
  test(`S10 deleted while the webhook hangs, which then ends with ${status}: no retry, ${state}, and nobody is resurrected`, async () => {
    const user = await plannedUser();
    const answer = holdAnswers();
    await sent(user);

    await world.scheduler.stop();
    await world.deleteUser(user.userId);
    await world.scheduler.start();
    answer(status);

    await world.workflowOf(user.userId).result();
    await expect
      .poll(() => world.rowsOf(user.userId), PATIENT)
      .toEqual([{ key: user.key, state, reason, attempts: [{ number: 1, status }] }]);
    await world.passUntil(daysFrom(user.dueAt, 2));
    await everythingDueIsSent();
    expect(world.greetingsOf(user.userId)).toHaveLength(1);
    expect(await world.rowsOf(user.userId)).toHaveLength(1);
  });
}

test('S11 the receiver got it, but its response was lost: retried with the same webhook-id', async () => {
  const user = await plannedUser();
  world.receiver.answer((response) => void response.socket?.destroy());
  await sent(user);
  const attempts = async () => (await world.ledgerOf(user.userId))[0]?.attempts ?? [];
  const lost = { status: null, errorCode: 'ECONNRESET' };
  // On a kept connection it was repeated at once on a new one, whose response was lost too.
  await expect.poll(async () => (await attempts())[0], PATIENT).toMatchObject(lost);
  world.receiver.answer(withStatus(200));
  await world.passUntil(new Date(Date.parse(user.dueAt) + 60_000).toISOString());

  await expect
    .poll(() => world.ledgerOf(user.userId), PATIENT)
    .toMatchObject([{ status: 'COMPLETED' }, { status: 'PENDING' }]);
  const [first, ...retries] = await attempts();
  expect(first).toMatchObject(lost);
  // On a busy machine more than one response is lost.
  expect(retries.at(-1)).toMatchObject({ status: 200 });
  const greetings = world.greetingsOf(user.userId);
  expect(greetings.length).toBeGreaterThanOrEqual(2);
  for (const { key, dueAt } of greetings)
    expect({ key, dueAt }).toEqual({ key: user.key, dueAt: user.dueAt });
});

test('S13 the receiver refuses permanently: FAILED after one attempt, and next year is planned', async () => {
  const user = await plannedUser();
  world.receiver.answer(withStatus(422));

  await sent(user);

  await expect
    .poll(() => world.ledgerOf(user.userId), PATIENT)
    .toMatchObject([
      { key: user.key, status: 'FAILED', reason: 'refused', attempts: [{ status: 422 }] },
      { status: 'PENDING', reason: null },
    ]);
  expect(world.greetingsOf(user.userId)).toHaveLength(1);
});

test('S13 the receiver is out of order for three days: given up as FAILED, and next year is planned', async () => {
  const user = await plannedUser();
  world.receiver.answer(withStatus(500));
  await sent(user);

  await world.passUntil(daysFrom(user.dueAt, 3));

  await expect.poll(() => world.rowsOf(user.userId), PATIENT).toHaveLength(2);
  const [first, ...more] = await world.rowsOf(user.userId);
  expect(first).toMatchObject({ key: user.key, state: 'FAILED', reason: 'gave_up' });
  expect(new Set(first?.attempts.map(({ status }) => status))).toEqual(new Set([500]));
  expect(more).toMatchObject([{ state: 'PENDING', reason: null, attempts: [] }]);
});

test('S6 the date is changed seconds before 9:00: greeted on one of the two days, never on both', async () => {
  const users = await Promise.all(Array.from({ length: 12 }, plannedUser));
  const { dueAt = '' } = users[0] ?? {};
  const corrected = daysFrom(dueAt, 5);

  // All at once: any of them may come first.
  await Promise.all([
    world.passUntil(new Date(Date.parse(dueAt) - 300).toISOString()),
    ...users.map(({ userId }) =>
      world.changeUser(userId, { dateOfBirth: `1990${corrected.slice(4, 10)}` }),
    ),
  ]);
  await world.passUntil(dueAt);
  for (const { userId } of users) {
    const isSentOrMoved = async (): Promise<boolean> =>
      (await world.ledgerOf(userId)).some(
        ({ status, dueAt: at }) =>
          status === 'COMPLETED' || (status === 'PENDING' && at === corrected),
      );
    await expect.poll(isSentOrMoved, PATIENT).toBe(true);
  }
  await world.passUntil(corrected);

  for (const { userId, key: webhookId } of users) {
    await expect.poll(() => world.greetingsOf(userId), PATIENT).toHaveLength(1);
    const [greeting] = world.greetingsOf(userId);
    expect(greeting?.key).toBe(webhookId);
    expect([dueAt, corrected]).toContain(greeting?.dueAt);
    await expect
      .poll(() => world.ledgerOf(userId), PATIENT)
      .toMatchObject([{ status: 'COMPLETED' }, { status: 'PENDING' }]);
  }
});

interface PlannedUser {
  readonly userId: string;
  readonly key: string;
  /** ISO 8601. */
  readonly dueAt: string;
}

/** The birthday begins in ten days, 9:00 in Tokyo; that of a correction by five days is in the same year. */
async function plannedUser(): Promise<PlannedUser> {
  const dueAt = await dayToCome();
  const userId = await world.createUser({
    dateOfBirth: `1990${dueAt.slice(4, 10)}`,
    timezone: 'Asia/Tokyo',
  });
  return { userId, key: world.key(userId, Number(dueAt.slice(0, 4))), dueAt };
}

async function dayToCome(): Promise<string> {
  const today = new Date(await world.now()).toISOString();
  for (let days = 10; ; days += 1) {
    const day = `${daysFrom(today, days).slice(0, 10)}T00:00:00.000Z`;
    const corrected = daysFrom(day, 5);
    const isInOneYear = day.slice(0, 4) === corrected.slice(0, 4);
    if (isInOneYear && ![day, corrected].some((each) => each.includes('-02-29'))) return day;
  }
}

/**
 * It is 9:00, and the receiver has the request; a request lost on a kept connection is repeated at
 * once.
 */
async function sent({ userId, dueAt }: PlannedUser): Promise<void> {
  await world.passUntil(dueAt);
  await expect.poll(() => world.greetingsOf(userId), PATIENT).not.toHaveLength(0);
}

/** Another user, who is due after everyone who was due before. */
async function everythingDueIsSent(): Promise<void> {
  await sent(await plannedUser());
}

/** The receiver accepts requests without answering, until the returned function is called. */
function holdAnswers(): (status: number) => void {
  const held: ServerResponse[] = [];
  world.receiver.answer((response) => held.push(response));
  return (status) => {
    world.receiver.answer((response) => response.end());
    for (const response of held) response.writeHead(status).end();
  };
}
