// @module-tag long
/** What stays in the database of an erased user, when, and how an audit counts it. */
import { createHash, randomUUID } from 'node:crypto';

import { pino } from 'pino';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createErasureActivities } from '../../src/activities/erasure.ts';
import { createErasure, type Erasure } from '../../src/erasure/erasure.ts';
import { createOperatorLog } from '../../src/operator-log/operator-log.ts';
import { noteRestore } from '../../src/reconcile/stores.ts';
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

let erasure: Erasure;
beforeAll(() => {
  erasure = createErasure(fixture.orm);
});
beforeEach(() => fixture.sql('truncate events.findings'));

/** A user in Berlin, settled on the day; returns the id. */
async function settled(state: 'COMPLETED' | 'FAILED' = 'COMPLETED'): Promise<string> {
  const userId = await fixture.add(BERLIN, SPRING);
  await fixture.settle(`birthday:${userId}:2026`, state, NINE_O_CLOCK + 40);
  await fixture.plan(userId, NINE_O_CLOCK + 40);
  return userId;
}

/** Deleted, and planned. */
async function remove(userId: string, at = LATER): Promise<void> {
  await fixture.remove(userId, at);
}

/** A waiting event of the user in the outbox. */
const addEvent = (userId: string, type = 'UserDeleted') =>
  fixture.sql(
    `insert into users.outbox (type, user_id, revision, occurred_at)
     values (:type, :userId::uuid, 2, clock_timestamp())`,
    { type, userId },
  );

const NO_FILTER = { subject: null, actor: null, from: null, to: null };

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest();

const rowsOf = async (userId: string): Promise<Record<string, number>> => {
  const [row] = await fixture.sql<Record<string, number>>(
    `select (select count(*)::int from users.history where user_id = ids.id) as history,
      (select count(*)::int from events.occurrences where user_id = ids.id) as occurrences,
      (select count(*)::int from events.attempts
        where occurrence_key like 'birthday:' || ids.id || ':%') as attempts,
      (select count(*)::int from events.occasions where user_id = ids.id) as occasions,
      (select count(*)::int from events.findings where user_id = ids.id) as findings
     from (select ?::uuid as id) as ids`,
    [userId],
  );
  return row ?? {};
};
const NOTHING = { history: 0, occurrences: 0, occasions: 0, attempts: 0, findings: 0 };

