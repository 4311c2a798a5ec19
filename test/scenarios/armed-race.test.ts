/**
 * S6 of the table: the date of birth is changed shortly before 9:00, with the delivery armed.
 * Either outcome, never both. It is corrected to five days later; 9:00 in Tokyo is 00:00Z.
 *
 * On the real server: the other one has no answer to a workflow that lets go of an activity
 * in the moment in which this is completed.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import {
  type ArmedUser,
  armedUser,
  armedUsers,
  holdAnswers,
  yearOf,
} from './support/armed-user.ts';
import { daysFrom, key, WAIT } from './support/expectations.ts';
import { useRealServer } from './support/real-server.ts';
import { startWorld, type World } from './support/world.ts';

const DAY = 86_400_000;

let world: World;
beforeAll(async () => {
  world = await startWorld({ server: await useRealServer(), armLeadMs: 300 * DAY });
});
afterAll(() => world.stop());
afterEach(() => world.tidy());

test('S6 changed before it is claimed: taken back, and sent on the new day only', async () => {
  const user = await armedUser(world);
  await world.pauseDeliveries();

  await correct(user);

  expect(await world.statusOf(user.userId)).toMatchObject({ revision: 2, fireAt: user.corrected });
  expect(await world.ledgerOf(user.userId)).toMatchObject([
    { webhookId: user.webhookId, fireAt: user.corrected, attempts: [] },
  ]);
  await world.resumeDeliveries();
  await expectSentOnTheNewDayOnly(user);
});

test('S6 changed before it is claimed, and the workflow does not know: the dispatcher lets go of it', async () => {
  const user = await armedUser(world);
  await world.pauseDeliveries();
  await world.stopRelay();
  await correct(user);
  await world.passUntil(user.planned);

  await world.resumeDeliveries();

  await expect
    .poll(() => world.ledgerOf(user.userId), WAIT)
    .toMatchObject([{ webhookId: user.webhookId, fireAt: user.corrected, attempts: [] }]);
  world.startRelay();
  await world.relayed();
  await expectSentOnTheNewDayOnly(user);
});

test('S6 changed while it is on the wire, and taken: done for this year', async () => {
  const user = await armedUser(world);
  const answer = holdAnswers(world);
  await world.passUntil(user.planned);
  await expect.poll(() => world.greetingsOf(user.userId), WAIT).toHaveLength(1);

  await correct(user);
  const meanwhile = await world.statusOf(user.userId);
  answer(200);

  expect(meanwhile).toMatchObject({ waitingFor: 'delivery', revision: 2 });
  await expect
    .poll(() => world.ledgerOf(user.userId), WAIT)
    .toMatchObject([{ state: 'COMPLETED', fireAt: user.planned }, { fireAt: user.nextYear }]);
  await world.passUntil(daysFrom(user.corrected, 1));
  await expectOnlyGreeting(user, user.planned);
});

test('S6 changed while it is on the wire, and refused: sent on the new day, with the same webhook-id', async () => {
  const user = await armedUser(world);
  const answer = holdAnswers(world);
  await world.passUntil(user.planned);
  await expect.poll(() => world.greetingsOf(user.userId), WAIT).toHaveLength(1);

  await correct(user);
  answer(503);

  await expect
    .poll(() => world.ledgerOf(user.userId), WAIT)
    .toMatchObject([{ fireAt: user.corrected, attempts: [{ status: 503 }] }]);
  await world.passUntil(user.corrected);
  await expect.poll(() => world.greetingsOf(user.userId), WAIT).toHaveLength(2);
  expect(world.greetingsOf(user.userId)).toMatchObject([
    { webhookId: user.webhookId, scheduledFor: user.planned },
    { webhookId: user.webhookId, scheduledFor: user.corrected },
  ]);
});

test('S6 many are changed in the very instant: each is sent on one of the two days, never on both', async () => {
  const users = await armedUsers(world, 24);
  const { planned, corrected } = users[0] as ArmedUser;
  await world.passUntil(new Date(Date.parse(planned) - 20).toISOString());

  await Promise.all(users.map(correct));

  for (const { userId } of users) {
    await expect
      .poll(async () => {
        const [{ state, fireAt } = { state: '', fireAt: '' }] = await world.ledgerOf(userId);
        return state === 'COMPLETED' || fireAt === corrected;
      }, WAIT)
      .toBe(true);
  }
  await world.passUntil(corrected);
  for (const user of users) {
    await expect
      .poll(() => world.ledgerOf(user.userId), WAIT)
      .toMatchObject([{ state: 'COMPLETED' }, { fireAt: user.nextYear }]);
    const [{ fireAt } = { fireAt: null }] = await world.ledgerOf(user.userId);
    expect([planned, corrected]).toContain(fireAt);
    await expectOnlyGreeting(user, fireAt);
  }
});

function correct({ userId, corrected }: ArmedUser): Promise<void> {
  return world.changeUser(userId, { dateOfBirth: `1990${corrected.slice(4, 10)}` });
}

async function expectSentOnTheNewDayOnly(user: ArmedUser): Promise<void> {
  await world.passUntil(user.corrected);
  await expect
    .poll(() => world.ledgerOf(user.userId), WAIT)
    .toMatchObject([{ state: 'COMPLETED', fireAt: user.corrected }, { fireAt: user.nextYear }]);
  await expectOnlyGreeting(user, user.corrected);
}

async function expectOnlyGreeting(user: ArmedUser, scheduledFor: string | null): Promise<void> {
  const { userId, webhookId } = user;
  expect(world.greetingsOf(userId)).toMatchObject([{ webhookId, scheduledFor }]);
  expect(await world.ledgerOf(userId)).toMatchObject([
    { webhookId, state: 'COMPLETED', fireAt: scheduledFor, attempts: [{ number: 1 }] },
    { webhookId: key(userId, yearOf(user.nextYear)), state: 'PENDING', fireAt: user.nextYear },
  ]);
}
