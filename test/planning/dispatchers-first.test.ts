import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { areDispatchersBusy } from '../../src/planning/pace/dispatchers-first.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let rows: EventRows;
beforeAll(async () => {
  database = await createTestDatabase();
  rows = createEventRows(database.orm);
});
afterAll(() => database.drop());
beforeEach(async () => {
  await rows.sql('delete from events.dispatchers');
  await rows.sql('delete from events.occurrences');
});

const cases: {
  name: string;
  dispatcher?: { stamped: string; busy?: string };
  herd?: { size: number; dueInMs: number };
  busy: boolean;
}[] = [
  { name: 'no dispatcher', busy: false },
  { name: 'no dispatcher, and a herd', herd: { size: 100, dueInMs: 0 }, busy: false },
  { name: 'one that has nothing to do', dispatcher: { stamped: '0' }, busy: false },
  { name: 'one that is busy', dispatcher: { stamped: '0', busy: '0' }, busy: true },
  { name: 'one that was busy', dispatcher: { stamped: '0', busy: '-6 s' }, busy: false },
  { name: 'a busy one that died', dispatcher: { stamped: '-6 s', busy: '-6 s' }, busy: false },
  { name: 'one from the future', dispatcher: { stamped: '1 min', busy: '1 min' }, busy: false },
  {
    name: 'a herd is due in two seconds',
    dispatcher: { stamped: '0' },
    herd: { size: 100, dueInMs: 2_000 },
    busy: true,
  },
  {
    name: 'a few are due in two seconds',
    dispatcher: { stamped: '0' },
    herd: { size: 99, dueInMs: 2_000 },
    busy: false,
  },
  {
    name: 'a herd is due in a minute',
    dispatcher: { stamped: '0' },
    herd: { size: 100, dueInMs: 60_000 },
    busy: false,
  },
  {
    name: 'a herd has waited for a minute, as behind a rate limit',
    dispatcher: { stamped: '0' },
    herd: { size: 100, dueInMs: -60_000 },
    busy: false,
  },
];

test.each(cases)('$name: $busy', async ({ dispatcher, herd, busy }) => {
  if (herd) await rows.addHerd(herd.size, Date.now() + herd.dueInMs);
  if (dispatcher) {
    await rows.sql(
      `insert into events.dispatchers (id, stamped_at, busy_at)
       values (:id, events.clock() + :stamped::interval, events.clock() + :busy::interval)`,
      { id: randomUUID(), busy: null, ...dispatcher },
    );
  }
  expect(await areDispatchersBusy(database.orm)).toBe(busy);
});
