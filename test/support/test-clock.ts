import type { Orm } from '../../src/persistence/orm.ts';

/** One time for the processes under test and their database, which can be another than now. */
export interface TestClock {
  /** Epoch ms. */
  now(): number;
  /** From now on it is this instant, and time goes on from there. */
  set(instant: number): Promise<void>;
}

/** @param skew what the processes' clocks add to the system's */
export async function createTestClock(orm: Orm, skew: { ms: number }): Promise<TestClock> {
  await orm.em.fork().execute(`
    create table events.test_clock (skew_ms float8 not null);
    insert into events.test_clock values (0);
    create or replace function events.clock() returns timestamptz language sql volatile as
      'select clock_timestamp() + (select skew_ms from events.test_clock) * interval ''1 ms''';
  `);
  return {
    now: () => Date.now() + skew.ms,
    async set(instant) {
      skew.ms = instant - Date.now();
      await orm.em.fork().execute('update events.test_clock set skew_ms = ?', [skew.ms]);
    },
  };
}
