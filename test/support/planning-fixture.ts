/** The planner and the ledger on a database of the test file's own, at an instant of its own. */
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach } from 'vitest';

import { createLedger, type Ledger } from '../../src/ledger/ledger.ts';
import { createRedelivery, type Redelivery } from '../../src/ledger/redelivery.ts';
import { shownState } from '../../src/ledger/sql.ts';
import type { ClaimedOccurrence, OccasionRef } from '../../src/ledger/types.ts';
import type { Orm } from '../../src/platform/database/orm.ts';
import { createPlanner, type Planner } from '../../src/planning/planner.ts';
import type { PlanOutcome } from '../../src/planning/write-plans.ts';
import type { TzDatabase } from '../../src/time/tz-database.ts';
import { createOccasions, type Occasions } from '../../src/users/occasions.ts';
import { createUsers, type Users } from '../../src/users/users.ts';
import { createEventRows, type EventRows } from './event-rows.ts';
import { createTestDatabase, emptyLedger, type TestDatabase } from './postgres.ts';
import { bundledTz } from './tz-databases.ts';

export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** Users are born on 20 May and live in Berlin by default. */
export const BERLIN_2026 = Date.UTC(2026, 4, 20, 7);
export const BERLIN_2027 = Date.UTC(2027, 4, 20, 7);
export const NEW_YORK_2026 = Date.UTC(2026, 4, 20, 13);
export const TOKYO_2026 = Date.UTC(2026, 4, 20);
export const SPRING = Date.UTC(2026, 3, 1);

export const LATE_AFTER_MS = 5 * MINUTE;
export const LATE_LIMIT_MS = 48 * HOUR;
export const LEASE_MS = 25_000;

export const birthdayOf = (userId: string) => ({ type: 'birthday', id: userId });

export function keyOf(userId: string, year = 2026): string {
  return `birthday:${userId}:${year}`;
}

interface Inputs {
  readonly dateOfBirth: string;
  readonly timezone: string;
}

interface PlannerOptions {
  readonly orm?: Orm;
  readonly tz?: TzDatabase;
  readonly lateLimitMs?: number;
  readonly wake?: { readonly afterMs: number; readonly perSecond: number };
  /** What the process's clock adds to the database's. */
  readonly skewMs?: number;
}

/** The last one notes whom the deletion of users has left to be erased. */
const TABLES = [
  'events.occasion_types',
  'events.occasion_type_rules',
  'users.outbox',
  'users.users',
  'users.erasures',
] as const;