describe('of an erased user', () => {
  test('hashes of keys and numbers stay, but no key, date, zone or instant', async () => {
    const userId = await settled();
    await remove(userId);
    await fixture.sql(
      `insert into events.findings
         (subject, kind, occasion_type, occasion_id, user_id, due_at, note)
       values ('birthday/' || :userId, 'unplanned', 'birthday', :userId::uuid, :userId::uuid,
         now(), 'it has no open row')`,
      { userId },
    );
    expect(await erasure.eraseFromDatabase(0, ALL)).toBe(1);
    expect(await rowsOf(userId)).toEqual(NOTHING);
    const erased = await fixture.sql<{ key_hash: Buffer }>(
      'select * from events.erased_occurrences order by state',
    );
    expect(erased).toEqual([
      {
        key_hash: hashOf(`birthday:${userId}:2026`),
        occasion_type: 'birthday',
        user_id: userId,
        state: 'COMPLETED',
        reason: null,
        attempts: 1,
        lateness_ms: expect.anything(),
        redeliveries: 0,
        erased_at: expect.anything(),
      },
      expect.objectContaining({
        key_hash: hashOf(`birthday:${userId}:2027`),
        state: 'SKIPPED',
        reason: 'user_deleted',
        attempts: 0,
      }),
    ]);
    expect(await erasure.eraseFromDatabase(0, ALL)).toBe(0);
  });

  test('a redelivery stays in the operator log, without the user', async () => {
    const [userId, kept] = [await settled(), await settled()];
    const log = createOperatorLog(fixture.orm);
    const occasionId = randomUUID();
    const note = async (action: string, subject: string, detail = {}) => {
      const id = await log.open({ actor: 'ops', via: 'api', action, subject });
      await log.note(id, detail, null);
      await log.close(id, 202);
    };
    await fixture.sql(
      `insert into users.occasion_periods
         (occasion_id, occasion_type, user_id, date, recurrence, valid_from)
       values (:occasionId::uuid, 'reminder', :userId::uuid, '2026-02-01', 'daily', now())`,
      { occasionId, userId },
    );
    await note('redeliverOccurrence', `birthday:${userId}:2026`);
    await note('redeliverOccurrence', `reminder:${occasionId}:2026-02-03`);
    await note('redeliverOccurrences', userId, { filter: { userId, from: '2026-05-20' } });
    await note('deleteUser', userId);
    await note('redeliverOccurrence', `birthday:${kept}:2026`, { force: true });
    await remove(userId);
    await fixture.sql('update users.occasion_periods set valid_until = now()');

    expect(await erasure.eraseFromDatabase(0, ALL)).toBe(1);
    const unnamed = { action: 'redeliverOccurrence', subject: null, detail: {} };
    const { entries } = await log.findPage(NO_FILTER, null, ALL);
    expect(entries.toReversed()).toMatchObject([
      unnamed,
      unnamed,
      { action: 'redeliverOccurrences', subject: null, detail: {} },
      { action: 'deleteUser', subject: userId },
      { subject: `birthday:${kept}:2026`, detail: { force: true } },
    ]);
  });

  test('parked events are removed, and those that are done wait for their retention', async () => {
    const [userId, kept] = [await settled(), await fixture.add(BERLIN, SPRING)];
    await remove(userId);
    for (const id of [userId, kept]) {
      await addEvent(id, 'UserCreated');
      await addEvent(id, 'UserUpdated');
    }
    await fixture.sql(
      `update users.outbox set parked_at = now(), last_error = 'no Ada of 1990'
       where type = 'UserUpdated'`,
    );
    await fixture.sql(`update users.outbox set done_at = now() where type = 'UserCreated'`);
    const left = async (id: string) => {
      const events = await fixture.sql<{ type: string }>(
        'select type from users.outbox where user_id = :id order by id',
        { id },
      );
      return events.map(({ type }) => type);
    };

    expect(await erasure.eraseFromDatabase(0, ALL)).toBe(1);
    expect(await left(userId)).toEqual(['UserCreated']);
    expect(await left(kept)).toEqual(['UserCreated', 'UserUpdated']);
  });

  test('an audit of the day still adds up, and finds nothing unexpected', async () => {
    await settled();
    const gone = [await settled(), await settled(), await settled('FAILED')];
    const before = await fixture.audit(MAY_20, LATER);
    for (const userId of gone) await remove(userId);
    await erasure.eraseFromDatabase(0, 2);
    await erasure.eraseFromDatabase(0, 2);
    const after = await fixture.audit(MAY_20, LATER);
    expect(after.due).toBe(before.due);
    expect(counted(after)).toEqual({ due: 4, delivered: 1, erased: 3 });
    expect(after.erased).toEqual({ total: 3, delivered: 2, failed: 1, skipped: 0 });
  });

  test('an audit does not count the birthdays that were still to come', async () => {
    const early = await fixture.add(BERLIN, SPRING);
    await remove(early, NINE_O_CLOCK - HOUR);
    await erasure.eraseFromDatabase(0, ALL);
    expect(counted(await fixture.audit(MAY_20, LATER))).toEqual({});
    expect(counted(await fixture.audit('2027-05-20', LATER))).toEqual({});
  });

  test('a row that appears afterwards is unexpected', async () => {
    const userId = await settled();
    await remove(userId);
    await erasure.eraseFromDatabase(0, ALL);
    const key = await plantOccurrence(fixture.sql, { user_id: userId, state: 'COMPLETED' });
    const { unexpected } = await fixture.audit(MAY_20, LATER);
    expect(unexpected.first).toEqual([key]);
  });
});

