/** What stays in the database of a user who was erased, when, and what an audit makes of it. */
import { pino } from 'pino';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createErasureActivities } from '../../src/activities/erasure.ts';
import type { ErasureLedger } from '../../src/events/erasure.ts';
import { createErasureLedger } from '../../src/persistence/erasure.ts';
import { noteRestore } from '../../src/persistence/restored.ts';
import { counted, DAY, HOUR, useAuditFixture } from '../support/audit-fixture.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

const fixture = useAuditFixture();

const BERLIN = { dateOfBirth: '1990-05-20', timezone: 'Europe/Berlin' };
const MAY_20 = '2026-05-20';
/** In Berlin. */
const NINE_O_CLOCK = Date.UTC(2026, 4, 20, 7);
const SPRING = Date.UTC(2026, 3, 1);
const LATER = NINE_O_CLOCK + 10 * DAY;
const ALL = 100;

let erasures: ErasureLedger;
beforeAll(() => {
  erasures = createErasureLedger(fixture.orm);
});
beforeEach(() => fixture.sql('truncate events.findings'));

/** Somebody of Berlin, settled on the day; gives the id. */
async function settled(state: 'COMPLETED' | 'FAILED' = 'COMPLETED'): Promise<string> {
  const userId = await fixture.add(BERLIN, SPRING);
  await fixture.settle(`birthday:${userId}:2026`, state, NINE_O_CLOCK + 40);
  await fixture.plan(userId, NINE_O_CLOCK + 40);
  return userId;
}

/** Deleted, and told to the followers. */
async function remove(userId: string, at = LATER): Promise<void> {
  await fixture.remove(userId, at);
  await fixture.sql('update users.outbox set relayed_at = clock_timestamp()');
}

const rowsOf = async (userId: string): Promise<Record<string, number>> => {
  const [row] = await fixture.sql<Record<string, number>>(
    `select (select count(*)::int from users.history where user_id = ids.id) as history,
      (select count(*)::int from events.occurrences where user_id = ids.id) as occurrences,
      (select count(*)::int from events.attempts
        where occurrence_key like 'birthday:' || ids.id || ':%') as attempts,
      (select count(*)::int from events.findings where user_id = ids.id) as findings
     from (select ?::uuid as id) as ids`,
    [userId],
  );
  return row ?? {};
};
const NOTHING = { history: 0, occurrences: 0, attempts: 0, findings: 0 };

describe('of an erased user', () => {
  test('keys and numbers stay, and no date, zone or instant', async () => {
    const userId = await settled();
    await remove(userId);
    await fixture.sql(
      `insert into events.findings (subject, kind, user_id, due_at)
       values ('birthday:' || ?, 'orphaned', ?, now())`,
      [userId, userId],
    );
    expect(await erasures.eraseFromDatabase(0, ALL)).toBe(1);
    expect(await rowsOf(userId)).toEqual(NOTHING);
    expect(await fixture.sql('select * from events.erased_occurrences order by key')).toEqual([
      {
        key: `birthday:${userId}:2026`,
        event_type: 'birthday',
        user_id: userId,
        state: 'COMPLETED',
        reason: null,
        attempts: 1,
        lateness_ms: expect.anything(),
        redeliveries: 0,
      },
      expect.objectContaining({
        key: `birthday:${userId}:2027`,
        state: 'SKIPPED',
        reason: 'user_deleted',
        attempts: 0,
      }),
    ]);
    expect(await erasures.eraseFromDatabase(0, ALL)).toBe(0);
  });

  test('what was set aside goes, but for the news of the deletion to other subscribers', async () => {
    const [userId, kept] = [await settled(), await fixture.add(BERLIN, SPRING)];
    await remove(userId);
    const setAside = `relayed_at = null, set_aside_at = now(), last_error = 'no Ada of 1990'`;
    await fixture.sql(`update users.outbox set ${setAside}`);
    // The news that the user is there has not been told to it yet.
    const copy = `insert into users.outbox (subscriber, type, user_id, revision, occurred_at,
      set_aside_at, last_error) select 'crm', type, user_id, revision, occurred_at,
      case when type = 'UserDeleted' then now() end, last_error from users.outbox`;
    await fixture.sql(`${copy} where user_id = ?`, [userId]);
    const left = (id: string) =>
      fixture.sql(
        `select subscriber, type, set_aside_at is not null as "isSetAside", last_error as error
         from users.outbox where user_id = ? order by id`,
        [id],
      );
    const forCrm = { subscriber: 'crm', isSetAside: true, error: null };

    expect(await erasures.eraseFromDatabase(0, ALL)).toBe(1);
    expect(await left(userId)).toEqual([
      { ...forCrm, type: 'UserCreated', isSetAside: false, error: 'no Ada of 1990' },
      { ...forCrm, type: 'UserDeleted' },
    ]);
    expect(await left(kept)).toMatchObject([{ type: 'UserCreated', error: 'no Ada of 1990' }]);
  });

  test('an audit of the day still adds up, and calls nothing forged', async () => {
    await settled();
    const gone = [await settled(), await settled(), await settled('FAILED')];
    const before = await fixture.audit(MAY_20, LATER);
    for (const userId of gone) await remove(userId);
    await erasures.eraseFromDatabase(0, 2);
    await erasures.eraseFromDatabase(0, 2);
    const after = await fixture.audit(MAY_20, LATER);
    expect(after.due).toBe(before.due);
    expect(counted(after)).toEqual({ due: 4, delivered: 1, erased: 3 });
    expect(after.erased).toEqual({ total: 3, delivered: 2, failed: 1, skipped: 0 });
  });

  test('an audit does not count the birthdays that were to come', async () => {
    const early = await fixture.add(BERLIN, SPRING);
    await remove(early, NINE_O_CLOCK - HOUR);
    await erasures.eraseFromDatabase(0, ALL);
    expect(counted(await fixture.audit(MAY_20, LATER))).toEqual({});
    expect(counted(await fixture.audit('2027-05-20', LATER))).toEqual({});
  });

  test('a row that comes up afterwards is forged', async () => {
    const userId = await settled();
    await remove(userId);
    await erasures.eraseFromDatabase(0, ALL);
    const key = await plantOccurrence(fixture.sql, { user_id: userId, state: 'COMPLETED' });
    const { forged } = await fixture.audit(MAY_20, LATER);
    expect(forged.first).toEqual([{ key, reason: 'unknown_user' }]);
  });
});

