import { randomUUID } from 'node:crypto';

import { pino } from 'pino';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createHousekeepingActivities } from '../../src/activities/housekeeping.ts';
import { createOperatorLog } from '../../src/operator-log/operator-log.ts';
import { createRetention, type RetentionStore } from '../../src/retention/retention.ts';
import { ADA, useTestApi } from '../support/api.ts';
import { plantAttempt, plantOccurrence } from '../support/plant-occurrence.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MINUTE = 60_000;
const ALL = 100;

let retention: RetentionStore;
const api = useTestApi();
beforeAll(async () => {
  retention = createRetention(api.database.orm);
});
beforeEach(async () => {
  await api.sql('truncate events.occurrences cascade');
  await api.sql('truncate users.users, users.outbox, users.idempotency_keys cascade');
});

const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();
const settled = (columns: object = {}) =>
  plantOccurrence(api.sql, { state: 'COMPLETED', ...columns });
const attemptOf = (key: string, ageMs: number, columns: object = {}) =>
  plantAttempt(api.sql, key, { started_at: ago(ageMs), ...columns });
const attempts = () =>
  api.sql<{ key: string; number: number; excerpt: string | null }>(
    `select occurrence_key as key, number, response_excerpt as excerpt
     from events.attempts order by started_at`,
  );

const addEvent = (userId: string, revision: number, columns: Record<string, unknown> = {}) => {
  const row = {
    type: 'UserUpdated',
    user_id: userId,
    revision,
    occurred_at: ago(9 * DAY),
    ...columns,
  };
  const names = Object.keys(row);
  return api.sql(
    `insert into users.outbox (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`,
    Object.values(row),
  );
};
const createOnce = () => api.send('POST', '/v1/users', ADA, { 'Idempotency-Key': 'once' });
const ageKeys = (ms: number) =>
  api.sql('update users.idempotency_keys set created_at = ?', [ago(ms)]);

describe('attempts', () => {
  test('past their retention time are removed, and the occurrence stays', async () => {
    const key = await settled({ attempts: 2 });
    await attemptOf(key, 2 * DAY, { number: 1 });
    await attemptOf(key, DAY - MINUTE, { number: 2 });
    expect(await retention.removeAttempts(DAY, ALL)).toBe(1);
    expect(await attempts()).toMatchObject([{ key, number: 2 }]);
    const { body } = await api.send('GET', `/v1/occurrences/${key}`);
    expect(body).toMatchObject({ attemptCount: 2, attempts: [{ number: 2 }] });
  });

  test.for([{ state: 'PENDING' }, { state: 'PROCESSING' }])(
    'of a row that is still needed (%j) are kept, and block no others',
    async (columns) => {
      const open = await settled(columns);
      for (const number of [1, 2, 3]) await attemptOf(open, 9 * DAY, { number });
      const done = await settled({ state: 'FAILED' });
      await attemptOf(done, 2 * DAY);
      expect(await retention.removeAttempts(DAY, 2)).toBe(1);
      expect((await attempts()).map(({ key }) => key)).toEqual([open, open, open]);
    },
  );

  test('are removed in batches, the oldest first', async () => {
    const key = await settled();
    for (const number of [1, 2, 3]) await attemptOf(key, (9 - number) * DAY, { number });
    expect(await retention.removeAttempts(DAY, 2)).toBe(2);
    expect(await attempts()).toMatchObject([{ number: 3 }]);
    expect(await retention.removeAttempts(DAY, 2)).toBe(1);
    expect(await retention.removeAttempts(DAY, 2)).toBe(0);
  });
});

test('lose their responses before they are removed, even those of open rows', async () => {
  const key = await settled({ state: 'PROCESSING' });
  await attemptOf(key, 2 * DAY, { number: 1, response_excerpt: 'Hello Ada' });
  await attemptOf(key, MINUTE, { number: 2, response_excerpt: 'ok' });
  expect(await retention.eraseResponseExcerpts(DAY, ALL)).toBe(1);
  expect(await attempts()).toMatchObject([{ excerpt: null }, { excerpt: 'ok' }]);
  expect(await retention.eraseResponseExcerpts(DAY, ALL)).toBe(0);
});

describe('the outbox', () => {
  test('loses what was done long ago, but not what waits or is parked', async () => {
    const userId = randomUUID();
    await addEvent(userId, 1, { done_at: ago(2 * DAY) });
    await addEvent(userId, 2, { done_at: ago(DAY - MINUTE) });
    await addEvent(userId, 3, { parked_at: ago(9 * DAY) });
    await addEvent(userId, 4);
    expect(await retention.removeDoneEvents(DAY, ALL)).toBe(1);
    const left = await api.sql<{ revision: number }>(
      'select revision from users.outbox order by revision',
    );
    expect(left.map(({ revision }) => revision)).toEqual([2, 3, 4]);
  });
});

