import { randomUUID } from 'node:crypto';

import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createMetrics } from '../../src/platform/metrics.ts';
import type { Loop } from '../../src/platform/loop.ts';
import { createOutboxMetrics } from '../../src/planning/metrics.ts';
import { createOutboxConsumer } from '../../src/planning/outbox-consumer.ts';
import type { Planner } from '../../src/planning/planner.ts';
import { createRequestsFirst, stampSlowRequests } from '../../src/planning/pace/requests-first.ts';
import type { PlanOutcome } from '../../src/planning/write-plans.ts';
import { createOutbox, type Outbox } from '../../src/users/outbox.ts';
import { valueOf } from '../support/metrics.ts';
import { birthdayOf, usePlanningFixture } from '../support/planning-fixture.ts';

const WAIT = { timeout: 60_000, interval: 20 };

const fixture = usePlanningFixture();
let outbox: Outbox;
let consumers: Loop[];
let logged: Record<string, unknown>[];
beforeEach(() => {
  outbox = createOutbox(fixture.database.orm);
  consumers = [];
  logged = [];
});
afterEach(() => Promise.all(consumers.map((consumer) => consumer.stop())));

describe('the outbox', () => {
  test('is planned until nothing waits, with several changes of one user as one', async () => {
    const [one, other] = [await fixture.rows.addUser(), await fixture.rows.addUser()];
    await publish(one, 1, 2, 3, 4, 5);
    await publish(other, 1);
    const planned: string[] = [];
    consume(watched((refs) => planned.push(...refs)));
    await expect.poll(waiting, WAIT).toBe(0);
    expect(planned.toSorted()).toEqual([one, one, one, one, one, other].toSorted());
    expect(await versionOf(one)).toBe(1);
    expect(await fixture.rows.find(`birthday:${one}:2026`)).toMatchObject({ state: 'PENDING' });
  });

  test('is shared by two schedulers: nobody is planned twice', async () => {
    const users = await fixture.rows.addUsers(400);
    for (const userId of users) await publish(userId, 1);
    consume(fixture.planner);
    consume(fixture.planner);
    await expect.poll(waiting, WAIT).toBe(0);
    expect(
      await fixture.rows.sql(
        'select count(*)::int as rows, max(version)::int as version from events.occasions',
      ),
    ).toEqual([{ rows: 400, version: 1 }]);
  });

  test('is planned slowly while requests are slow', async () => {
    for (const userId of await fixture.rows.addUsers(250)) await publish(userId, 1);
    await stampSlowRequests(fixture.database.orm)();
    const pages: number[] = [];
    consume(fixture.planner, (results) => pages.push(results.length));
    await expect.poll(waiting, WAIT).toBe(0);
    expect(pages[0]).toBe(100);
    await fixture.rows.sql('update events.slow_requests set stamped_at = null');
  });

  test('names occasions, of which only those are planned', async () => {
    const userId = await fixture.rows.addUser();
    await fixture.rows.sql(
      `insert into users.outbox (type, user_id, occasion_type, occasion_id, revision, occurred_at)
       values ('UserUpdated', :userId, 'reminder', gen_random_uuid(), 2, now())`,
      { userId },
    );
    consume(fixture.planner);
    await expect.poll(waiting, WAIT).toBe(0);
    expect(await fixture.occasionOf(userId)).toBeNull();
  });

  test('is claimed again after its lease if a scheduler died with it', async () => {
    const userId = await fixture.rows.addUser();
    await publish(userId, 1);
    expect(await outbox.claim(10, 60_000)).toHaveLength(1);
    expect(await outbox.claim(10, 60_000)).toEqual([]);
    await fixture.setClock(fixture.now + 61_000);
    consume(fixture.planner);
    await expect.poll(waiting, WAIT).toBe(0);
  });

  test('is left to its current claim', async () => {
    await publish(await fixture.rows.addUser(), 1);
    const [early] = await outbox.claim(10, 1_000);
    await fixture.setClock(fixture.now + 2_000);
    await outbox.claim(10, 1_000);
    await outbox.acknowledge([
      { id: early?.id ?? '', leaseToken: early?.leaseToken ?? 0, kind: 'done' },
    ]);
    expect(await waiting()).toBe(1);
  });

  test('waits, which is logged once, while the database cannot be used for planning', async () => {
    const userId = await fixture.rows.addUser();
    await publish(userId, 1);
    let tries = 0;
    consume({
      ...fixture.planner,
      async plan(refs) {
        tries += 1;
        if (tries < 4) throw new Error('the database is away');
        return fixture.planner.plan(refs);
      },
    });
    await expect.poll(waiting, WAIT).toBe(0);
    expect(await attemptsOf(userId)).toBe(0);
    expect(logged.map(({ msg }) => msg)).toEqual([
      'waiting to plan; nothing is lost meanwhile',
      'planning again',
    ]);
  });
});

