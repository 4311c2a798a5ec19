/** Daybell's database behind PgBouncer, with the configuration of docs/production.md. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { connectOrm } from '../../src/platform/database/orm.ts';
import { ENTRIES, runProcess } from '../support/process.ts';
import { type DebianDatabase, startDebianDatabase } from './support/debian-database.ts';

let database: DebianDatabase;
beforeAll(async () => {
  database = await startDebianDatabase();
  await database.create('daybell');
});
afterAll(() => database.stop());

test('statements and transactions have their time limits, and leave no state behind', async () => {
  const pgbouncer = await database.startPgBouncer('daybell');
  const orm = await connectOrm(pgbouncer.url('app'), { poolSize: 1, queryTimeoutMs: 7_000 });
  const limits = `select current_setting('statement_timeout') as statement,
    current_setting('idle_in_transaction_session_timeout') as idle`;
  const em = orm.em.fork();
  expect(await em.execute(limits)).toEqual([{ statement: '7s', idle: '0' }]);
  await em.transactional(async (inside) => {
    expect(await inside.execute(limits)).toEqual([{ statement: '7s', idle: '7s' }]);
  });
  await expect(em.execute('select pg_sleep(30)')).rejects.toMatchObject({ code: '57014' });
  await orm.close(true);

  // The next client of the session.
  const client = new pg.Client({ connectionString: pgbouncer.url('app') });
  await client.connect();
  expect((await client.query(limits)).rows).toEqual([{ statement: '0', idle: '0' }]);
  await client.end();
});

test.for([
  ['transaction mode, which migrates too', {}, 0, /"migrated"/],
  [
    'statement mode, which has no transactions and is refused with what is needed',
    { '= transaction': '= statement' },
    1,
    /needs transaction or session mode/,
  ],
] as const)('%s', async ([, places, exitCode, says]) => {
  const pgbouncer = await database.startPgBouncer('daybell', places);
  const migrate = runProcess(ENTRIES.migrate, { DATABASE_URL: pgbouncer.url('owner') });
  expect(await migrate.exited).toBe(exitCode);
  expect(migrate.lines.join('\n')).toMatch(says);
});
