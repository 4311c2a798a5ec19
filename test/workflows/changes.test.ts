import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { startTimeSkippingDaybell, type TimeSkippingDaybell } from '../support/time-skipping.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const DAY = 86_400_000;

let daybell: TimeSkippingDaybell;
beforeAll(async () => {
  daybell = await startTimeSkippingDaybell();
});
afterAll(() => daybell.stop());
// Time is everybody's here: a user of one test would be due in the next.
afterEach(() => daybell.deleteAllUsers());

test('a change of zone moves the timer', async () => {
  const { userId, day } = await userInTokyo();
  expect((await daybell.statusOf(userId)).fireAt).toBe(`${day}T00:00:00.000Z`);

  await daybell.changeUser(userId, { timezone: 'Asia/Kathmandu' });

  expect(await daybell.statusOf(userId)).toMatchObject({
    waitingFor: 'recheck',
    fireAt: `${day}T03:15:00.000Z`,
    timezone: 'Asia/Kathmandu',
  });
  await daybell.skipTo(Date.parse(`${day}T12:00:00.000Z`));
  expect(instantsOf(userId)).toEqual([`${day}T03:15:00.000Z`]);
});

test('a change of date moves the timer', async () => {
  const { userId } = await userInTokyo();
  const later = await dayIn(60);

  await daybell.changeUser(userId, { dateOfBirth: `1990${later.slice(4)}` });

  await daybell.skipTo(Date.parse(`${later}T12:00:00.000Z`));
  expect(instantsOf(userId)).toEqual([`${later}T00:00:00.000Z`]);
});

test('the name is that of the moment of sending, and a change of it needs no signal', async () => {
  const { userId, day } = await userInTokyo();
  await daybell.skipTo(Date.parse(`${day}T00:00:00.000Z`) - DAY / 24);

  await daybell.changeUser(userId, { firstName: 'Augusta' });

  await daybell.skipTo(Date.parse(`${day}T12:00:00.000Z`));
  const [greeting] = daybell.greetingsOf(userId);
  expect(greeting?.body.message).toContain('Augusta');
  expect(await daybell.statusOf(userId)).toMatchObject({ revision: 1 });
});

test('a deletion ends the workflow, and nobody is greeted', async () => {
  const { userId, day } = await userInTokyo();

  await daybell.deleteUser(userId);

  await daybell.workflowOf(userId).result();
  await daybell.skipTo(Date.parse(`${day}T12:00:00.000Z`));
  expect(instantsOf(userId)).toEqual([]);
  expect(await daybell.statusOf(userId)).toMatchObject({ waitingFor: 'nothing' });
});

test('a user who is edited daily is followed by short runs, and is greeted once', async () => {
  const { userId, day } = await userInTokyo(90);
  const zones = ['Asia/Tokyo', 'Asia/Kathmandu'];
  for (let edits = 1; edits <= 80; edits++) {
    await daybell.changeUser(userId, { timezone: zones[edits % 2] });
    await daybell.skipTo((await daybell.now()) + DAY);
  }

  await daybell.skipTo(Date.parse(`${day}T12:00:00.000Z`));

  expect(instantsOf(userId)).toEqual([`${day}T00:00:00.000Z`]);
  expect(await daybell.statusOf(userId)).toMatchObject({ revision: 81 });
  const lengths = (await daybell.historiesOf(userId)).map((events) => events.length);
  expect(lengths.length).toBeGreaterThan(2);
  expect(Math.max(...lengths)).toBeLessThan(550);
});

test('a delivery that fails is retried by way of Temporal, with the same webhook-id, until it is taken', async () => {
  const { userId, day } = await userInTokyo();
  daybell.receiver.answer((response) => {
    withStatus(instantsOf(userId).length < 6 ? 503 : 200)(response);
  });

  await daybell.skipTo(Date.parse(`${day}T12:00:00.000Z`));

  expect(instantsOf(userId)).toHaveLength(6);
  expect(new Set(daybell.greetingsOf(userId).map(({ id }) => id)).size).toBe(1);
  expect(await daybell.ledgerOf(userId)).toEqual(['COMPLETED', 'PENDING']);
});

test('a zone that cannot be planned is waited for, seen by an operator, and planned when it can be', async () => {
  const { userId, day } = await userInTokyo();
  const setZone = 'update users.users set timezone = ? where id = ?';
  await daybell.api.sql(setZone, ['Mars/Olympus_Mons', userId]);
  await daybell.workflowOf(userId).signal('replan');
  await expect.poll(() => daybell.statusOf(userId)).toMatchObject({ waitingFor: 'change' });
  const blocked = await daybell.statusOf(userId);
  await daybell.api.sql(setZone, ['Asia/Tokyo', userId]);

  await daybell.skipTo(Date.parse(`${day}T12:00:00.000Z`));

  expect(blocked.blockedReason).toContain('Mars/Olympus_Mons');
  expect(instantsOf(userId)).toEqual([`${day}T00:00:00.000Z`]);
});

test('with the database out of order, the plan is made as soon as it is mended', async () => {
  const { userId, day } = await userInTokyo();
  await daybell.api.sql('alter table users.users rename to users_away');
  await daybell.workflowOf(userId).signal('replan');
  await expect.poll(() => activitiesOf(userId)).toContain('plan');
  await daybell.api.sql('alter table users.users_away rename to users');

  await daybell.skipTo(Date.parse(`${day}T12:00:00.000Z`));

  expect(instantsOf(userId)).toEqual([`${day}T00:00:00.000Z`]);
});

/** A user in Tokyo, whose birthday is so many days from now; 9:00 there is 00:00Z. */
async function userInTokyo(days = 10): Promise<{ userId: string; day: string }> {
  const day = await dayIn(days);
  const userId = await daybell.createUser({
    dateOfBirth: `1990${day.slice(4)}`,
    timezone: 'Asia/Tokyo',
  });
  await daybell.statusOf(userId);
  return { userId, day };
}

/** A date that every year has. */
async function dayIn(days: number): Promise<string> {
  const day = new Date((await daybell.now()) + days * DAY).toISOString().slice(0, 10);
  return day.endsWith('02-29') ? dayIn(days + 1) : day;
}

function instantsOf(userId: string): string[] {
  return daybell.greetingsOf(userId).map(({ body }) => body.data.scheduledFor);
}

async function activitiesOf(userId: string): Promise<(string | null | undefined)[]> {
  const runs = await daybell.historiesOf(userId);
  return runs.flat().map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name);
}
