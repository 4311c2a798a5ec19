/**
 * What a log contains of a real database's errors: PostgreSQL's own messages, and no personal data.
 */
import { expect, test } from 'vitest';

import { describeError } from '../../src/platform/errors.ts';
import { useTestDatabase } from '../support/postgres.ts';

const database = useTestDatabase();

async function described(sql: string) {
  const error: unknown = await database.orm.em
    .fork()
    .execute(sql)
    .catch((thrown: unknown) => thrown);
  const description = describeError(error);
  expect(JSON.stringify(description)).not.toMatch(/Lovelace|1815/);
  return description;
}

const INSERT = `insert into users.users (id, external_id, first_name, last_name, date_of_birth, timezone,
  revision, created_at, updated_at, inputs_changed_at) values`;
const ADA = `(gen_random_uuid(), 'Lovelace', 'Ada', 'Lovelace', '1815-12-10', 'UTC', 1, now(), now(), now())`;

test.for([
  [
    'a row that is there',
    `${INSERT} ${ADA}, ${ADA}`,
    '23505',
    'duplicate key value violates unique constraint "users_external_id_key"',
  ],
  [
    'a row that breaks a rule',
    `${INSERT} (gen_random_uuid(), null, 'Ada', null, '1815-12-10', 'UTC', 1, now(), now(), now())`,
    '23502',
    'null value in column "last_name" of relation "users" violates not-null constraint',
  ],
  [
    'a table that is not there',
    `select 'Lovelace' from users.people`,
    '42P01',
    'relation "users.people" does not exist',
  ],
  [
    'a right that is missing',
    `set local role pg_monitor; select 'Lovelace' from users.users`,
    '42501',
    'permission denied for schema users',
  ],
] as const)('%s: the message', async ([, sql, code, message]) => {
  expect(await described(sql)).toMatchObject({ code, message });
});

test('the hint comes with it', async () => {
  expect(await described(`select firstname, 'Lovelace' from users.users`)).toMatchObject({
    code: '42703',
    hint: 'Perhaps you meant to reference the column "users.first_name".',
  });
});

test.for([
  ['data', `select 'Lovelace'::int`, '22P02'],
  ['a date', `select 'Lovelace 1815-12-10'::date`, '22007'],
  ['the statement', `select Lovelace 1815 from`, '42601'],
  ['whatever a function says', `do $$ begin raise 'born in 1815: Lovelace'; end $$`, 'P0001'],
] as const)('one that quotes %s: only the SQLSTATE', async ([, sql, code]) => {
  const description = await described(sql);
  expect(description).toMatchObject({ code, stack: expect.any(Array) });
  expect(description.message).toBeUndefined();
});

test('the cause of an error is described with it', () => {
  const cause = Object.assign(new Error('no'), { code: 'ECONNREFUSED' });
  expect(describeError(new Error('away', { cause }))).toMatchObject({
    message: 'away',
    cause: { message: 'no', code: 'ECONNREFUSED' },
  });
});