describe('a deleted user is left alone', () => {
  test.for([
    ['whose occurrence is being sent', `update events.occurrences set state = 'PROCESSING'`],
    ['whose outcome is not reported', `update events.occurrences set report = 'delivered'`],
    ['of whose deletion nobody was told', 'update users.outbox set relayed_at = null'],
    [
      'who is there again',
      `insert into users.users select user_id, null, 'Ada', '', '1990-05-20',
       'UTC', 9, now(), now(), now() from users.erasures`,
    ],
  ] as const)('%s', async ([_why, change]) => {
    const userId = await settled();
    await remove(userId);
    await fixture.sql(change);
    expect(await erasures.eraseFromDatabase(0, ALL)).toBe(0);
    expect((await rowsOf(userId))['occurrences']).toBe(2);
  });

  test('for as long as ERASE_AFTER says', async () => {
    const userId = await settled();
    await remove(userId);
    expect(await erasures.eraseFromDatabase(HOUR, ALL)).toBe(0);
    expect(await erasures.findState(HOUR)).toMatchObject({ waiting: 0, oldest: null });
    await fixture.sql(`update users.erasures set deleted_at = now() - interval '61 minutes'`);
    expect(await erasures.findState(HOUR)).toMatchObject({ waiting: 1, oldest: { userId } });
    expect(await erasures.eraseFromDatabase(HOUR, ALL)).toBe(1);
  });
});

test('users who are not deleted lose nothing', async () => {
  const userId = await settled();
  await fixture.sql('update users.outbox set relayed_at = clock_timestamp()');
  expect(await erasures.eraseFromDatabase(0, ALL)).toBe(0);
  expect(await rowsOf(userId)).toMatchObject({ history: 1, occurrences: 2, attempts: 1 });
});

test('a user whom a hand has deleted in the database is noted as well', async () => {
  const userId = await settled();
  await fixture.sql('delete from users.users where id = ?', [userId]);
  expect(await erasures.findState(0)).toMatchObject({ waiting: 1, oldest: { userId } });
});

