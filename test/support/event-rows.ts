/** Rows of both contexts, placed where a test needs them, and the database's clock. */
import { randomUUID } from 'node:crypto';

import { shownState } from '../../src/ledger/sql.ts';
import type { OccurrenceState } from '../../src/ledger/types.ts';
import type { Orm } from '../../src/platform/database/orm.ts';
import { plantOccurrence } from './plant-occurrence.ts';

export interface EventRows {
  /** Parameters by place (`?`), or by name (`:name`). */
  sql<Row extends object>(
    query: string,
    params?: readonly unknown[] | Readonly<Record<string, unknown>>,
  ): Promise<Row[]>;
  /** A user, and the history of its inputs; returns the id. */
  addUser(user?: Partial<UserRow>): Promise<string>;
  addUsers(count: number): Promise<string[]>;
  /** A planned occurrence, PENDING by default; returns its key. */
  addOccurrence(userId: string, occurrence?: Partial<OccurrenceValues>): Promise<string>;
  /** Users with a planned occurrence each, all due at one instant; returns the keys. */
  addHerd(count: number, dueAt: number): Promise<string[]>;
  find(key: string): Promise<LedgerRow>;
  /** Resets the destination: no pause, no rate limit, no backpressure. */
  resetDestination(): Promise<void>;
  /** Moves the database's clock; 0 resets it. */
  shiftClock(byMs: number): Promise<void>;
}

interface UserRow {
  readonly firstName: string;
  readonly lastName: string;
  readonly dateOfBirth: string;
  readonly timezone: string;
  readonly createdAt: number;
  readonly changedAt: number;
}

interface OccurrenceValues {
  readonly nominalDate: string;
  readonly state: OccurrenceState;
  readonly date: string;
  readonly timezone: string;
  readonly dueAt: number;
  readonly inputsAt: number;
}

/** A row of the ledger as tests read it; instants as epoch ms. */
export interface LedgerRow {
  readonly state: OccurrenceState;
  readonly reason: string | null;
  readonly blockedReason: string | null;
  readonly date: string;
  readonly timezone: string;
  readonly inputsAt: number;
  readonly localDate: string | null;
  readonly dueAt: number | null;
  readonly supersededAt: number | null;
  readonly priority: number;
  readonly nextAttemptAt: number | null;
  readonly leaseUntil: number | null;
  readonly leaseToken: number;
  readonly retryNotBefore: number | null;
  readonly attempts: number;
  readonly earlierAttempts: number;
  readonly firstAttemptAt: number | null;
  readonly settledAt: number | null;
  readonly deliveredAt: number | null;
  readonly latenessMs: number | null;
  readonly followed: boolean;
  readonly redeliveries: number;
  readonly redeliveredAt: number | null;
  readonly forcedAt: number | null;
}

export function createEventRows(orm: Orm): EventRows {
  const sql = <Row extends object>(
    query: string,
    params: readonly unknown[] | Readonly<Record<string, unknown>> = [],
  ) => orm.em.fork().execute<Row[]>(query, params);

  const rows: EventRows = {
    sql,

    async addUser(user = {}) {
      const id = randomUUID();
      const { firstName = 'Ada', lastName = 'Lovelace' } = user;
      const { dateOfBirth = '1990-05-20', timezone = 'Europe/Berlin' } = user;
      const { createdAt = Date.UTC(2026, 0, 1), changedAt = createdAt } = user;
      await sql(
        `with added as (
           insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
             created_at, updated_at, inputs_changed_at)
           values (:id, :firstName, :lastName, :dateOfBirth, :timezone, 1,
             ${CREATED_AT}, ${CREATED_AT}, to_timestamp(:changedAt::float8 / 1000))
         )
         insert into users.history (user_id, date_of_birth, timezone, valid_from)
         values (:id, :dateOfBirth, :timezone, ${CREATED_AT})`,
        { id, firstName, lastName, dateOfBirth, timezone, createdAt, changedAt },
      );
      return id;
    },

    /** One after the other: all at once would wait for the pool's few connections. */
    async addUsers(count) {
      const ids: string[] = [];
      while (ids.length < count) ids.push(await rows.addUser());
      return ids;
    },

    addOccurrence(userId, occurrence = {}) {
      const { nominalDate = '2026-05-20', state = 'PENDING', dueAt = Date.now() } = occurrence;
      const { date = '1990-05-20', timezone = 'Europe/Berlin' } = occurrence;
      const { inputsAt = Date.UTC(2026, 0, 1) } = occurrence;
      return plantOccurrence(sql, {
        user_id: userId,
        nominal_date: nominalDate,
        state,
        date,
        timezone,
        due_at: new Date(dueAt),
        inputs_at: new Date(inputsAt),
        planned_at: new Date(),
      });
    },

    async addHerd(count, dueAt) {
      const rows = await sql<{ key: string }>(
        `with herd as (
           insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
             created_at, updated_at, inputs_changed_at)
           select gen_random_uuid(), 'Herd', n::text, '1990-05-20', 'Europe/Berlin', 1,
             now(), now(), now()
           from generate_series(1, :count::int) as n
           returning id, created_at
         ), history as (
           insert into users.history (user_id, date_of_birth, timezone, valid_from)
           select id, '1990-05-20', 'Europe/Berlin', created_at from herd
         )
         insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date,
           state, recurrence, date, timezone, local_time, leap_day_policy, tz_version, rules_id,
           inputs_at, local_date, due_at, next_attempt_at, planned_at)
         select 'birthday:' || id || ':2026', 'birthday', id, id, '2026-05-20',
           'PENDING', 'birthday', '1990-05-20', 'Europe/Berlin', '09:00', 'feb28', '2026c',
           coalesce((select max(id) from events.rules), 0), created_at, '2026-05-20',
           ${DUE_AT}, ${DUE_AT}, now()
         from herd
         returning key`,
        { count, dueAt },
      );
      return rows.map(({ key }) => key);
    },

    async find(key) {
      const [row] = await sql<LedgerRow>(FIND, [key]);
      if (row === undefined) throw new Error(`There is no row ${key}.`);
      return row;
    },

    async resetDestination() {
      await sql('delete from events.destinations');
      await sql("insert into events.destinations (id) values ('default')");
    },

    async shiftClock(byMs) {
      await sql(`create or replace function events.clock() returns timestamptz
        language sql volatile
        as 'select clock_timestamp() + interval ''${Math.round(byMs)} milliseconds'''`);
    },
  };
  return rows;
}

const CREATED_AT = 'to_timestamp(:createdAt::float8 / 1000)';
const DUE_AT = 'to_timestamp(:dueAt::float8 / 1000)';

const ms = (column: string, name: string): string =>
  `(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

const FIND = `
  select ${shownState('occurrences')} as state, reason, blocked_reason as "blockedReason", date::text, timezone,
    ${ms('inputs_at', 'inputsAt')}, local_date::text as "localDate", ${ms('due_at', 'dueAt')},
    ${ms('superseded_at', 'supersededAt')}, priority, ${ms('next_attempt_at', 'nextAttemptAt')},
    ${ms('lease_until', 'leaseUntil')}, lease_token as "leaseToken",
    ${ms('retry_not_before', 'retryNotBefore')}, attempts, earlier_attempts as "earlierAttempts",
    ${ms('first_attempt_at', 'firstAttemptAt')}, ${ms('settled_at', 'settledAt')},
    ${ms('delivered_at', 'deliveredAt')}, lateness_ms::float8 as "latenessMs", followed,
    redeliveries, ${ms('redelivered_at', 'redeliveredAt')}, ${ms('forced_at', 'forcedAt')}
  from events.occurrences where key = ?`;
