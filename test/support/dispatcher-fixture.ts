/** Dispatchers that post to a real receiver, on a database of the test file's own. */
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

import { createDeliveryControl, type DeliveryControl } from '../../src/ledger/delivery-control.ts';
import { createLedger, type Ledger } from '../../src/ledger/ledger.ts';
import { shownState } from '../../src/ledger/sql.ts';
import { createEventRows, type EventRows } from './event-rows.ts';
import { createTestDatabase, emptyLedger, type TestDatabase } from './postgres.ts';
import {
  startDispatcher,
  type TestDispatcher,
  type TestDispatcherOptions,
} from './test-dispatcher.ts';
import { startWebhookReceiver, type WebhookReceiver } from './webhook-receiver.ts';

export const HOUR = 3_600_000;
/** How long to poll for what must happen. */
export const WITHIN = { timeout: 60_000, interval: 20 };

export type DispatcherFixture = ReturnType<typeof useDispatcherFixture>;

/** Registers the hooks of the file that calls it. */
export function useDispatcherFixture() {
  let database: TestDatabase;
  let rows: EventRows;
  let ledger: Ledger;
  let control: DeliveryControl;
  let receiver: WebhookReceiver;
  let dispatchers: TestDispatcher[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    rows = createEventRows(database.orm);
    ledger = createLedger(database.orm, { lateAfterMs: HOUR / 12 });
    control = createDeliveryControl(database.orm, {
      lateAfterMs: HOUR / 12,
      lateLimitMs: 48 * HOUR,
    });
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    receiver = await startWebhookReceiver();
  });
  afterEach(async () => {
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.stop()));
    dispatchers = [];
    await receiver.close();
    await rows.shiftClock(0);
    await rows.sql(emptyLedger('events.dispatchers'));
    await rows.resetDestination();
  });

  /** A dispatcher that is stopped after the test. */
  async function dispatch(options: Partial<TestDispatcherOptions> = {}): Promise<TestDispatcher> {
    const urls = { databaseUrl: database.url, webhookUrl: receiver.url };
    const dispatcher = await startDispatcher({ ...urls, ...options });
    dispatchers.push(dispatcher);
    return dispatcher;
  }

  async function stateOf(key: string): Promise<string> {
    return (await rows.find(key)).state;
  }

  function countIn(state: string): Promise<number> {
    return rows
      .sql<{ count: number }>(
        `select count(*)::int as count from events.occurrences where ${shownState('occurrences')} = ?`,
        [state],
      )
      .then(([row]) => row?.count ?? 0);
  }

  /** How many are due, without an attempt, and not leased. */
  function claimable(): Promise<number> {
    return rows
      .sql(
        `select 1 from events.occurrences where state = 'PENDING' and attempts = earlier_attempts
           and next_attempt_at <= events.clock() and lease_until is null`,
      )
      .then((due) => due.length);
  }

  return {
    get database() {
      return database;
    },
    get rows() {
      return rows;
    },
    get ledger() {
      return ledger;
    },
    get control() {
      return control;
    },
    get receiver() {
      return receiver;
    },
    get dispatchers() {
      return dispatchers;
    },
    dispatch,
    /** Plans an occurrence of this user; returns its key. */
    planned: (userId: string, dueAt: number) => rows.addOccurrence(userId, { dueAt }),
    stateOf,
    countIn,
    claimable,
  };
}