test('a user whom a hand has deleted loses what the deletion by the API would have taken', async () => {
  const userId = await fixture.add(BERLIN, SPRING);
  await fixture.change(userId, { timezone: 'Europe/Vienna' }, NINE_O_CLOCK - DAY);
  await fixture.settle(`birthday:${userId}:2026`, 'COMPLETED', NINE_O_CLOCK + 40);
  await fixture.sql(
    `insert into users.idempotency_keys (key, request_hash, user_id, body, created_at)
     values ('signup-1', 'hash', ?, '{"firstName": "Ada", "dateOfBirth": "1990-05-20"}', now())`,
    [userId],
  );
  await fixture.sql('delete from users.users where id = ?', [userId]);
  await fixture.plan(userId, LATER);
  await fixture.sql('update users.outbox set relayed_at = clock_timestamp()');
  expect(await erasures.eraseFromDatabase(0, ALL)).toBe(1);
  expect(
    await fixture.sql('select body, request_hash from users.idempotency_keys where user_id = ?', [
      userId,
    ]),
  ).toEqual([{ body: null, request_hash: '' }]);
  // Their last date and zone were never closed; what was due since counts all the same.
  expect((await fixture.audit(MAY_20, LATER)).erased).toMatchObject({ total: 1, delivered: 1 });
});

test('of two at once, each user is erased by one', async () => {
  for (let user = 0; user < 6; user++) await remove(await settled());
  const both = await Promise.all([1, 2].map(() => erasures.eraseFromDatabase(0, 3)));
  expect(both.reduce((sum, count) => sum + count)).toBe(6);
  expect((await fixture.audit(MAY_20, LATER)).erased.total).toBe(6);
});

describe('Temporal', () => {
  test('is asked for each user once in ten seconds, with all that the user had', async () => {
    const userId = await settled();
    await remove(userId);
    await fixture.sql('update events.occurrences set redeliveries = 2 where year = 2026');
    await erasures.eraseFromDatabase(0, ALL);
    const taken = await erasures.takeForTemporal(ALL);
    expect(taken).toEqual([
      {
        userId,
        occurrences: [
          { key: `birthday:${userId}:2026`, eventType: 'birthday', redeliveries: 2 },
          { key: `birthday:${userId}:2027`, eventType: 'birthday', redeliveries: 0 },
        ],
      },
    ]);
    expect(await erasures.takeForTemporal(ALL)).toEqual([]);
    await fixture.sql(`update users.erasures set asked_at = now() - interval '11 seconds'`);
    expect(await erasures.takeForTemporal(ALL)).toHaveLength(1);
    await erasures.markErasedFromTemporal([userId]);
    await fixture.sql(`update users.erasures set asked_at = now() - interval '11 seconds'`);
    expect(await erasures.takeForTemporal(ALL)).toEqual([]);
    expect((await erasures.findState(0)).waiting).toBe(0);
  });

  test('is asked again after a restore, which may have brought workflows back', async () => {
    const userId = await settled();
    await remove(userId);
    await erasures.eraseFromDatabase(0, ALL);
    await erasures.markErasedFromTemporal([userId]);
    await noteRestore(fixture.orm, 'restored');
    expect(await erasures.takeForTemporal(ALL)).toMatchObject([{ userId }]);
  });
});

/** The activity, with a Temporal in which everything is gone, or something runs. */
const eraseWith = (left: 'running' | null) => {
  const lines: object[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const { erase } = createErasureActivities({
    erasures,
    workflows: {
      remove: async ({ followers: [id = ''] }) => ({
        runs: 0,
        left: new Map(left === null ? [] : [[id, left]]),
      }),
    },
    eventTypes: ['birthday'],
    logger,
    raiseAlarm: (fields, message) => logger.error(fields, message),
  });
  return { lines, erase: () => erase({ eraseAfterMs: 0 }) };
};

describe('the activity', () => {
  test('goes on until nobody is left, and says so once', async () => {
    for (let user = 0; user < 3; user++) await remove(await settled());
    const { lines, erase } = eraseWith(null);
    expect(await erase()).toEqual({
      erased: { fromDatabase: 3, fromTemporal: 3, runs: 0 },
      more: false,
      deleting: false,
    });
    expect(lines).toMatchObject([{ level: 30, fromDatabase: 3, waiting: 0 }]);
    await erase();
    expect(lines).toHaveLength(1);
  });

  test('raises an alarm when somebody has waited for more than a day', async () => {
    const userId = await settled();
    await remove(userId);
    const { lines, erase } = eraseWith('running');
    expect((await erase()).erased.fromTemporal).toBe(0);
    expect(lines).toMatchObject([{ level: 30 }]);
    await fixture.sql(`update users.erasures set deleted_at = now() - interval '25 hours'`);
    await erase();
    expect(lines.at(-1)).toMatchObject({ level: 50, waiting: 1, userId, store: 'temporal' });
  });
});
