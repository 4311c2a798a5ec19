// @module-tag long
/**
 * Erasing reads only what it erases, however much waits in the outbox, with and without statistics.
 */
import { expect, onTestFinished, test } from 'vitest';

import { createErasure } from '../../src/erasure/erasure.ts';
import { createEventRows } from '../support/event-rows.ts';
import { rowsReadOf } from '../support/explain.ts';
import { useFilledDatabase } from '../support/postgres.ts';

const ROWS = 40_000;
const BATCH = 100;

const filled = useFilledDatabase(async (orm) => {
  const { sql } = createEventRows(orm);
  await sql(
    `insert into users.outbox (type, user_id, revision, occurred_at)
     select 'UserCreated', gen_random_uuid(), 1, now() from generate_series(1, ?::int)`,
    [ROWS],
  );
  await sql(
    `insert into users.erasures (user_id)
     select gen_random_uuid() from generate_series(1, ?::int)`,
    [BATCH],
  );
});

test.for(['fresh', 'not taken yet'] as const)(
  'while everything waits, statistics %s',
  async (statistics) => {
    const database = await filled.clone();
    onTestFinished(() => database.drop());
    if (statistics === 'fresh') await database.orm.em.fork().execute('analyze');

    const read = await rowsReadOf('users.outbox', database, async (orm) => {
      expect(await createErasure(orm).eraseFromDatabase(0, BATCH)).toBe(BATCH);
    });

    expect(read).toBeLessThan(ROWS / 2);
  },
);