describe('a user who cannot be planned', () => {
  test('delays nobody, and is retried after a pause', async () => {
    const [failing, other] = [await fixture.rows.addUser(), await fixture.rows.addUser()];
    await publish(failing, 1);
    await publish(other, 1);
    const metrics = createMetrics();
    consume(failingFor(failing), createOutboxMetrics(metrics));
    await expect.poll(waiting, WAIT).toBe(1);
    expect(await fixture.rows.find(`birthday:${other}:2026`)).toMatchObject({ state: 'PENDING' });
    await expect.poll(() => attemptsOf(failing), WAIT).toBe(1);
    const count = async (result: string) =>
      valueOf(await metrics.metrics(), 'daybell_outbox_entries_total', { result });
    expect([await count('done'), await count('failed'), await count('parked')]).toEqual([1, 1, 0]);
    await fixture.setClock(fixture.now + 1_001);
    await expect.poll(() => attemptsOf(failing), WAIT).toBe(2);
  });

  test('is parked with an alarm in the end, once it is known that others succeed', async () => {
    const [failing, other] = [await fixture.rows.addUser(), await fixture.rows.addUser()];
    await publish(failing, 1);
    await fixture.rows.sql('update users.outbox set attempts = 9');
    consume(failingFor(failing));
    await expect.poll(() => attemptsOf(failing), WAIT).toBe(10);
    expect(await parked()).toEqual([]);

    await publish(other, 1);
    await expect.poll(waiting, WAIT).toBe(1);
    await fixture.setClock(fixture.now + 6 * 60_000);
    await expect
      .poll(parked, WAIT)
      .toMatchObject([{ user_id: failing, last_error: 'not\u0020 now' }]);
    expect(logged).toContainEqual(
      expect.objectContaining({ alarm: 'outbox-entry-parked', userId: failing }),
    );
  });

  test('because it is being sent has not failed: it is retried in seconds, when that may have ended', async () => {
    const userId = await fixture.rows.addUser();
    await publish(userId, 1);
    let plans = 0;
    consume({
      ...fixture.planner,
      async plan(refs) {
        plans += 1;
        if (plans > 1) return fixture.planner.plan(refs);
        return refs.map((ref) => ({ ...ref, kind: 'deferred', until: fixture.now + 25_000 }));
      },
    });
    await expect.poll(() => plans, WAIT).toBe(1);
    await expect.poll(() => outbox.claim(10, 1), WAIT).toEqual([]);
    await fixture.setClock(fixture.now + 5_001);
    await expect.poll(waiting, WAIT).toBe(0);
    expect(await attemptsOf(userId)).toBe(0);
  });
});

