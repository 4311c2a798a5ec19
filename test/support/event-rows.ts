/** Rows of both contexts, put where a test wants them, and the database's clock. */
import { randomUUID } from 'node:crypto';

import type { Orm } from '../../src/persistence/orm.ts';

export interface EventRows {
  sql<Row extends object>(query: string, params?: readonly unknown[]): Promise<Row[]>;
  addUser(user?: Partial<UserRow>): Promise<string>;
  /** A planned occurrence, PENDING; gives its key. */
  addOccurrence(userId: string, occurrence?: Partial<OccurrenceValues>): Promise<string>;
  /** Users with an armed occurrence each, all due at one instant; gives the keys. */
  addHerd(count: number, fireAt: number): Promise<string[]>;
  find(key: string): Promise<LedgerRow>;
  /** The destination as at first: no pause, no pace, no slow-down. */
  resetDestination(): Promise<void>;
  /** Moves the database's clock; 0 puts it right. */
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
  readonly year: number;
  readonly state: string;
  readonly anchorDate: string;
  readonly timezone: string;
  readonly fireAt: number;
}

/** A row of the ledger as tests look at it; instants as epoch ms, the token as hex. */
export interface LedgerRow {
  readonly state: string;
  readonly reason: string | null;
  readonly blockedReason: string | null;
  readonly timezone: string;
  readonly fireAt: number | null;
  readonly recheckedAt: number | null;
  readonly lane: number;
  readonly nextAttemptAt: number | null;
  readonly sendingUntil: number | null;
  readonly retryAt: number | null;
  readonly fence: number;
  readonly attempts: number;
  readonly armedAttempts: number;
  readonly firstAttemptAt: number | null;
  readonly deliveredAt: number | null;
  readonly latenessMs: number | null;
  readonly token: string | null;
  readonly report: string | null;
}

export function createEventRows(orm: Orm): EventRows {
  const sql = <Row extends object>(query: string, params: readonly unknown[] = []) =>
    orm.em.fork().execute<Row[]>(query, [...params]);

  return {
    sql,

    async addUser(user = {}) {
      const id = randomUUID();
      const { firstName = 'Ada', lastName = 'Lovelace' } = user;
      const { dateOfBirth = '1990-05-20', timezone = 'Europe/Berlin' } = user;
      const { createdAt = Date.UTC(2026, 0, 1), changedAt = createdAt } = user;
      await sql(
        `insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
           created_at, updated_at, facts_changed_at)
         values (?, ?, ?, ?, ?, 1, ${INSTANT}, ${INSTANT}, ${INSTANT})`,
        [id, firstName, lastName, dateOfBirth, timezone, createdAt, createdAt, changedAt],
      );
      return id;
    },

    async addOccurrence(userId, occurrence = {}) {
      const { year = 2026, state = 'PENDING', fireAt = Date.now() } = occurrence;
      const { anchorDate = '1990-05-20', timezone = 'Europe/Berlin' } = occurrence;
      const key = `birthday:${userId}:${year}`;
      await sql(
        `insert into events.occurrences (key, event_type, user_id, year, state, anchor_date,
           timezone, local_time, leap_day_policy, tz_version, local_date, fire_at, planned_at)
         values (?, 'birthday', ?, ?, ?, ?, ?, '09:00', 'feb28', '2026c', '2026-05-20',
           ${INSTANT}, clock_timestamp())`,
        [key, userId, year, state, anchorDate, timezone, fireAt],
      );
      return key;
    },

    async addHerd(count, fireAt) {
      const rows = await sql<{ key: string }>(
        `with herd as (
           insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
             created_at, updated_at, facts_changed_at)
           select gen_random_uuid(), 'Herd', n::text, '1990-05-20', 'Europe/Berlin', 1,
             now(), now(), now()
           from generate_series(1, ?::int) as n
           returning id
         )
         insert into events.occurrences (key, event_type, user_id, year, state, anchor_date,
           timezone, local_time, leap_day_policy, tz_version, local_date, fire_at, planned_at,
           armed_at, next_attempt_at, task_token)
         select 'birthday:' || id || ':2026', 'birthday', id, 2026, 'PROCESSING', '1990-05-20',
           'Europe/Berlin', '09:00', 'feb28', '2026c', '2026-05-20', ${INSTANT}, now(),
           now(), ${INSTANT}, decode(md5(id::text), 'hex')
         from herd
         returning key`,
        [count, fireAt, fireAt],
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
}

const INSTANT = 'to_timestamp(?::float8 / 1000)';

const ms = (column: string, name: string): string =>
  `(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

const FIND = `
  select state, reason, blocked_reason as "blockedReason", timezone, ${ms('fire_at', 'fireAt')},
    ${ms('rechecked_at', 'recheckedAt')}, lane, ${ms('next_attempt_at', 'nextAttemptAt')},
    ${ms('sending_until', 'sendingUntil')}, ${ms('retry_at', 'retryAt')}, fence, attempts,
    armed_attempts as "armedAttempts", ${ms('first_attempt_at', 'firstAttemptAt')},
    ${ms('delivered_at', 'deliveredAt')}, lateness_ms::float8 as "latenessMs",
    encode(task_token, 'hex') as token, report
  from events.occurrences where key = ?`;
