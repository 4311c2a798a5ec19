/** Changes that PostgreSQL cancels in favour of others: tried again, then 503, and never a 500. */
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { ADA, type Answer, useTestApi } from '../support/api.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';

const api = useTestApi();
let rows: EventRows;
beforeAll(() => {
  rows = createEventRows(api.database.orm);
});

const createUser = async (fields: object): Promise<string> =>
  (await api.send('POST', '/v1/users', { ...ADA, ...fields })).body.id;

describe('two users that swap their external ids at the same moment', () => {
  test('are each refused, as in sequence: each has the id that the other requests', async () => {
    // Between the row and its unique index there is time for the other one, as can happen by
    // chance.
    await api.sql(`create function public.slow(text) returns text language plpgsql immutable as
      $$begin perform pg_sleep(0.3); return $1; end$$`);
    await api.sql('alter table users.users drop constraint users_external_id_key');
    await api.sql('create index slow on users.users (public.slow(external_id))');
    await api.sql(
      'alter table users.users add constraint users_external_id_key unique (external_id)',
    );
    onTestFinished(async () => {
      await api.sql('drop index users.slow');
    });
    const [a, b] = [
      await createUser({ externalId: 'swap-a' }),
      await createUser({ externalId: 'swap-b' }),
    ];
    const answers = await Promise.all([
      api.send('PATCH', `/v1/users/${a}`, { externalId: 'swap-b' }),
      api.send('PUT', `/v1/users/${b}`, { ...ADA, externalId: 'swap-a' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([409, 409]);
    expect(answers[0]?.body.type).toBe('urn:daybell:problem:external-id-taken');
    for (const [id, externalId] of [
      [a, 'swap-a'],
      [b, 'swap-b'],
    ]) {
      expect((await api.send('GET', `/v1/users/${id}`)).body).toMatchObject({
        externalId,
        revision: 1,
      });
    }
  });
});

interface Change {
  readonly table: string;
  readonly status: number;
  /** Prepares what is changed, and returns a function that changes it. */
  readonly prepare: () => Promise<() => Promise<Answer>>;
}

const failed = async () => rows.addOccurrence(await rows.addUser(), { state: 'FAILED' });
const CHANGES: Readonly<Record<string, Change>> = {
  'POST /v1/users': {
    table: 'users.users',
    status: 201,
    prepare: async () => () =>
      api.send('POST', '/v1/users', ADA, { 'Idempotency-Key': crypto.randomUUID() }),
  },
  'PUT /v1/users/{id}': {
    table: 'users.history',
    status: 200,
    async prepare() {
      const path = `/v1/users/${await createUser({})}`;
      return () => api.send('PUT', path, { ...ADA, timezone: 'Asia/Tokyo' });
    },
  },
  'PATCH /v1/users/{id}': {
    table: 'users.outbox',
    status: 200,
    async prepare() {
      const path = `/v1/users/${await createUser({})}`;
      return () => api.send('PATCH', path, { lastName: 'King' });
    },
  },
  'DELETE /v1/users/{id}': {
    table: 'users.users',
    status: 204,
    async prepare() {
      const path = `/v1/users/${await createUser({})}`;
      return () => api.send('DELETE', path);
    },
  },
  'POST /v1/deliveries/pause': {
    table: 'events.destinations',
    status: 200,
    prepare: async () => () => api.send('POST', '/v1/deliveries/pause'),
  },
  'POST /v1/deliveries/resume': {
    table: 'events.destinations',
    status: 200,
    prepare: async () => () => api.send('POST', '/v1/deliveries/resume'),
  },
  'POST /v1/occurrences/{key}/redeliver': {
    table: 'events.occurrences',
    status: 202,
    async prepare() {
      const path = `/v1/occurrences/${await failed()}/redeliver`;
      return () => api.send('POST', path);
    },
  },
  'POST /v1/occurrences/redeliver': {
    table: 'events.occurrences',
    status: 202,
    async prepare() {
      await failed();
      return () => api.send('POST', '/v1/occurrences/redeliver', { status: 'FAILED' });
    },
  },
};

describe.for(Object.entries(CHANGES))('%s', ([, { table, status, prepare }]) => {
  test.for(['40001', '40P01'])(
    'that is cancelled twice, with %s, then succeeds',
    async (sqlstate) => {
      const change = await prepare();
      await giveWay(table, sqlstate, 2);
      expect((await change()).status).toBe(status);
      expect(await timesTried()).toBeGreaterThan(2);
    },
  );

  test.for(['40001', '40P01', '57014', '55P03'])(
    'that is always cancelled with %s is a 503 that says when to try again',
    async (sqlstate) => {
      const change = await prepare();
      await giveWay(table, sqlstate, 1_000);
      const answer = await change();
      expect(answer.status).toBe(503);
      expect(answer.body.type).toBe('urn:daybell:problem:unavailable');
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(await timesTried()).toBeLessThan(10);
    },
  );
});

/**
 * Makes PostgreSQL cancel the next changes of a table. Counted by a sequence, which no rollback
 * undoes.
 */
async function giveWay(table: string, sqlstate: string, times: number): Promise<void> {
  await api.sql('create sequence if not exists public.tried');
  await api.sql('alter sequence public.tried restart');
  await api.sql(`create or replace function public.give_way() returns trigger language plpgsql as $$
    begin
      if nextval('public.tried') <= ${times} then
        raise exception 'it gave way' using errcode = '${sqlstate}';
      end if;
      return case tg_op when 'DELETE' then old else new end;
    end $$`);
  await api.sql(`create trigger gives_way before insert or update or delete on ${table}
    for each row execute function public.give_way()`);
  onTestFinished(async () => {
    await api.sql(`drop trigger gives_way on ${table}`);
  });
}

async function timesTried(): Promise<number> {
  const [row] = await api.sql<{ tried: number }>(
    'select last_value::int as tried from public.tried',
  );
  return row?.tried ?? 0;
}