describe('a deleted user is left alone', () => {
  test.for([
    [
      'whose occurrence is being sent',
      `update events.occurrences set state = 'PENDING', settled_at = null, reason = null,
         lease_until = due_at, next_attempt_at = due_at
       where nominal_date = '2027-05-20'`,
    ],
    [
      'whose occurrence waits to be sent again',
      `update events.occurrences set state = 'PENDING', settled_at = null, reason = null,
         next_attempt_at = now(), redeliveries = 1, redelivered_at = now(), priority = 1
       where nominal_date = '2026-05-20'`,
    ],
    ['whose deletion has not been planned', 'update events.occasions set ended_at = null'],
    [
      'who is there again',
      `insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
         created_at, updated_at, inputs_changed_at)
       select user_id, 'Ada', '', '1990-05-20', 'UTC', 9, now(), now(), now() from users.erasures`,
    ],
  ] as const)('%s', async ([_why, change]) => {
    const userId = await settled();
    await remove(userId);
    await fixture.sql(change);
    expect(await erasure.eraseFromDatabase(0, ALL)).toBe(0);
    expect((await rowsOf(userId))['occurrences']).toBe(2);
  });

  test('with a waiting event in the outbox', async () => {
    const userId = await settled();
    await remove(userId);
    await addEvent(userId);
    expect(await erasure.eraseFromDatabase(0, ALL)).toBe(0);
    await fixture.sql('update users.outbox set done_at = now()');
    expect(await erasure.eraseFromDatabase(0, ALL)).toBe(1);
  });

  test('for as long as ERASE_AFTER says', async () => {
    const userId = await settled();
    await remove(userId);
    expect(await erasure.eraseFromDatabase(HOUR, ALL)).toBe(0);
    expect(await erasure.findState(HOUR)).toMatchObject({ waiting: 0, oldest: null });
    await fixture.sql(`update users.erasures set deleted_at = now() - interval '61 minutes'`);
    expect(await erasure.findState(HOUR)).toMatchObject({ waiting: 1, oldest: { userId } });
    expect(await erasure.eraseFromDatabase(HOUR, ALL)).toBe(1);
  });
});

test('users who are not deleted lose nothing', async () => {
  const userId = await settled();
  expect(await erasure.eraseFromDatabase(0, ALL)).toBe(0);
  expect(await rowsOf(userId)).toMatchObject({
    history: 1,
    occurrences: 2,
    occasions: 1,
    attempts: 1,
  });
});

test('a user who was deleted by SQL is recorded as well', async () => {
  const userId = await settled();
  await fixture.sql('delete from users.users where id = :userId', { userId });
  expect(await erasure.findState(0)).toMatchObject({ waiting: 1, oldest: { userId } });
});

test('a user who was deleted by SQL loses what the API would have removed', async () => {
  const userId = await fixture.add(BERLIN, SPRING);
  await fixture.change(userId, { timezone: 'Europe/Vienna' }, NINE_O_CLOCK - DAY);
  await fixture.settle(`birthday:${userId}:2026`, 'COMPLETED', NINE_O_CLOCK + 40);
  await fixture.sql(
    `insert into users.idempotency_keys (key, request_hash, user_id, body, created_at)
     values ('signup-1', 'hash', ?, '{"firstName": "Ada", "dateOfBirth": "1990-05-20"}', now())`,
    [userId],
  );
  await fixture.sql('delete from users.users where id = :userId', { userId });
  await fixture.plan(userId, LATER);
  expect(await erasure.eraseFromDatabase(0, ALL)).toBe(1);
  expect(
    await fixture.sql(
      'select body, request_hash from users.idempotency_keys where user_id = :userId',
      { userId },
    ),
  ).toEqual([{ body: null, request_hash: '' }]);
  // Their last date and zone were never closed; what was due since still counts.
  expect((await fixture.audit(MAY_20, LATER)).erased).toMatchObject({ total: 1, delivered: 1 });
});

test('of two concurrent erasures, each user is erased by one', async () => {
  for (let user = 0; user < 6; user++) await remove(await settled());
  const both = await Promise.all([1, 2].map(() => erasure.eraseFromDatabase(0, 3)));
  expect(both.reduce((sum, count) => sum + count)).toBe(6);
  expect((await fixture.audit(MAY_20, LATER)).erased.total).toBe(6);
});