/** Registers the hooks of the file that calls it. The clocks stand still where a test puts them. */
export function usePlanningFixture() {
  let database: TestDatabase;
  let rows: EventRows;
  let ledger: Ledger;
  let planner: Planner;
  let users: Users;
  let occasions: Occasions;
  let redelivery: Redelivery;
  let now = SPRING;

  beforeAll(async () => {
    database = await createTestDatabase();
    rows = createEventRows(database.orm);
    ledger = createLedger(database.orm, { lateAfterMs: LATE_AFTER_MS });
    planner = plannerWith();
    users = createUsers(database.orm, { clock: () => now, tz: bundledTz });
    occasions = createOccasions(database.orm, {});
    redelivery = createRedelivery(database.orm);
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    await rows.sql(emptyLedger(...TABLES));
    await setClock(SPRING);
  });

  function plannerWith(options: PlannerOptions = {}): Planner {
    const { orm = database.orm, tz = bundledTz, wake, skewMs = 0 } = options;
    const { lateLimitMs = LATE_LIMIT_MS } = options;
    return createPlanner({
      orm,
      settings: {
        tz,
        lateAfterMs: LATE_AFTER_MS,
        lateLimitMs,
        wake: wake ?? { afterMs: 10_000, perSecond: 15 },
      },
      clock: () => now + skewMs,
      logger: pino({ level: 'silent' }),
    });
  }

  /** Sets the clocks of the database, and of planners and claims, to this instant. */
  async function setClock(instant: number): Promise<void> {
    now = instant;
    for (const schema of ['events', 'users']) {
      await rows.sql(`create or replace function ${schema}.clock() returns timestamptz
        language sql volatile as 'select to_timestamp(${instant / 1000}::float8)'`);
    }
  }

  /** Plans one occasion at an instant; by default, at that of the last time. */
  async function planOccasion(ref: OccasionRef, at = now): Promise<PlanOutcome> {
    if (at !== now) await setClock(at);
    const [outcome] = await planner.plan([ref]);
    if (outcome === undefined) throw new Error('there was no outcome');
    return outcome;
  }

  /** Plans the birthday of a user at an instant; by default, at that of the last time. */
  const plan = (userId: string, at = now): Promise<PlanOutcome> =>
    planOccasion(birthdayOf(userId), at);

  /** Changes a type's own settings, as the API does. */
  async function setType(type: string, settings: Partial<TypeValues>): Promise<void> {
    const none = { deliveryTime: null, leapDayPolicy: null, lateLimitMs: null };
    await rows.sql(SET_TYPE, { ...none, whenLate: null, destination: null, type, ...settings });
  }

  async function claim(limit = 1000): Promise<readonly ClaimedOccurrence[]> {
    const request = { limit, now, leaseMs: LEASE_MS, takesExpired: true };
    return (await ledger.claim(request)).claimed;
  }

  /** Claims what is due, and records one attempt for each. */
  async function send(outcome: 'delivered' | 'retry' | 'refused'): Promise<void> {
    const next = {
      delivered: { kind: 'delivered', at: now },
      retry: { kind: 'retry', at: now + MINUTE, notBefore: null },
      refused: { kind: 'failed', at: now, reason: 'refused' },
    } as const;
    const attempts = (await claim()).map((one) => ({
      key: one.key,
      destination: one.destination,
      leaseToken: one.leaseToken,
      dueAt: one.dueAt,
      localDate: one.localDate,
      redelivered: one.redelivered,
      sentBy: 'dispatcher' as const,
      startedAt: now,
      durationMs: 5,
      outcome: outcome === 'delivered' ? 'delivered' : 'refused',
      status: outcome === 'delivered' ? 200 : 503,
      errorCode: null,
      responseExcerpt: null,
      next: next[outcome],
      slowsDestination: false,
      retryAfterMs: null,
    }));
    await ledger.record(attempts);
  }

  /** Changes the user as the API does. */
  async function change(userId: string, fields: Partial<Inputs>, at = now): Promise<void> {
    const { dateOfBirth = null, timezone = null } = fields;
    await rows.sql(
      `with changed as (
         update users.users set date_of_birth = coalesce(:dateOfBirth::date, date_of_birth),
           timezone = coalesce(:timezone::text, timezone), inputs_changed_at = ${AT}, updated_at = ${AT}
         where id = :userId::uuid
       )
       update users.history set valid_until = ${AT} where user_id = :userId::uuid and valid_until is null`,
      { userId, dateOfBirth, timezone, at },
    );
    await rows.sql(
      `insert into users.history (user_id, date_of_birth, timezone, valid_from)
       select id, date_of_birth, timezone, inputs_changed_at from users.users
       where id = :userId::uuid`,
      { userId },
    );
  }

  async function deleteUser(userId: string, at = now): Promise<void> {
    await rows.sql(
      `with gone as (delete from users.users where id = :userId::uuid)
       update users.history set valid_until = ${AT} where user_id = :userId::uuid and valid_until is null`,
      { userId, at },
    );
  }

  function occurrencesOf(userId: string): Promise<object[]> {
    return rows.sql(
      `select nominal_date as "nominalDate", ${shownState('occurrences')} as state, reason, date::text, attempts, followed
       from events.occurrences where user_id = ? order by nominal_date`,
      [userId],
    );
  }

  async function occasionOf(userId: string): Promise<OccasionRow | null> {
    const [row] = await rows.sql<OccasionRow>(OCCASION, { userId });
    return row ?? null;
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
    /** The operations of the API, at the database's clock. */
    get occasions() {
      return occasions;
    },
    get users() {
      return users;
    },
    get redelivery() {
      return redelivery;
    },
    get planner() {
      return planner;
    },
    get now() {
      return now;
    },
    plannerWith,
    setClock,
    plan,
    planOccasion,
    setType,
    claim,
    send,
    change,
    deleteUser,
    occurrencesOf,
    occasionOf,
  };
}

interface TypeValues {
  readonly deliveryTime: string | null;
  readonly leapDayPolicy: 'feb28' | 'mar1' | null;
  readonly lateLimitMs: number | null;
  readonly whenLate: 'send' | 'skip' | null;
  readonly destination: string | null;
}

export interface OccasionRow {
  readonly version: number;
  readonly plannedAt: number | null;
  readonly inputsAt: number | null;
  readonly lastSettledKey: string | null;
  readonly lastSettledNominal: string | null;
  readonly wakeAt: number | null;
  readonly wakeDueAt: number | null;
  readonly notifiedWakeAt: number | null;
  readonly endedAt: number | null;
  readonly endNotifiedAt: number | null;
}

const AT = 'to_timestamp(:at::float8 / 1000)';

const SET_TYPE = `
  with settings as (
    insert into events.occasion_types (type, delivery_time, leap_day_policy, late_limit_ms,
      when_late, destination)
    values (:type, :deliveryTime::text, :leapDayPolicy::text, :lateLimitMs::bigint,
      :whenLate::text, :destination::text)
    on conflict (type) do update set delivery_time = excluded.delivery_time,
      leap_day_policy = excluded.leap_day_policy, late_limit_ms = excluded.late_limit_ms,
      when_late = excluded.when_late, destination = excluded.destination
  )
  insert into events.occasion_type_rules (type, delivery_time, leap_day_policy)
  values (:type, :deliveryTime::text, :leapDayPolicy::text)`;

const ms = (column: string, name: string): string =>
  `(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

const OCCASION = `
  select version::int, ${ms('planned_at', 'plannedAt')}, ${ms('inputs_at', 'inputsAt')},
    last_settled_key as "lastSettledKey", last_settled_nominal as "lastSettledNominal",
    ${ms('wake_at', 'wakeAt')}, ${ms('wake_due_at', 'wakeDueAt')},
    ${ms('notified_wake_at', 'notifiedWakeAt')}, ${ms('ended_at', 'endedAt')},
    ${ms('end_notified_at', 'endNotifiedAt')}
  from events.occasions where type = 'birthday' and id = :userId::uuid`;
