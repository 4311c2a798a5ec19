/** What is reported to operators, when, and how often. */
import { randomUUID } from 'node:crypto';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createErasure } from '../../src/erasure/erasure.ts';
import { createDeliveryControl } from '../../src/ledger/delivery-control.ts';
import { createLedgerState } from '../../src/ledger/ledger-state.ts';
import { createRedelivery } from '../../src/ledger/redelivery.ts';
import {
  type OperationsEvent,
  OperationsEventSchema,
} from '../../src/operations-webhook/events.ts';
import { createWatch, type Watch } from '../../src/operations-webhook/watch.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';
import { useTestDatabase } from '../support/postgres.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const database = useTestDatabase();
let rows: EventRows;
/** The states of two schedulers. */
let watches: readonly [Watch, Watch];
beforeAll(() => {
  const { orm } = database;
  rows = createEventRows(orm);
  const state = createLedgerState(orm, { lateAfterMs: 5 * MINUTE });
  watches = [createWatch(orm, state), createWatch(orm, state)];
});
beforeEach(async () => {
  await rows.sql(`truncate events.operations_events, events.reported_failures, users.users,
    users.history, events.occurrences cascade`);
  await rows.sql('delete from events.operations_state');
  await rows.sql('insert into events.operations_state default values');
  await rows.resetDestination();
  await rows.shiftClock(0);
  await look();
});

/** By both at once, and then by one alone: one leaves to the other what that has locked. */
async function look(): Promise<void> {
  await Promise.all(watches.map((watch) => watch.look()));
  await watches[0].look();
}

/** New events; each exactly as in the OpenAPI document. */
async function told(): Promise<OperationsEvent[]> {
  await look();
  return take();
}

async function take(): Promise<OperationsEvent[]> {
  const found = await rows.sql<{ body: OperationsEvent }>(
    'delete from events.operations_events returning body',
  );
  const events = found.map(({ body }) => body);
  for (const event of events) expect(OperationsEventSchema.parse(event)).toEqual(event);
  return events.toSorted((a, b) => a.type.localeCompare(b.type));
}

function fieldOf(event: OperationsEvent | undefined, name: string): unknown {
  return Object.entries(event?.data ?? {}).find(([field]) => field === name)?.[1];
}

async function addFailed(columns: object = {}): Promise<string> {
  return plantOccurrence(rows.sql, {
    user_id: await rows.addUser(),
    state: 'FAILED',
    settled_at: new Date(),
    ...columns,
  });
}

describe('a pause', () => {
  const control = () =>
    createDeliveryControl(database.orm, { lateAfterMs: 300_000, lateLimitMs: 48 * HOUR });

  test('is reported once, with the reason, and its end once', async () => {
    await control().pause('ticket 4711');
    const [paused, ...others] = await told();
    expect(others).toEqual([]);
    expect(paused).toMatchObject({
      type: 'destination.paused',
      message: 'Deliveries to default are paused: ticket 4711.',
      data: { destination: 'default', reason: 'ticket 4711', pausedAt: expect.any(String) },
    });
    expect(await told()).toEqual([]);
    await control().resume();
    expect(await told()).toMatchObject([
      {
        type: 'destination.resumed',
        data: { destination: 'default', pausedAt: fieldOf(paused, 'pausedAt') },
      },
    ]);
    expect(await told()).toEqual([]);
  });

  test('that ended and began again between two checks is reported as an end and a new pause', async () => {
    await control().pause(null);
    await told();
    await control().resume();
    await control().pause(null);
    expect((await told()).map(({ type }) => type)).toEqual([
      'destination.paused',
      'destination.resumed',
    ]);
  });

  test('is reported for each destination', async () => {
    await rows.sql("insert into events.destinations (id) values ('crm')");
    await control().pause(null);
    const of = (await told()).map((event) => String(fieldOf(event, 'destination')));
    expect(of.toSorted()).toEqual(['crm', 'default']);
    await control().resume('crm');
    expect(await told()).toMatchObject([
      { type: 'destination.resumed', data: { destination: 'crm' } },
    ]);
  });
});

