import { afterAll, beforeAll, expect, test } from 'vitest';

import { migrate } from '../../src/persistence/orm.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('a migrated database has nothing left to migrate', async () => {
  expect(await migrate(database.orm)).toEqual([]);
});

test('no foreign key joins the two contexts', async () => {
  const joined = await database.orm.em.fork().execute(`
    select conname from pg_constraint
    where contype = 'f'
      and (select relnamespace from pg_class where oid = conrelid)
        <> (select relnamespace from pg_class where oid = confrelid)`);
  expect(joined).toEqual([]);
});
