/** The reconciler's looks, and rows planted for them, on a database of the test file's own. */
import { afterAll, afterEach, beforeAll } from 'vitest';

import type { FindingKind } from '../../src/domain/reconcile-messages.ts';
import type { LedgerKind, ReconcileLedger } from '../../src/events/reconciliation.ts';
import { createReconcileLedger } from '../../src/persistence/reconcile-ledger.ts';
import { createEventRows, type EventRows } from './event-rows.ts';
import { plantOccurrence } from './plant-occurrence.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';

type Columns = Readonly<Record<string, unknown>>;

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** All that the database alone can tell. */
export const KINDS: readonly LedgerKind[] = [
  'set_aside',
  'unattempted',
  'stalled_redelivery',
  'unchecked',
  'unreported',
  'unplanned',
  'orphaned',
  'store_lost',
];

export const isoIn = (ms: number): string => new Date(Date.now() + ms).toISOString();

/** Registers the hooks of the file that calls it. */
export function useReconcileFixture() {
  let database: TestDatabase;
  let rows: EventRows;
  let ledger: ReconcileLedger;
  beforeAll(async () => {
    database = await createTestDatabase();
    rows = createEventRows(database.orm);
    ledger = createReconcileLedger(database.orm);
  });
  afterAll(() => database.drop());
  afterEach(async () => {
    await rows.sql(
      `truncate events.occurrences, events.findings, events.stale_tokens, users.users,
         users.outbox cascade`,
    );
    await rows.sql('update events.reconciler set store_id = null, planned_elsewhere_until = null');
  });

  /** A row whose user exists, column by column; gives its key. */
  async function plant(columns: Columns = {}): Promise<string> {
    const user_id = await rows.addUser();
    return plantOccurrence(rows.sql, { user_id, ...columns });
  }

  /** A row that was armed for its instant, an hour ago if nothing else is said. */
  function plantArmed(columns: Columns = {}): Promise<string> {
    const fire_at = isoIn(-HOUR);
    return plant({ state: 'PROCESSING', fire_at, armed_at: fire_at, ...columns });
  }

  /** The row of a later year of the same user, as planning leaves it. */
  async function plantNext(key: string): Promise<void> {
    const [, user_id] = key.split(':');
    await plantOccurrence(rows.sql, { user_id, year: 2030, fire_at: '2030-05-20T07:00:00Z' });
  }

  /** An event of the user in the outbox, waiting if nothing else is said. */
  async function plantNews(userId: string, columns: Columns = {}): Promise<void> {
    const about = { type: 'UserUpdated', user_id: userId, revision: 2 };
    const row = { ...about, occurred_at: isoIn(-HOUR), ...columns };
    const places = Object.keys(row).map(() => '?');
    await rows.sql(
      `insert into users.outbox (${Object.keys(row).join(', ')}) values (${places.join(', ')})`,
      Object.values(row),
    );
  }

  /** Looks for all that the database alone can tell; gives what was found, kind by subject. */
  async function look(limit = 1_000): Promise<Record<string, FindingKind>> {
    for (const kind of KINDS) {
      await ledger.look(kind, { eventTypes: ['birthday'], limit, onPage() {} });
    }
    const found = await rows.sql<{ subject: string; kind: FindingKind }>(
      'select subject, kind from events.findings',
    );
    return Object.fromEntries(found.map(({ subject, kind }) => [subject, kind]));
  }

  return {
    get rows() {
      return rows;
    },
    get ledger() {
      return ledger;
    },
    plant,
    plantArmed,
    plantNext,
    plantNews,
    look,
  };
}
