import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import type { RedeliveryCursor, RedeliveryFilter } from '../../src/domain/redelivery-messages.ts';
import type { RedeliveryLedger } from '../../src/events/redelivery.ts';
import { createRedeliveryLedger } from '../../src/persistence/redelivery-ledger.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const NOW = Date.UTC(2026, 5, 1);
const NINE = Date.UTC(2026, 4, 20, 7);
const ANY: RedeliveryFilter = {
  state: null,
  reason: null,
  from: null,
  to: null,
  eventType: null,
  userId: null,
  timezone: null,
  settledBy: NOW,
};

let database: TestDatabase;
let rows: EventRows;
let ledger: RedeliveryLedger;
beforeAll(async () => {
  database = await createTestDatabase();
  rows = createEventRows(database.orm);
  ledger = createRedeliveryLedger(database.orm);
});
afterAll(() => database.drop());
beforeEach(() => rows.sql('truncate events.occurrences cascade'));

test('matches what FAILED and was SKIPPED, and nothing else', async () => {
  for (const state of ['PENDING', 'PROCESSING', 'COMPLETED']) await add({ state });
  const failed = await add({ state: 'FAILED' });
  const skipped = await add({ state: 'SKIPPED', fireAt: NINE + 1 });
  expect(await matching()).toEqual([failed, skipped]);
  expect(await matching({ state: 'FAILED' })).toEqual([failed]);
  expect(await matching({ state: 'SKIPPED' })).toEqual([skipped]);
});

test('matches by reason, instants (half open), zone and user', async () => {
  const gone = await add({ reason: 'gone', fireAt: NINE });
  const inTokyo = await add({ reason: 'refused', fireAt: NINE + 1, timezone: 'Asia/Tokyo' });
  expect(await matching({ reason: 'gone' })).toEqual([gone]);
  expect(await matching({ from: NINE, to: NINE + 1 })).toEqual([gone]);
  expect(await matching({ timezone: 'Asia/Tokyo' })).toEqual([inTokyo]);
  expect(await matching({ userId: inTokyo.split(':')[1] ?? '' })).toEqual([inTokyo]);
  expect(await matching({ eventType: 'anniversary' })).toEqual([]);
});

test('leaves out whose user is gone, what never had an instant, and what was settled later', async () => {
  await add({ userId: randomUUID() });
  const unplanned = await add({ state: 'SKIPPED' });
  await rows.sql('update events.occurrences set fire_at = null where key = ?', [unplanned]);
  await add({ settledAt: NOW + 1 });
  const kept = await add({ settledAt: NOW });
  expect(await matching()).toEqual([kept]);
});

test('goes through all of both states, page by page, each once, also those of one instant', async () => {
  const keys: string[] = [];
  for (let nth = 0; nth < 11; nth++) {
    keys.push(await add({ state: nth % 2 ? 'FAILED' : 'SKIPPED', fireAt: NINE + (nth >> 2) }));
  }
  const seen: string[] = [];
  let after: RedeliveryCursor | null = null;
  for (;;) {
    const page = await ledger.findPage({ filter: ANY, after, limit: 3 });
    if (page.length === 0) break;
    seen.push(...page.map(({ key }) => key));
    after = page.at(-1) ?? null;
  }
  expect(seen).toHaveLength(11);
  expect(seen.toSorted()).toEqual(keys.toSorted());
});

/** The keys of the first page, whose number the count has to be. */
async function matching(fields: Partial<RedeliveryFilter> = {}): Promise<string[]> {
  const filter = { ...ANY, ...fields };
  const page = await ledger.findPage({ filter, after: null, limit: 100 });
  expect(await ledger.count(filter)).toBe(page.length);
  return page.map(({ key }) => key);
}

async function add({
  state = 'FAILED',
  reason = 'refused',
  fireAt = NINE,
  settledAt = NINE + 1000,
  timezone = 'Europe/Berlin',
  userId = '',
}): Promise<string> {
  const owner = userId === '' ? await rows.addUser() : userId;
  const key = await rows.addOccurrence(owner, { state, fireAt, timezone });
  await rows.sql(
    `update events.occurrences set reason = ?, settled_at = to_timestamp(?::float8 / 1000)
     where key = ?`,
    [reason, settledAt, key],
  );
  return key;
}
