import type { Orm } from '../../src/platform/database/orm.ts';

/**
 * One time for the processes under test and their database, which can differ from the real time.
 */
export interface TestClock {
  /** Epoch ms. */
  now(): number;
  /** From now on it is this instant, and time continues from there. */
  set(instant: number): Promise<void>;
  /**
   * The same, unless that would set it back: several may tell the time of a server at once, and
   * one of them may have read it long before.
   */
  advance(instant: number): Promise<void>;
}

/** @param skew what the processes' clocks add to the system's */
export async function createTestClock(orm: Orm, skew: { ms: number }): Promise<TestClock> {
  await orm.em.fork().execute(`
    create table events.test_clock (skew_ms float8 not null);
    insert into events.test_clock values (0);
    create or replace function events.clock() returns timestamptz language sql volatile as
      'select clock_timestamp() + (select skew_ms from events.test_clock) * interval ''1 ms''';
    create or replace function users.clock() returns timestamptz language sql volatile as
      'select events.clock()';
  `);
  let writing: Promise<unknown> = Promise.resolve();
  const write = () => orm.em.fork().execute('update events.test_clock set skew_ms = ?', [skew.ms]);
  const now = () => Date.now() + skew.ms;
  const set = async (instant: number): Promise<void> => {
    skew.ms = instant - Date.now();
    // One after the other: on separate connections, the last to be set could be written first.
    writing = writing.then(write, write);
    await writing;
  };
  return {
    now,
    set,
    async advance(instant) {
      if (instant > now()) await set(instant);
      else await writing;
    },
  };
}