describe('one user with many entries', () => {
  test('costs others nothing: a claim reads as much as beside an empty outbox', async () => {
    // What other tests have deleted would be read, too.
    await fixture.rows.sql('truncate users.outbox');
    const others = await fixture.rows.addUsers(50);
    for (const userId of others) await publish(userId, 1);
    const alone = await buffersOfClaim();

    await fixture.rows.sql('truncate users.outbox');
    const busy = await fixture.rows.addUser();
    await fixture.rows.sql(
      `insert into users.outbox (type, user_id, revision, occurred_at, available_at, done_at)
       select 'UserUpdated', :busy, n, users.clock(), users.clock(), users.clock()
       from generate_series(1, 10000) as n`,
      { busy },
    );
    for (const userId of others) await publish(userId, 1);
    await fixture.rows.sql(
      `insert into users.outbox (type, user_id, revision, occurred_at)
       select 'UserUpdated', :busy, n, users.clock() from generate_series(10001, 10500) as n`,
      { busy },
    );
    await fixture.rows.sql('analyze users.outbox');
    expect(await buffersOfClaim()).toBeLessThan(alone * 2);

    await fixture.rows.sql(
      'update users.outbox set available_at = users.clock() where done_at is null',
    );
    consume(fixture.planner);
    await expect.poll(waiting, WAIT).toBe(0);
    expect(await versionOf(busy)).toBeLessThan(4);
  });
});

/** What the claim reads: compared with a claim among nothing else, not with a time. */
const buffersOfClaim = async (): Promise<number> => {
  const statements: string[] = [];
  const { orm } = fixture.database;
  const spying = Object.create(orm.em.fork(), {
    execute: {
      value: async (sql: string, params: object) => {
        const [plan] = await orm.em
          .fork()
          .execute<Record<string, { Plan: Record<string, number> }[]>[]>(
            `explain (analyze, buffers, format json) ${sql}`,
            params as Record<string, unknown>,
          );
        statements.push(JSON.stringify(plan));
        return [];
      },
    },
  });
  await createOutbox({ em: { fork: () => spying } } as unknown as typeof orm).claim(50, 1_000);
  const [text = '[]'] = statements;
  const [found] = Object.values(
    JSON.parse(text) as Record<string, { Plan: Record<string, number> }[]>,
  );
  const plan = found?.[0]?.Plan ?? {};
  return (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
};

function consume(
  planner: Planner,
  onResults?: Parameters<typeof createOutboxConsumer>[0]['onResults'],
) {
  const consumer = createOutboxConsumer({
    outbox,
    planner,
    areRequestsSlow: createRequestsFirst(fixture.database.orm),
    logger: pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) }),
    ...(onResults !== undefined && { onResults }),
  });
  consumers.push(consumer);
  consumer.start();
}

function watched(onPlan: (userIds: string[]) => void): Planner {
  return {
    ...fixture.planner,
    plan(refs) {
      onPlan(refs.map(({ id }) => id));
      return fixture.planner.plan(refs);
    },
  };
}

function failingFor(userId: string): Planner {
  return {
    ...fixture.planner,
    async plan(refs) {
      const outcomes = await fixture.planner.plan(refs.filter(({ id }) => id !== userId));
      const failed: PlanOutcome[] = refs
        .filter(({ id }) => id === userId)
        .map((ref) =>
          Object.assign(birthdayOf(ref.id), {
            kind: 'failed',
            error: new Error('not\0 now'),
          } as const),
        );
      return [...outcomes, ...failed];
    },
  };
}

async function publish(userId: string = randomUUID(), ...revisions: number[]): Promise<void> {
  for (const revision of revisions) {
    await fixture.rows.sql(
      `insert into users.outbox (type, user_id, revision, occurred_at)
       values (:type, :userId, :revision, users.clock())`,
      { type: revision === 1 ? 'UserCreated' : 'UserUpdated', userId, revision },
    );
  }
}

async function waiting(): Promise<number> {
  const rows = await fixture.rows.sql(
    'select from users.outbox where done_at is null and parked_at is null',
  );
  return rows.length;
}

async function attemptsOf(userId: string): Promise<number | undefined> {
  const [row] = await fixture.rows.sql<{ attempts: number }>(
    'select attempts from users.outbox where user_id = ?',
    [userId],
  );
  return row?.attempts;
}

function parked(): Promise<object[]> {
  return fixture.rows.sql(
    'select user_id, last_error from users.outbox where parked_at is not null',
  );
}

async function versionOf(userId: string): Promise<number> {
  return (await fixture.occasionOf(userId))?.version ?? 0;
}
