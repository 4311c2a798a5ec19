/** Dispatchers that post to a real receiver, on a database of the test file's own. */
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

import type { DeliveryLedger } from '../../src/events/ports.ts';
import type { DeliveryControl } from '../../src/events/delivery-control.ts';
import { createDeliveryControl } from '../../src/persistence/delivery-control.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import { createEventRows, type EventRows } from './event-rows.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import {
  startDispatcher,
  type TestDispatcher,
  type TestDispatcherOptions,
} from './test-dispatcher.ts';
import { startWebhookReceiver, type WebhookReceiver } from './webhook-receiver.ts';

export const HOUR = 3_600_000;
/** How long to poll for what has to happen. */
export const WITHIN = { timeout: 60_000, interval: 20 };

export type DispatcherFixture = ReturnType<typeof useDispatcherFixture>;

/** Registers the hooks of the file that calls it. */
export function useDispatcherFixture() {
  let database: TestDatabase;
  let rows: EventRows;
  let ledger: DeliveryLedger;
  let control: DeliveryControl;
  let receiver: WebhookReceiver;
  let dispatchers: TestDispatcher[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    rows = createEventRows(database.orm);
    ledger = createDeliveryLedger(database.orm, { lateAfterMs: HOUR / 12 });
    control = createDeliveryControl(database.orm, {
      lateLimitMs: 48 * HOUR,
      lateAfterMs: HOUR / 12,
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
    await rows.sql('truncate events.occurrences cascade');
    await rows.resetDestination();
  });

  /** A dispatcher that is stopped after the test. */
  async function dispatch(options: Partial<TestDispatcherOptions> = {}): Promise<TestDispatcher> {
    const urls = { databaseUrl: database.url, webhookUrl: receiver.url };
    const dispatcher = await startDispatcher({ ...urls, ...options });
    dispatchers.push(dispatcher);
    return dispatcher;
  }

  async function armed(userId: string, fireAt: number): Promise<string> {
    const occurrenceKey = await rows.addOccurrence(userId, { fireAt });
    const taskToken = Buffer.from(occurrenceKey);
    await ledger.arm({ occurrenceKey, fireAt, taskToken, now: Date.now() });
    return occurrenceKey;
  }

  async function stateOf(key: string): Promise<string> {
    return (await rows.find(key)).state;
  }

  function countIn(state: string): Promise<number> {
    return rows
      .sql<{ count: number }>(
        'select count(*)::int as count from events.occurrences where state = ?',
        [state],
      )
      .then(([row]) => row?.count ?? 0);
  }

  /** How many are due, untried and in nobody's hands. */
  function claimable(): Promise<number> {
    return rows
      .sql(
        `select 1 from events.occurrences where state = 'PROCESSING' and attempts = 0
           and sending_until is null and next_attempt_at <= events.clock()`,
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
    armed,
    stateOf,
    countIn,
    claimable,
  };
}