describe('failures', () => {
  test('are collected, with counts and a few keys, and without names', async () => {
    const keys = [];
    for (let count = 0; count < 7; count += 1) keys.push(await addFailed());
    keys.push(await addFailed({ reason: 'gave_up' }));
    const [event, ...others] = await told();
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      type: 'occurrence.failed',
      message: '8 occurrences have failed: 7 refused, 1 gave_up.',
      data: {
        count: 8,
        reasons: { refused: 7, gave_up: 1 },
        destinations: { default: 8 },
      },
    });
    const named = fieldOf(event, 'keys') as string[];
    expect(named).toHaveLength(5);
    expect(keys).toEqual(expect.arrayContaining(named));
    expect(JSON.stringify(event)).not.toMatch(/Ada|Lovelace|1990/);
    expect(await told()).toEqual([]);
  });

  test('are reported at most once a minute, together with all that happened in between', async () => {
    await addFailed();
    expect(await told()).toMatchObject([{ data: { count: 1 } }]);
    await addFailed();
    await addFailed();
    expect(await told()).toEqual([]);
    await rows.shiftClock(MINUTE);
    expect(await told()).toMatchObject([{ data: { count: 2 } }]);
  });

  test('from before the first check are not reported', async () => {
    await rows.sql('delete from events.operations_state');
    await rows.sql('insert into events.operations_state default values');
    await addFailed();
    expect(await told()).toEqual([]);
    await addFailed();
    expect(await told()).toMatchObject([{ data: { count: 1 } }]);
  });

  test('that are recorded late are reported, each once', async () => {
    await addFailed();
    await told();
    await rows.shiftClock(10 * MINUTE);
    // As by a process that could not reach the database for so long.
    await addFailed({ settled_at: new Date(Date.now() - 20 * MINUTE) });
    expect(await told()).toMatchObject([{ data: { count: 1 } }]);
    await rows.shiftClock(20 * MINUTE);
    expect(await told()).toEqual([]);
  });

  test('from the time when no scheduler ran are reported, and reported ones are forgotten', async () => {
    await addFailed();
    await told();
    await addFailed({ settled_at: new Date(Date.now() + 2 * HOUR) });
    await rows.shiftClock(3 * HOUR);
    expect(await told()).toMatchObject([{ data: { count: 1 } }]);
    await rows.shiftClock(5 * HOUR);
    await told();
    await rows.shiftClock(5 * HOUR + MINUTE);
    expect(await told()).toEqual([]);
    expect(await rows.sql('select 1 from events.reported_failures')).toEqual([]);
  });

  test('that follow from a change of the user are not reported', async () => {
    for (const reason of ['user_deleted', 'occasion_deleted', 'suspended', 'date_changed']) {
      await addFailed({ reason });
    }
    expect(await told()).toEqual([]);
  });

  test('are reported again if an occurrence fails again after a redelivery', async () => {
    const key = await addFailed();
    await told();
    await createRedelivery(database.orm).redeliver(key, { force: false });
    await rows.shiftClock(MINUTE);
    expect(await told()).toEqual([]);
    await rows.sql(
      `update events.occurrences set state = 'FAILED', reason = 'gone', next_attempt_at = null,
         attempts = attempts + 1, settled_at = events.clock()
       where key = ?`,
      [key],
    );
    expect(await told()).toMatchObject([{ data: { count: 1, reasons: { gone: 1 }, keys: [key] } }]);
  });

  test('that wait to be sent lose the keys of an erased user', async () => {
    const userId = await rows.addUser();
    const gone = await plantOccurrence(rows.sql, {
      user_id: userId,
      state: 'FAILED',
      settled_at: new Date(),
      followed: true,
    });
    await look();
    await rows.sql('delete from users.users where id = ?', [userId]);
    expect(await createErasure(database.orm).eraseFromDatabase(0, 10)).toBe(1);
    const left = await take();
    expect(left).toMatchObject([{ type: 'occurrence.failed', data: { count: 1, keys: [] } }]);
    const dump = await rows.sql<{ row: string }>(
      'select r::text as row from events.reported_failures as r',
    );
    expect(JSON.stringify([left, dump])).not.toContain(gone);
  });
});

describe('a backlog', () => {
  const addLate = () => rows.addHerd(3, Date.now() - HOUR);
  const clear = () => rows.sql('truncate events.occurrences cascade');

  test('is reported when it begins, and when it has been gone for a minute', async () => {
    await addLate();
    expect(await told()).toMatchObject([
      { type: 'backlog.started', data: { count: 3, oldestLatenessMs: expect.any(Number) } },
    ]);
    expect(await told()).toEqual([]);
    await clear();
    expect(await told()).toEqual([]);
    await rows.shiftClock(MINUTE);
    expect(await told()).toMatchObject([
      { type: 'backlog.cleared', data: { startedAt: expect.any(String) } },
    ]);
    expect(await told()).toEqual([]);
  });

  test('that disappears briefly and returns is one', async () => {
    await addLate();
    await told();
    await clear();
    await told();
    await addLate();
    await rows.shiftClock(2 * MINUTE);
    expect(await told()).toEqual([]);
  });
});

describe('an audit', () => {
  const found = (count: number) =>
    new Map([
      ['2027-05-20', { count, first: [`birthday:${randomUUID()}:2027`] }],
      ['2027-05-21', { count: 0, first: [] }],
    ]);

  test('that cannot account for an occurrence is reported, and again when there are more', async () => {
    await watches[0].reportAudits(found(1));
    expect(await take()).toMatchObject([
      {
        type: 'audit.unaccounted',
        message: '1 occurrence of 2027-05-20 fell due, and has no recorded outcome.',
        data: { date: '2027-05-20', count: 1, keys: [expect.stringMatching(/^birthday:/)] },
      },
    ]);
    await watches[1].reportAudits(found(1));
    expect(await take()).toEqual([]);
    await watches[1].reportAudits(found(4));
    expect(await take()).toMatchObject([{ data: { count: 4 } }]);
    await watches[0].reportAudits(found(0));
    expect(await take()).toEqual([]);
    await watches[0].reportAudits(found(2));
    expect(await take()).toMatchObject([{ data: { count: 2 } }]);
  });

  test('is due once an hour among all schedulers, and at once after one that failed', async () => {
    const due = async () => Promise.all(watches.map((watch) => watch.isAuditDue()));
    expect((await due()).toSorted()).toEqual([false, true]);
    expect(await due()).toEqual([false, false]);
    await watches[0].releaseAudit();
    expect((await due()).toSorted()).toEqual([false, true]);
    await rows.shiftClock(HOUR);
    expect((await due()).toSorted()).toEqual([false, true]);
  });
});
