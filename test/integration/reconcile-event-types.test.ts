import { afterAll, beforeAll, expect, test } from 'vitest';

import type { FindingKind } from '../../src/domain/reconcile-messages.ts';
import { birthday } from '../../src/event-types/birthday.ts';
import { registerEventTypes } from '../../src/event-types/registry.ts';
import type { Scheduler } from '../../src/events/scheduling.ts';
import { createReconcileLedger } from '../../src/persistence/reconcile-ledger.ts';
import { type Anniversaries, anniversary, createAnniversaries } from '../support/anniversary.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const HOUR = 3_600_000;
const eventTypes = registerEventTypes([birthday, anniversary]);

let database: TestDatabase;
let rows: EventRows;
let anniversaries: Anniversaries;

beforeAll(async () => {
  database = await createTestDatabase();
  rows = createEventRows(database.orm);
  const unheard: Scheduler = {
    userChanged: async () => {},
    userDeleted: async () => {},
    replan: async () => {},
  };
  anniversaries = await createAnniversaries(database.orm, unheard);
});
afterAll(() => database.drop());

test('of each type those are looked after who have such an event, and nobody else', async () => {
  const ledger = createReconcileLedger(database.orm, eventTypes.facts);
  const look = async (): Promise<Record<string, FindingKind>> => {
    await ledger.look('unplanned', { eventTypes: eventTypes.names, limit: 100, onPage() {} });
    const found = await rows.sql<{ subject: string; kind: FindingKind }>(
      'select subject, kind from events.findings',
    );
    return Object.fromEntries(found.map(({ subject, kind }) => [subject, kind]));
  };
  const [both, one, neither] = [await rows.addUser(), await rows.addUser(), await rows.addUser()];
  for (const user_id of [both, one]) {
    await anniversaries.set(user_id, '2015-06-20', Date.now() - HOUR);
    await plantOccurrence(rows.sql, { user_id });
  }
  const [key] = [`${anniversary.name}:${both}:2026`];
  await plantOccurrence(rows.sql, { user_id: both, event_type: anniversary.name, key });

  const missed = { [`anniversary:${one}`]: 'unplanned', [`birthday:${neither}`]: 'unplanned' };
  expect(await look()).toEqual(missed);
  expect(await ledger.confirm()).toEqual({ unplanned: 2 });

  await anniversaries.remove(one);
  expect(await ledger.settle()).toMatchObject({ repaired: { unplanned: 1 } });
  expect(await look()).toEqual({ [`birthday:${neither}`]: 'unplanned' });
});
