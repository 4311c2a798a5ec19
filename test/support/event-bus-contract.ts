/** What every bus of domain events holds, whatever it keeps them in: an outbox and relays on it. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { startRelay, type Relay } from '../../src/relay/relay.ts';
import {
  EventRefusedError,
  SubscriberAwayError,
  type Subscriber,
  type UserEvent,
} from '../../src/users/events.ts';
import type { Outbox } from '../../src/users/outbox.ts';

export interface EventBusFixture {
  readonly outbox: Outbox;
  publish(event: UserEvent): Promise<void>;
  /** How many entries of a subscriber wait, claimed ones too. */
  waiting(subscriber: string): Promise<number>;
  close(): Promise<void>;
}

const WAIT = { timeout: 60_000, interval: 20 };
const LEASE_MS = 700;

/** Declares the tests; to be called in a `describe` of its own. */
export function testEventBus(createBench: () => Promise<EventBusFixture>): void {
  let fixture: EventBusFixture;
  let relays: Relay[];
  beforeEach(async () => {
    fixture = await createBench();
    relays = [];
  });
  afterEach(async () => {
    await Promise.all(relays.map((relay) => relay.stop()));
    await fixture.close();
  });

  test('each subscriber is told of every event, in its own type', async () => {
    const [first, second] = [listener('first'), listener('second')];
    await subscribe(first, second);
    const userId = randomUUID();
    const events: UserEvent[] = [
      { type: 'UserCreated', userId, revision: 1, occurredAt: 1_700_000_000_001 },
      {
        type: 'UserUpdated',
        userId,
        revision: 2,
        occurredAt: 1_700_000_000_002,
        changed: ['firstName', 'timezone'],
      },
      { type: 'UserDeleted', userId, revision: 3, occurredAt: 1_700_000_000_003 },
    ];
    for (const event of events) await fixture.publish(event);

    relay(first, second);

    await expect.poll(() => left(first, second), WAIT).toBe(0);
    expect(first.heard).toEqual(events);
    expect(second.heard).toEqual(events);
  });

  test('of one user, one event at a time goes out, in order, however many relays there are', async () => {
    const users = [randomUUID(), randomUUID(), randomUUID()];
    const inFlight = new Set<string>();
    let overlaps = 0;
    const subscriber = listener('ordered', async ({ userId }) => {
      if (inFlight.has(userId)) overlaps += 1;
      inFlight.add(userId);
      await sleep(2);
      inFlight.delete(userId);
    });
    await subscribe(subscriber);
    for (const revision of REVISIONS) {
      for (const userId of users) await fixture.publish(eventOf(userId, revision));
    }

    for (let count = 0; count < 3; count++) relay(subscriber);

    await expect.poll(() => left(subscriber), WAIT).toBe(0);
    for (const userId of users) expect(subscriber.revisionsOf(userId)).toEqual(REVISIONS);
    expect(overlaps).toBe(0);
  });

  test.for<[string, (signal: AbortSignal) => Promise<void>]>([
    ['fails', () => Promise.reject(new Error('not today'))],
    ['is away', () => Promise.reject(new SubscriberAwayError('nobody there'))],
    [
      'hangs',
      (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    ],
  ])('a subscriber that %s holds up no other, and loses nothing', async ([, handle]) => {
    const broken = listener('broken', (_event, signal) => handle(signal));
    const sound = listener('sound');
    await subscribe(broken, sound);
    const users = Array.from({ length: 60 }, () => randomUUID());
    for (const userId of users) await fixture.publish(eventOf(userId, 1));

    relay(broken, sound);

    await expect.poll(() => left(sound), WAIT).toBe(0);
    expect(sound.users()).toEqual(users.toSorted());
    expect(await left(broken)).toBe(users.length);
  });

  test('an event that is refused goes out of the way; its user and all others go on', async () => {
    const refused = randomUUID();
    const subscriber = listener('choosy', async ({ userId, revision }) => {
      if (userId === refused && revision === 1) throw new EventRefusedError('never');
    });
    await subscribe(subscriber);
    const other = randomUUID();
    for (const userId of [refused, other]) {
      for (const revision of [1, 2, 3]) await fixture.publish(eventOf(userId, revision));
    }

    relay(subscriber);

    await expect.poll(() => left(subscriber), WAIT).toBe(0);
    expect(subscriber.revisionsOf(refused)).toEqual([2, 3]);
    expect(subscriber.revisionsOf(other)).toEqual([1, 2, 3]);
  });

  test('a subscriber that was away is told of everything when it is back', async () => {
    let isAway = true;
    let calls = 0;
    const subscriber = listener('absent', async () => {
      calls += 1;
      if (isAway) throw new SubscriberAwayError('nobody there');
    });
    await subscribe(subscriber);
    const users = Array.from({ length: 120 }, () => randomUUID());
    for (const userId of users) await fixture.publish(eventOf(userId, 1));
    relay(subscriber);
    await expect.poll(() => calls, WAIT).toBeGreaterThan(5);

    isAway = false;

    await expect.poll(() => left(subscriber), WAIT).toBe(0);
    expect(subscriber.users()).toEqual(users.toSorted());
  });

  test('what was under way in a process that died is told again, before what came after it', async () => {
    const userId = randomUUID();
    const subscriber = listener('steady');
    await subscribe(subscriber);
    for (const revision of [1, 2, 3]) await fixture.publish(eventOf(userId, revision));
    // It has told the subscriber, and dies before it can say so.
    const dies: Outbox = { ...fixture.outbox, settle: () => new Promise(() => {}) };
    startRelay({ ...relayOptions(dies), subscribers: [subscriber] });
    await expect.poll(() => subscriber.heard.length, WAIT).toBe(1);

    relay(subscriber);

    await expect.poll(() => left(subscriber), WAIT).toBe(0);
    expect(subscriber.revisionsOf(userId)).toEqual([1, 1, 2, 3]);
  });

  test('of two that have had an event, what the first makes of it too late says nothing', async () => {
    await fixture.outbox.subscribe('late');
    await fixture.publish(eventOf(randomUUID(), 1));
    const [first] = await fixture.outbox.claim('late', 10, 1);
    await expect
      .poll(async () => (await fixture.outbox.claim('late', 10, 60_000)).length, WAIT)
      .toBe(1);

    await fixture.outbox.settle([
      { id: first?.id ?? '', lease: first?.lease ?? '', kind: 'relayed' },
    ]);

    expect(await fixture.waiting('late')).toBe(1);
  });

  test('a subscriber is told of what happens from its first day on, also while it is not there', async () => {
    const userId = randomUUID();
    await fixture.publish(eventOf(userId, 1));
    const subscriber = listener('newcomer');
    await subscribe(subscriber);
    await fixture.publish(eventOf(userId, 2));
    const first = relay(subscriber);
    await expect.poll(() => left(subscriber), WAIT).toBe(0);
    await first.stop();
    await fixture.publish(eventOf(userId, 3));

    relay(subscriber);

    await expect.poll(() => left(subscriber), WAIT).toBe(0);
    expect(subscriber.revisionsOf(userId)).toEqual([2, 3]);
  });

  test('what a subscriber does not want is not told, and holds up nothing', async () => {
    const userId = randomUUID();
    const subscriber = {
      ...listener('deletions'),
      wants: ({ type }: UserEvent) => type === 'UserDeleted',
    };
    await subscribe(subscriber);
    for (const revision of [1, 2]) await fixture.publish(eventOf(userId, revision));
    await fixture.publish({ type: 'UserDeleted', userId, revision: 3, occurredAt: 3 });

    relay(subscriber);

    await expect.poll(() => left(subscriber), WAIT).toBe(0);
    expect(subscriber.revisionsOf(userId)).toEqual([3]);
  });

  function relay(...subscribers: Subscriber[]): Relay {
    const started = startRelay({ ...relayOptions(fixture.outbox), subscribers });
    relays.push(started);
    return started;
  }

  async function subscribe(...subscribers: Subscriber[]): Promise<void> {
    for (const subscriber of subscribers) await fixture.outbox.subscribe(subscriber.name);
  }

  async function left(...subscribers: Subscriber[]): Promise<number> {
    const counts = await Promise.all(subscribers.map(({ name }) => fixture.waiting(name)));
    return counts.reduce((sum, count) => sum + count, 0);
  }
}

function relayOptions(outbox: Outbox) {
  return { outbox, logger: pino({ level: 'silent' }), leaseMs: LEASE_MS };
}

const REVISIONS = [1, 2, 3, 4, 5, 6];

function eventOf(userId: string, revision: number): UserEvent {
  const about = { userId, revision, occurredAt: 1_700_000_000_000 + revision };
  return revision === 1
    ? { type: 'UserCreated', ...about }
    : { type: 'UserUpdated', ...about, changed: ['timezone'] };
}

/** A subscriber that keeps what it was told and took. */
function listener(name: string, handle: Subscriber['handle'] = async () => {}) {
  const heard: UserEvent[] = [];
  return {
    name,
    heard,
    async handle(event: UserEvent, signal: AbortSignal) {
      await handle(event, signal);
      heard.push(event);
    },
    revisionsOf: (userId: string) =>
      heard.filter((event) => event.userId === userId).map(({ revision }) => revision),
    users: () => heard.map(({ userId }) => userId).toSorted(),
  };
}
