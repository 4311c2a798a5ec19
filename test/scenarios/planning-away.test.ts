/**
 * Relay and worker are away while somebody changes more than once: it comes to what it would
 * have come to with both there.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { expectLateness, key, WAIT } from './support/expectations.ts';
import type { Greeting } from './support/observe.ts';
import { startWorld, type World } from './support/world.ts';

const HOUR = 3_600_000;

let world: World;
beforeAll(async () => {
  world = await startWorld({ keepsWorkflows: false });
});
afterAll(() => world.stop());
afterEach(() => world.tidy());

test('S2 before the first plan: created, then moved to where 9:00 has passed: sent late, once', async () => {
  const year = await world.yearToCome();
  await world.passUntil(`${year}-05-19T12:00:00Z`);
  await leave();
  const userId = await world.createUser({
    dateOfBirth: '1990-05-20',
    timezone: 'America/New_York',
  });
  await world.passUntil(`${year}-05-20T05:00:00Z`);
  await world.changeUser(userId, { timezone: 'Asia/Tokyo' });
  await world.passUntil(`${year}-05-20T06:00:00Z`);

  await comeBack();

  const greetings = await greetingsOf(userId, year);
  expect(greetings).toMatchObject([
    { webhookId: key(userId, year), scheduledFor: `${year}-05-20T00:00:00.000Z`, late: true },
  ]);
  expectLateness(greetings[0]?.latenessMs, 6 * HOUR);
});

test('corrected to a day that comes, and then moved: sent late, once', async () => {
  const year = await world.yearToCome();
  await world.passUntil(`${year}-04-01T00:00:00Z`);
  const userId = await world.createUser({ dateOfBirth: '1990-09-01', timezone: 'Asia/Tokyo' });
  expect(await world.statusOf(userId)).toMatchObject({ waitingFor: 'recheck' });
  await leave();
  await world.passUntil(`${year}-05-19T00:00:00Z`);
  await world.changeUser(userId, { dateOfBirth: '1990-05-20' });
  await world.passUntil(`${year}-05-20T18:00:00Z`);
  await world.changeUser(userId, { timezone: 'America/New_York' });
  await world.passUntil(`${year}-05-20T19:00:00Z`);

  await comeBack();

  const greetings = await greetingsOf(userId, year);
  expect(greetings).toMatchObject([
    { webhookId: key(userId, year), scheduledFor: `${year}-05-20T13:00:00.000Z`, late: true },
  ]);
  expectLateness(greetings[0]?.latenessMs, 6 * HOUR);
});

async function leave(): Promise<void> {
  await world.stopRelay();
  await world.stopWorker();
}

/** The worker last: it finds all that has happened at once. */
async function comeBack(): Promise<void> {
  world.startRelay();
  await world.relayed();
  await world.startWorker();
}

/** What was sent until the day before the next one. */
async function greetingsOf(userId: string, year: number): Promise<Greeting[]> {
  await expect.poll(() => world.greetingsOf(userId), WAIT).toHaveLength(1);
  await world.passUntil(`${year + 1}-05-18T00:00:00Z`);
  return world.greetingsOf(userId);
}
