/** The delivery ledger on a database of the test file's own, emptied before each test. */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';

import type { ClaimedOccurrence, DeliveryLedger, RecordedAttempt } from '../../src/events/ports.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import { createEventRows, type EventRows } from './event-rows.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';

export const HOLD_MS = 25_000;
export const MINUTE = 60_000;

/** Registers the hooks of the file that calls it. */
export function useLedgerFixture() {
  let database: TestDatabase;
  let rows: EventRows;
  let ledger: DeliveryLedger;

  beforeAll(async () => {
    database = await createTestDatabase();
    rows = createEventRows(database.orm);
    ledger = createDeliveryLedger(database.orm, { lateAfterMs: 5 * MINUTE });
  });
  afterAll(() => database.drop());
  // What one test leaves armed must not be claimed by the next.
  beforeEach(() => rows.sql('truncate events.occurrences cascade'));
  afterEach(async () => {
    await rows.shiftClock(0);
    await rows.resetDestination();
  });

  async function planned(fireAt: number): Promise<string> {
    return rows.addOccurrence(await rows.addUser(), { fireAt });
  }

  function arm(occurrenceKey: string, fireAt: number, token = 'a1', now = Date.now()) {
    return ledger.arm({ occurrenceKey, fireAt, taskToken: Buffer.from(token, 'hex'), now });
  }

  async function armed(fireAt: number, token = 'a1'): Promise<string> {
    const key = await planned(fireAt);
    expect(await arm(key, fireAt, token)).toEqual({ kind: 'armed' });
    return key;
  }

  function claim(limit = 10, now = Date.now()): Promise<ClaimedOccurrence[]> {
    return ledger.claim({ limit, now, holdMs: HOLD_MS });
  }

  async function claimOne(): Promise<ClaimedOccurrence> {
    const [claimed, ...others] = await claim();
    if (claimed === undefined || others.length > 0) throw new Error('not exactly one was due');
    return claimed;
  }

  /** Does something while a transaction of somebody else has the row locked. */
  function whileLocked(key: string, work: () => Promise<void>): Promise<void> {
    return database.orm.em.fork().transactional(async (em) => {
      await em.execute('select 1 from events.occurrences where key = ? for update', [key]);
      await work();
    });
  }

  function attemptsOf(key: string): Promise<object[]> {
    return rows.sql(
      `select number, outcome, status, error_code as "errorCode", response_excerpt as excerpt
       from events.attempts where occurrence_key = ? order by number`,
      [key],
    );
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
    planned,
    arm,
    armed,
    claim,
    claimOne,
    whileLocked,
    attemptsOf,
  };
}

/** An attempt for a claimed row, and what it leads to. */
export function attemptOf(
  claimed: ClaimedOccurrence,
  next: RecordedAttempt['next'],
  reply: Partial<RecordedAttempt> = {},
): RecordedAttempt {
  const { key, fence, attempt, fireAt, redelivered } = claimed;
  return {
    key,
    fence,
    attempt,
    fireAt,
    redelivered,
    next,
    startedAt: Date.now(),
    durationMs: 12,
    outcome: next.kind,
    status: next.kind === 'delivered' ? 200 : 503,
    errorCode: null,
    responseExcerpt: null,
    slowsDestination: false,
    retryAfterMs: null,
    ...reply,
  };
}
