import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { createOutbox } from '../../src/persistence/outbox-store.ts';
import { startRelay, type Relay } from '../../src/relay/relay.ts';
import { EventRefusedError, SubscriberAwayError, type UserEvent } from '../../src/users/events.ts';
import type { Outbox } from '../../src/users/outbox.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const WAIT = { timeout: 60_000, interval: 20 };

let database: TestDatabase;
let outbox: Outbox;
let relays: Relay[];
let logged: Record<string, unknown>[];
beforeEach(async () => {
  database = await createTestDatabase();
  outbox = createOutbox(database.orm);
  relays = [];
  logged = [];
});
afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop()));
  await database.drop();
});

test('events of one user go out in order of revision, one at a time, and once', async () => {
  const userId = randomUUID();
  await publish(userId, 1, 2, 3, 4, 5);
  const heard: number[] = [];
  let inFlight = 0;
  let most = 0;

  relayTo(async ({ revision }) => {
    most = Math.max(most, ++inFlight);
    await sleep(5);
    heard.push(revision);
    inFlight--;
  });

  await expect.poll(waiting, WAIT).toBe(0);
  expect(heard).toEqual([1, 2, 3, 4, 5]);
  expect(most).toBe(1);
});

test('two relays share the work: of a thousand users, each is told of once', async () => {
  const users = Array.from({ length: 1000 }, () => randomUUID());
  await Promise.all(users.map((userId) => publish(userId, 1)));
  const heard: string[] = [];
  const hear = async ({ userId }: UserEvent) => void heard.push(userId);

  relayTo(hear);
  relayTo(hear);

  await expect.poll(waiting, WAIT).toBe(0);
  expect(heard.toSorted()).toEqual(users.toSorted());
});

test('what a relay took and never settled is taken by another after the lease, and not before', async () => {
  await publish(randomUUID(), 1);
  const [taken] = await outbox.claim('scheduling', 10, 3_000);

  expect(await outbox.claim('scheduling', 10, 3_000)).toEqual([]);

  const again = { id: taken?.id, event: taken?.event };
  await expect.poll(() => outbox.claim('scheduling', 10, 60_000), WAIT).toMatchObject([again]);
});

test('a later revision is not taken while an earlier one is under way', async () => {
  const userId = randomUUID();
  await publish(userId, 1, 2);

  const [first] = await outbox.claim('scheduling', 10, 60_000);
  expect(await outbox.claim('scheduling', 10, 60_000)).toEqual([]);
  await outbox.settle([{ id: first?.id ?? '', lease: first?.lease ?? '', kind: 'relayed' }]);

  expect(await outbox.claim('scheduling', 10, 60_000)).toMatchObject([
    { event: { userId, revision: 2 } },
  ]);
});

test('an event that is refused for good is set aside with an alarm; the user goes on with the next', async () => {
  const [refused, other] = [randomUUID(), randomUUID()];
  await publish(refused, 1, 2);
  await publish(other, 1);
  const heard: UserEvent[] = [];

  relayTo(async (event) => {
    if (event.userId === refused && event.revision === 1) throw new EventRefusedError('no? never!');
    heard.push(event);
  });

  await expect.poll(waiting, WAIT).toBe(0);
  expect(heard.map(({ userId, revision }) => [userId, revision])).toEqual(
    expect.arrayContaining([
      [other, 1],
      [refused, 2],
    ]),
  );
  expect(await setAside()).toEqual([{ user_id: refused, revision: 1, last_error: 'no? never!' }]);
  expect(logged).toContainEqual(
    expect.objectContaining({ alarm: 'outbox-entry-set-aside', userId: refused, revision: 1 }),
  );
});

test('an event that fails for reasons of its own is tried again, out of the way of others', async () => {
  const [failing, other] = [randomUUID(), randomUUID()];
  await publish(failing, 1);
  await publish(other, 1);
  const heard: string[] = [];

  relayTo(async ({ userId }) => {
    heard.push(userId);
    if (userId === failing && heard.length < 3) throw new Error('not this time');
  });

  await expect.poll(waiting, WAIT).toBe(0);
  expect(heard.toSorted()).toEqual([failing, failing, other].toSorted());
  expect(heard[1]).toBe(other);
  expect(await setAside()).toEqual([]);
});

