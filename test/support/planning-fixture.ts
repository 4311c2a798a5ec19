/** The planner and the ledger on a database of the test file's own. */
import { afterAll, afterEach, beforeAll, expect } from 'vitest';

import type { PlanResult } from '../../src/domain/plan-messages.ts';
import { createPlanner, type Planner } from '../../src/events/planner.ts';
import type { DeliveryLedger } from '../../src/events/ports.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import { createPlanningStore } from '../../src/persistence/planning-store.ts';
import { createEventRows, type EventRows } from './event-rows.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { bundledLaw } from './zone-laws.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
/** Users are born on 20 May and live in Berlin, unless a test says otherwise. */
export const BERLIN_2026 = Date.UTC(2026, 4, 20, 7);
export const BERLIN_2027 = Date.UTC(2027, 4, 20, 7);
export const SPRING = Date.UTC(2026, 3, 1);

export function keyOf(userId: string, year = 2026): string {
  return `birthday:${userId}:${year}`;
}

interface Facts {
  readonly dateOfBirth: string;
  readonly timezone: string;
}

const INSTANT = 'to_timestamp(?::float8 / 1000)';

/** Registers the hooks of the file that calls it. */
export function usePlanningFixture() {
  let database: TestDatabase;
  let rows: EventRows;
  let planner: Planner;
  let ledger: DeliveryLedger;

  beforeAll(async () => {
    database = await createTestDatabase();
    rows = createEventRows(database.orm);
    ledger = createDeliveryLedger(database.orm, { lateAfterMs: 5 * 60_000 });
    planner = createPlanner({
      store: createPlanningStore(database.orm),
      settings: {
        rules: { leapDayPolicy: 'feb28', localTime: '09:00', law: bundledLaw },
        lateLimitMs: 48 * HOUR,
        armLeadMs: 15_000,
        armWindowMs: 45_000,
      },
    });
  });
  afterAll(() => database.drop());
  afterEach(() => rows.shiftClock(0));

  function plan(userId: string, now = SPRING): Promise<PlanResult> {
    return planner.plan({ eventType: 'birthday', userId, now });
  }

  async function arm(userId: string, token = 'a1'): Promise<void> {
    const occurrenceKey = keyOf(userId);
    const request = { occurrenceKey, fireAt: BERLIN_2026, now: BERLIN_2026 };
    const armed = await ledger.arm({ ...request, taskToken: Buffer.from(token, 'hex') });
    expect(armed).toEqual({ kind: 'armed' });
  }

  /** As if it were the morning of the birthday, a little after 9:00. */
  async function claimAtNine() {
    await rows.shiftClock(BERLIN_2026 + 1000 - Date.now());
    return ledger.claim({ limit: 1000, now: BERLIN_2026 + 1000, holdMs: 25_000 });
  }

  async function move(userId: string, timezone: string, changedAt = SPRING): Promise<void> {
    await rows.sql(
      `update users.users set timezone = ?, facts_changed_at = to_timestamp(?::float8 / 1000)
       where id = ?`,
      [timezone, changedAt, userId],
    );
  }

  async function correct(userId: string, dateOfBirth: string, changedAt = SPRING): Promise<void> {
    await rows.sql(
      `update users.users set date_of_birth = ?, facts_changed_at = to_timestamp(?::float8 / 1000)
       where id = ?`,
      [dateOfBirth, changedAt, userId],
    );
  }

  /** Changes the user as the API does, with what was true before in the history. */
  async function change(userId: string, fields: Partial<Facts>, at: number): Promise<void> {
    const { dateOfBirth = null, timezone = null } = fields;
    await rows.sql(
      `insert into users.history (user_id, date_of_birth, timezone, valid_from)
       select id, date_of_birth, timezone, created_at from users.users as u
       where id = ? and not exists (select from users.history where user_id = u.id)`,
      [userId],
    );
    await rows.sql(
      `update users.users set date_of_birth = coalesce(?, date_of_birth),
         timezone = coalesce(?, timezone), facts_changed_at = ${INSTANT}
       where id = ?`,
      [dateOfBirth, timezone, at, userId],
    );
    await rows.sql(
      `update users.history set valid_until = ${INSTANT} where user_id = ? and valid_until is null`,
      [at, userId],
    );
    await rows.sql(
      `insert into users.history (user_id, date_of_birth, timezone, valid_from)
       select id, date_of_birth, timezone, facts_changed_at from users.users where id = ?`,
      [userId],
    );
  }

  function occurrencesOf(userId: string): Promise<object[]> {
    return rows.sql(
      `select year, state, reason, anchor_date::text as "anchorDate", attempts
       from events.occurrences where user_id = ? order by year`,
      [userId],
    );
  }

  return {
    get database() {
      return database;
    },
    get rows() {
      return rows;
    },
    plan,
    arm,
    claimAtNine,
    move,
    correct,
    change,
    occurrencesOf,
  };
}