describe('an idempotency key', () => {
  test('works as long as it is kept, and then is free', async () => {
    const first = await createOnce();
    await ageKeys(DAY - MINUTE);
    expect(await retention.removeIdempotencyKeys(DAY, ALL)).toBe(0);
    expect((await createOnce()).body).toEqual(first.body);
    await ageKeys(DAY + MINUTE);
    expect(await retention.removeIdempotencyKeys(DAY, ALL)).toBe(1);
    const second = await createOnce();
    expect(second.status).toBe(201);
    expect(second.body.id).not.toBe(first.body.id);
  });
});

test('the operator log is removed after its retention time, completed or not', async () => {
  const log = createOperatorLog(api.database.orm);
  const change = { actor: 'ops', via: 'api', action: 'pauseDeliveries', subject: null } as const;
  const ids = [await log.open(change), await log.open(change), await log.open(change)];
  const age = 'update events.operator_log set at = ? where id = ?';
  await api.sql(age, [ago(2 * DAY), ids[0]]);
  await api.sql(age, [ago(DAY - MINUTE), ids[1]]);
  expect(await retention.removeOperatorLog(DAY, ALL)).toBe(1);
  const left = await api.sql('select id::text from events.operator_log order by id');
  expect(left).toEqual([{ id: ids[1] }, { id: ids[2] }]);
});

describe('the activity', () => {
  const keep = {
    attemptsMs: 9 * DAY,
    responseExcerptsMs: DAY,
    idempotencyKeysMs: DAY,
    outboxMs: DAY,
    occurrencesMs: 100 * DAY,
  };
  const audits = { storeNext: async () => false, firstDayNotStored: async () => null };

  test('continues until nothing is left, and logs once what it removed', async () => {
    const key = await settled();
    await api.sql(
      `insert into events.attempts (occurrence_key, number, lease_token, sent_by, started_at,
         duration_ms, outcome, response_excerpt)
       select ?, n, n, 'dispatcher', now() - interval '10 days', 1, 'retry', 'busy'
       from generate_series(1, 4500) as n`,
      [key],
    );
    await attemptOf(key, 2 * DAY, { number: 5_000 });
    await attemptOf(key, HOUR, { number: 5_001 });
    const lines: object[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const { prune } = createHousekeepingActivities({ retention, audits, logger });

    const result = await prune({ keep });

    const others = { idempotencyKeys: 0, outbox: 0, occurrences: 0, operatorLog: 0 };
    const removed = { attempts: 4_500, responseExcerpts: 1, ...others };
    expect(result).toEqual({ removed, more: false });
    expect(lines).toMatchObject([{ ...removed, more: false }]);
    expect(await attempts()).toMatchObject([{ excerpt: null }, { excerpt: 'ok' }]);
    expect((await prune({ keep })).removed).toMatchObject({ attempts: 0, responseExcerpts: 0 });
  });

  test('removes results of the console that are no longer shown', async () => {
    await api.sql(
      `insert into events.console_results (owner, title, body, expires_at)
       values ('', 'over', '', now()), ('', 'shown', '', now() + interval '1 hour')`,
    );
    await createHousekeepingActivities({ retention, audits }).prune({ keep });
    expect(await api.sql('select title from events.console_results')).toEqual([{ title: 'shown' }]);
  });

  test('removes each row once if it runs twice at the same time', async () => {
    const { prune } = createHousekeepingActivities({ retention, audits });
    await api.sql(
      `insert into users.outbox (type, user_id, revision, occurred_at, done_at)
       select 'UserUpdated', gen_random_uuid(), 1, now(), now() - interval '2 days'
       from generate_series(1, 5000)`,
    );
    const both = await Promise.all([prune({ keep }), prune({ keep })]);
    expect(both.reduce((sum, { removed }) => sum + removed.outbox, 0)).toBe(5_000);
    expect(await api.sql('select 1 from users.outbox')).toEqual([]);
  });

  test('reports a failure to Temporal without its data', async () => {
    const failing = {
      ...retention,
      removeDoneEvents: () => Promise.reject(new Error('select 1815-12-10')),
    };
    const pruned = createHousekeepingActivities({ retention: failing, audits }).prune({ keep });
    await expect(pruned).rejects.toThrow(/^(?!.*1815)/);
  });
});