test('an event that has failed too often is set aside, once it is known that others pass', async () => {
  const [failing, other] = [randomUUID(), randomUUID()];
  await publish(failing, 1);
  await database.orm.em.fork().execute('update users.outbox set attempts = 9');
  relayTo(async ({ userId }) => {
    if (userId === failing) throw new Error('not this time either');
  });
  await expect.poll(() => failuresOf(failing), WAIT).toBe(10);
  expect(await setAside()).toEqual([]);

  await publish(other, 1);
  await expect.poll(waiting, WAIT).toBe(1);
  await database.orm.em.fork().execute('update users.outbox set next_attempt_at = null');

  await expect.poll(setAside, WAIT).toMatchObject([{ user_id: failing }]);
});

test('while nothing passes, nothing is set aside for being refused: the fault may be ours', async () => {
  await Promise.all(Array.from({ length: 20 }, () => publish(randomUUID(), 1)));
  let tried = 0;
  relayTo(async () => {
    tried++;
    throw new EventRefusedError('the task queue has a name that is too long');
  });
  await expect.poll(() => tried, WAIT).toBeGreaterThan(20);
  expect(await setAside()).toEqual([]);
});

test('a subscriber with a pace is told of no more than that', async () => {
  await Promise.all(Array.from({ length: 150 }, () => publish(randomUUID(), 1)));
  const startedAt = performance.now();
  relayTo(async () => {}, { maxPerSecond: 100 });
  await expect.poll(waiting, WAIT).toBe(0);
  // The last batch of 50 may go out at once.
  expect(performance.now() - startedAt).toBeGreaterThan(900);
});

test('with the scheduler away nothing counts against an event, and all go when it is back', async () => {
  const users = Array.from({ length: 150 }, () => randomUUID());
  await Promise.all(users.map((userId) => publish(userId, 1)));
  const heard: string[] = [];
  let attempts = 0;
  let away = true;

  relayTo(async ({ userId }) => {
    attempts++;
    if (away) throw new SubscriberAwayError('nobody there');
    heard.push(userId);
  });
  await expect.poll(() => attempts, WAIT).toBeGreaterThan(10);
  away = false;

  await expect.poll(waiting, WAIT).toBe(0);
  expect(heard.toSorted()).toEqual(users.toSorted());
  const counts = await database.orm.em.fork().execute('select distinct attempts from users.outbox');
  expect(counts).toEqual([{ attempts: 0 }]);
  const lines = logged.map(({ msg }) => msg);
  expect(lines).toEqual(['waiting to relay; nothing is lost meanwhile', 'relaying again']);
});

test('one user whose workflow never answers does not hold up the others', async () => {
  const stuck = randomUUID();
  await publish(stuck, 1);
  const users = Array.from({ length: 300 }, () => randomUUID());
  await Promise.all(users.map((userId) => publish(userId, 1)));

  relayTo(async ({ userId }) => {
    await sleep(1);
    if (userId === stuck) throw new SubscriberAwayError('deadline exceeded');
  });

  await expect.poll(waiting, WAIT).toBe(1);
});

test('an event is kept while it is under way when the relay is stopped', async () => {
  await publish(randomUUID(), 1);
  let begun = false;
  const relay = relayTo(async () => {
    begun = true;
    await sleep(100);
  });
  await expect.poll(() => begun, WAIT).toBe(true);

  await relay.stop();

  expect(await waiting()).toBe(0);
});

function relayTo(
  handle: (event: UserEvent) => Promise<void>,
  pace: { maxPerSecond?: number } = {},
): Relay {
  const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const relay = startRelay({
    outbox,
    subscribers: [{ name: 'scheduling', handle, ...pace }],
    logger,
  });
  relays.push(relay);
  return relay;
}

async function publish(userId: string, ...revisions: number[]): Promise<void> {
  for (const revision of revisions) {
    await database.orm.em.fork().execute(
      `insert into users.outbox (type, user_id, revision, changed, occurred_at)
       values (?, ?, ?, '{timezone}', now())`,
      [revision === 1 ? 'UserCreated' : 'UserUpdated', userId, revision],
    );
  }
}

async function waiting(): Promise<number> {
  const rows = await database.orm.em
    .fork()
    .execute<object[]>(
      'select id from users.outbox where relayed_at is null and set_aside_at is null',
    );
  return rows.length;
}

async function failuresOf(userId: string): Promise<number | undefined> {
  const [row] = await database.orm.em
    .fork()
    .execute<{ attempts: number }[]>('select attempts from users.outbox where user_id = ?', [
      userId,
    ]);
  return row?.attempts;
}

function setAside(): Promise<object[]> {
  return database.orm.em
    .fork()
    .execute<object[]>(
      'select user_id, revision, last_error from users.outbox where set_aside_at is not null',
    );
}
