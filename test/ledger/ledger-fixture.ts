/** The ledger on a database of the test file's own, emptied before each test. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

import { createLedger, type Ledger } from '../../src/ledger/ledger.ts';
import type {
  ClaimedOccurrence,
  ClaimRequest,
  ClaimResult,
  NextStep,
  RecordedAttempt,
} from '../../src/ledger/types.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { createTestDatabase, emptyLedger, type TestDatabase } from '../support/postgres.ts';

export const LEASE_MS = 25_000;
export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const LATE_AFTER_MS = 5 * MINUTE;

/** Registers the hooks of the file that calls it. */
export function useLedgerFixture() {
  let database: TestDatabase;
  let rows: EventRows;
  let ledger: Ledger;
  let shiftedMs = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    rows = createEventRows(database.orm);
    ledger = createLedger(database.orm, { lateAfterMs: LATE_AFTER_MS });
  });
  afterAll(() => database.drop());
  // Rows planned by one test must not be claimed by the next.
  beforeEach(async () => {
    await rows.sql(emptyLedger());
    await claim(0);
  });
  afterEach(async () => {
    await setClocks(0);
    await rows.resetDestination();
  });

  /** Moves the database's clock and that of the claims; 0 resets both. */
  async function setClocks(byMs: number): Promise<void> {
    shiftedMs = byMs;
    await rows.shiftClock(byMs);
    // So that the ledger knows the database's clock, without which it takes no expired lease.
    await claim(0);
  }

  async function planned(dueAt: number): Promise<string> {
    return rows.addOccurrence(await rows.addUser(), { dueAt });
  }

  function claim(limit = 10, request: Partial<ClaimRequest> = {}): Promise<ClaimResult> {
    // The database's clock is finer: what became due in this very millisecond counts.
    const now = Date.now() + 1 + shiftedMs;
    return ledger.claim({ limit, now, leaseMs: LEASE_MS, takesExpired: true, ...request });
  }

  async function claimed(limit = 10, request: Partial<ClaimRequest> = {}) {
    return (await claim(limit, request)).claimed;
  }

  async function claimOne(): Promise<ClaimedOccurrence> {
    const [one, ...others] = await claimed();
    if (one === undefined || others.length > 0) throw new Error('not exactly one was due');
    return one;
  }

  /** Runs something while a transaction of another session has the row locked. */
  function whileLocked(key: string, work: () => Promise<void>): Promise<void> {
    return database.orm.em.fork().transactional(async (em) => {
      await em.execute('select 1 from events.occurrences where key = ? for update', [key]);
      await work();
    });
  }

  /** One planner's transaction. */
  function inPlan<Result>(work: (em: SqlEntityManager) => Promise<Result>): Promise<Result> {
    return database.orm.em.fork().transactional(work);
  }

  function attemptsOf(key: string): Promise<object[]> {
    return rows.sql(
      `select number, lease_token as "leaseToken", sent_by as "sentBy", outcome, status,
         error_code as "errorCode", response_excerpt as excerpt
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
    setClocks,
    planned,
    claim,
    claimed,
    claimOne,
    whileLocked,
    inPlan,
    attemptsOf,
  };
}

/** An attempt for a claimed row, and what it leads to. */
export function attemptOf(
  claimed: ClaimedOccurrence,
  next: NextStep,
  reply: Partial<RecordedAttempt> = {},
): RecordedAttempt {
  const { key, destination, leaseToken, dueAt, localDate, redelivered } = claimed;
  return {
    key,
    destination,
    leaseToken,
    dueAt,
    localDate,
    redelivered,
    next,
    sentBy: 'dispatcher',
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