test('a redelivery of a user who was deleted meanwhile is settled, and then the user is erased', async () => {
  const userId = await settled('FAILED');
  await fixture.sql(
    `update events.occurrences set state = 'PENDING', settled_at = null, reason = null,
       redeliveries = 1, redelivered_at = now(), priority = 1, earlier_attempts = attempts,
       first_attempt_at = null, lease_until = :leaseUntil::timestamptz,
       next_attempt_at = due_at
     where nominal_date = '2026-05-20'`,
    // The dispatcher that had it is dead.
    { leaseUntil: new Date(LATER - HOUR).toISOString() },
  );
  await remove(userId);
  expect(await erasure.eraseFromDatabase(0, ALL)).toBe(1);
  expect(
    await fixture.sql('select state, reason from events.erased_occurrences order by state'),
  ).toEqual([
    { state: 'FAILED', reason: 'user_deleted' },
    { state: 'SKIPPED', reason: 'user_deleted' },
  ]);
});

test('for many who wait, the state is two numbers and one id', async () => {
  const userId = await settled();
  await remove(userId);
  await fixture.sql(`update users.erasures set deleted_at = now() - interval '2 hours'`);
  await fixture.sql(
    'insert into users.erasures (user_id) select gen_random_uuid() from generate_series(1, 5000)',
  );
  const state = await erasure.findState(0);
  expect(state).toMatchObject({ waiting: 5_001, oldest: { userId, store: 'database' } });
  expect(state.oldestAgeMs).toBeGreaterThan(2 * HOUR - 60_000);
});

describe('Temporal', () => {
  test('is asked to delete the workflows of all occasions, once in ten seconds', async () => {
    const userId = await settled();
    const occasionId = '0198f6a2-6c1e-7f5b-9d53-0a4b6c8d7e90';
    await fixture.sql(
      `insert into events.occasions (type, id, user_id, ended_at)
       values ('anniversary', :occasionId::uuid, :userId::uuid, now())`,
      { occasionId, userId },
    );
    await remove(userId);
    await erasure.eraseFromDatabase(0, ALL);
    const [taken, ...others] = await erasure.takeForTemporal(ALL);
    expect(others).toEqual([]);
    expect(taken?.userId).toBe(userId);
    expect(taken?.workflows.toSorted()).toEqual([
      `anniversary/${occasionId}`,
      `birthday/${userId}`,
    ]);
    expect(await erasure.takeForTemporal(ALL)).toEqual([]);
    await fixture.sql(`update users.erasures set asked_at = now() - interval '11 seconds'`);
    expect(await erasure.takeForTemporal(ALL)).toHaveLength(1);
    await erasure.markErasedFromTemporal([userId]);
    await fixture.sql(`update users.erasures set asked_at = now() - interval '11 seconds'`);
    expect(await erasure.takeForTemporal(ALL)).toEqual([]);
    expect((await erasure.findState(0)).waiting).toBe(0);
    expect(await fixture.sql('select workflows from users.erasures')).toEqual([
      { workflows: null },
    ]);
  });

  test('is asked again after a restore, which may have brought workflows back', async () => {
    const userId = await settled();
    await remove(userId);
    await erasure.eraseFromDatabase(0, ALL);
    await erasure.markErasedFromTemporal([userId]);
    await noteRestore(fixture.orm, Date.now());
    expect(await erasure.takeForTemporal(ALL)).toEqual([
      { userId, workflows: [`birthday/${userId}`] },
    ]);
  });
});

/** The activity, with a Temporal in which everything is gone, or something runs. */
const eraseWith = (left: 'running' | null) => {
  const lines: object[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const { erase } = createErasureActivities({
    erasure,
    workflowRemover: {
      remove: async ([id = '']) => ({
        runs: 0,
        left: new Map(left === null ? [] : [[id, left]]),
      }),
    },
    logger,
  });
  return { lines, erase: () => erase({ eraseAfterMs: 0 }) };
};

describe('the activity', () => {
  test('continues until nobody is left, and logs that once', async () => {
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

  test('raises an alarm if a user has waited for more than a day', async () => {
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
