/** Users, rules, plans, outcomes and audits on a database of the test file's own, at any time. */
import { randomUUID } from 'node:crypto';

import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach } from 'vitest';

import { type AuditDeps, auditDay } from '../../src/audit/audit-day.ts';
import type { AuditReport } from '../../src/audit/report.ts';
import { createPlanner } from '../../src/planning/planner.ts';
import type { DateRulesRecord } from '../../src/planning/rules.ts';
import { plantAttempt } from './plant-occurrence.ts';
import { createTestDatabase, emptyLedger, type TestDatabase } from './postgres.ts';
import { bundledTz } from './tz-databases.ts';

export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
const LIMITS = { lateAfterMs: 5 * MINUTE, lateLimitMs: 48 * HOUR, giveUpAfterMs: 72 * HOUR };
const RULES = { localTime: '09:00', leapDayPolicy: 'feb28' } as const;
/** The last one notes whom the deletion of users has left to be erased. */
const TABLES = [
  'users.history',
  'users.outbox',
  'users.occasion_periods',
  'events.occasion_types',
  'events.occasion_type_rules',
  'events.erased_occurrences',
  'events.erased_days',
  'events.audits',
  'events.rules',
  'users.users',
  'users.erasures',
] as const;

export interface Inputs {
  readonly dateOfBirth: string;
  readonly timezone: string;
}

/** Of an occasion besides the birthday; null for the user's, or the installation's. */
export interface OccasionInputs {
  readonly type: string;
  readonly recurrence: string;
  readonly rrule: string | null;
  readonly date: string | null;
  readonly offsetDays: number;
  readonly deliveryTime: string | null;
  readonly timezone: string | null;
  readonly suspended: boolean;
}

/** The open row of a user. */
export interface OpenPlan {
  readonly key: string;
  readonly nominalDate: string;
  readonly dueAt: number | null;
}

/** Registers the hooks of the file that calls it. */
export function useAuditFixture() {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    await sql(FIXED_CLOCK);
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    await sql(emptyLedger(...TABLES));
    rules = [];
    await addRules({}, Date.UTC(2000, 0, 1));
  });
  let rules: (DateRulesRecord & { readonly at: number })[];

  const sql = <Row extends object>(
    query: string,
    params: readonly unknown[] | Readonly<Record<string, unknown>> = [],
  ) => database.orm.em.fork().execute<Row[]>(query, params);

  /** From then on, these are the rules; the others stay as initially. */
  async function addRules(changed: Partial<DateRulesRecord>, at: number): Promise<void> {
    rules.push({ ...RULES, tzVersion: bundledTz.version, ...changed, at });
    await writeRules(rules);
  }

  async function writeRules(known: typeof rules): Promise<void> {
    await sql('truncate events.rules');
    await sql(ADD_RULES, { known: JSON.stringify(known) });
  }

  /** With the real planner, at another time: it knows no rules of the future. */
  async function plan(id: string, now: number, type = 'birthday'): Promise<void> {
    const planner = createPlanner({
      orm: database.orm,
      settings: {
        tz: bundledTz,
        lateAfterMs: LIMITS.lateAfterMs,
        lateLimitMs: LIMITS.lateLimitMs,
        wake: { afterMs: 10_000, perSecond: 15 },
      },
      clock: () => now,
      logger: pino({ enabled: false }),
    });
    await sql(`update events.test_clock set at = to_timestamp(:now::float8 / 1000)`, { now });
    const hasLater = rules.some(({ at }) => at > now);
    if (hasLater) await writeRules(rules.filter(({ at }) => at <= now));
    try {
      const [outcome] = await planner.plan([{ type, id }]);
      if (outcome?.kind === 'failed') throw outcome.error;
    } finally {
      await sql('update events.test_clock set at = null');
      if (hasLater) await writeRules(rules);
    }
  }

  return {
    get orm() {
      return database.orm;
    },
    sql,
    addRules,
    plan,

    async add({ dateOfBirth, timezone }: Inputs, at: number, isPlanned = true): Promise<string> {
      const id = randomUUID();
      await sql(ADD, { id, dateOfBirth, timezone, at });
      if (isPlanned) await plan(id, at);
      return id;
    },

    async change(userId: string, inputs: Partial<Inputs>, at: number, isPlanned = true) {
      const { dateOfBirth = null, timezone = null } = inputs;
      await sql(CHANGE, { id: userId, dateOfBirth, timezone, at });
      await sql(CLOSE_HISTORY, { id: userId, at });
      await sql(OPEN_HISTORY, { id: userId, at });
      if (isPlanned) await plan(userId, at);
    },

    async remove(userId: string, at: number, isPlanned = true): Promise<void> {
      await sql(CLOSE_HISTORY, { id: userId, at });
      await sql(CLOSE_PERIODS, { id: userId, at });
      await sql('delete from users.users where id = :id', { id: userId });
      if (isPlanned) await plan(userId, at);
    },

    async addOccasion(
      userId: string,
      inputs: Partial<OccasionInputs> & Pick<OccasionInputs, 'type' | 'recurrence'>,
      at: number,
      isPlanned = true,
    ): Promise<string> {
      const id = randomUUID();
      const all = { ...NO_INPUTS, ...inputs };
      await sql(ADD_OCCASION, { id, userId, ...all, at });
      await sql(OPEN_PERIOD, { id, at });
      if (isPlanned) await plan(id, at, inputs.type);
      return id;
    },

    async changeOccasion(
      id: string,
      inputs: Partial<Omit<OccasionInputs, 'type'>>,
      at: number,
      isPlanned = true,
    ): Promise<void> {
      const [before] = await sql<OccasionInputs>(OCCASION, { id });
      if (before === undefined) throw new Error(`There is no occasion ${id}.`);
      await sql(CHANGE_OCCASION, { id, ...before, ...inputs, at });
      await sql(CLOSE_PERIOD, { id, at });
      await sql(OPEN_PERIOD, { id, at });
      if (isPlanned) await plan(id, at, before.type);
    },

    async removeOccasion(id: string, at: number, isPlanned = true): Promise<void> {
      const [before] = await sql<OccasionInputs>(OCCASION, { id });
      await sql(CLOSE_PERIOD, { id, at });
      await sql('delete from users.occasions where id = :id', { id });
      if (isPlanned) await plan(id, at, before?.type);
    },

    async suspend(userId: string, suspended: boolean, at: number): Promise<void> {
      await sql(SUSPEND, { id: userId, suspended, at });
      await sql(CLOSE_HISTORY, { id: userId, at });
      await sql(OPEN_HISTORY, { id: userId, at });
    },

    /** @param id of the user for a birthday, otherwise of the occasion */
    async openOf(id: string): Promise<OpenPlan | null> {
      const [open] = await sql<OpenPlan>(OPEN_OF, { id });
      return open ?? null;
    },

    /** An attempt that has to be repeated in an hour, as recorded in the ledger. */
    async attempt(key: string, at: number): Promise<void> {
      const [row] = await sql<{ attempts: number }>(ATTEMPT, { key, at });
      if (row === undefined) throw new Error(`There is no row ${key}.`);
      const attempt = { number: row.attempts, started_at: new Date(at), outcome: 'retry' };
      await plantAttempt(sql, key, { ...attempt, status: 503 });
    },

    /** Settled by one attempt, as recorded in the ledger. */
    async settle(key: string, state: 'COMPLETED' | 'FAILED', at: number): Promise<void> {
      const [row] = await sql<{ attempts: number }>(SETTLE, { key, state, at });
      if (row === undefined) throw new Error(`There is no row ${key}.`);
      await plantAttempt(sql, key, {
        number: row.attempts,
        started_at: new Date(at),
        outcome: state === 'COMPLETED' ? 'delivered' : 'give_up',
      });
    },

    audit(date: string, now: number, deps: Partial<AuditDeps> = {}): Promise<AuditReport> {
      return auditDay(
        { orm: database.orm, tz: bundledTz, limits: LIMITS, clock: () => now, ...deps },
        date,
      );
    },
  };
}

/** The counts of an audit that are not 0, in the order of the report. */
export function counted(report: AuditReport): Record<string, number> {
  const { failed, skipped, pending, erased, unaccounted, doubles, unexpected } = report;
  const { total: _, ...stages } = pending;
  const counts = {
    due: report.due,
    delivered: report.delivered,
    late: report.late,
    failed: failed.total,
    ...skipped.byReason,
    ...stages,
    blocked: report.blocked,
    deleted: report.deleted,
    erased: erased.total,
    changedSince: report.changedSince,
    unaccounted: unaccounted.count,
    doubles: doubles.count,
    unexpected: unexpected.count,
  };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

/** Both clocks stand still at an instant that a test sets. */
const FIXED_CLOCK = `
  create table events.test_clock (at timestamptz);
  insert into events.test_clock values (null);
  create or replace function events.clock() returns timestamptz language sql volatile as
    'select coalesce((select at from events.test_clock), clock_timestamp())';
  create or replace function users.clock() returns timestamptz language sql volatile as
    'select events.clock()'`;

const AT = 'to_timestamp(:at::float8 / 1000)';

const ADD_RULES = `
  insert into events.rules (local_time, leap_day_policy, tz_version, valid_from)
  select "localTime", "leapDayPolicy", "tzVersion", to_timestamp(at / 1000)
  from jsonb_to_recordset(:known::jsonb)
    as known ("localTime" text, "leapDayPolicy" text, "tzVersion" text, at float8)
  order by at`;

const ADD = `
  with added as (
    insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
      created_at, updated_at, inputs_changed_at)
    values (:id, 'Ada', '', :dateOfBirth, :timezone, 1, ${AT}, ${AT}, ${AT})
  )
  insert into users.history (user_id, date_of_birth, timezone, valid_from)
  values (:id, :dateOfBirth, :timezone, ${AT})`;

const CHANGE = `
  update users.users
  set date_of_birth = coalesce(:dateOfBirth::date, date_of_birth),
    timezone = coalesce(:timezone, timezone), revision = revision + 1,
    updated_at = ${AT}, inputs_changed_at = ${AT}
  where id = :id`;

const CLOSE_HISTORY = `
  update users.history set valid_until = ${AT} where user_id = :id and valid_until is null`;

const OPEN_HISTORY = `
  insert into users.history (user_id, date_of_birth, timezone, suspended, valid_from)
  select id, date_of_birth, timezone, suspended, ${AT} from users.users where id = :id`;

const SUSPEND = `
  update users.users
  set suspended = :suspended, revision = revision + 1, updated_at = ${AT}, inputs_changed_at = ${AT}
  where id = :id`;

const NO_INPUTS = {
  rrule: null,
  date: null,
  offsetDays: 0,
  deliveryTime: null,
  timezone: null,
  suspended: false,
};

const ADD_OCCASION = `
  insert into users.occasions (id, user_id, type, date, recurrence, rrule, offset_days,
    delivery_time, timezone, suspended, revision, created_at, updated_at, inputs_changed_at)
  values (:id, :userId, :type, :date, :recurrence, :rrule, :offsetDays, :deliveryTime, :timezone,
    :suspended, 1, ${AT}, ${AT}, ${AT})`;

const OCCASION = `
  select type, date::text, recurrence, rrule, offset_days as "offsetDays",
    delivery_time as "deliveryTime", timezone, suspended
  from users.occasions where id = :id`;

const CHANGE_OCCASION = `
  update users.occasions
  set date = :date, recurrence = :recurrence, rrule = :rrule, offset_days = :offsetDays,
    delivery_time = :deliveryTime, timezone = :timezone, suspended = :suspended,
    revision = revision + 1, updated_at = ${AT}, inputs_changed_at = ${AT}
  where id = :id`;

const CLOSE_PERIOD = `
  update users.occasion_periods set valid_until = ${AT}
  where occasion_id = :id and valid_until is null`;

const CLOSE_PERIODS = `
  update users.occasion_periods set valid_until = ${AT}
  where user_id = :id and valid_until is null`;

const OPEN_PERIOD = `
  insert into users.occasion_periods (occasion_id, occasion_type, user_id, date, recurrence, rrule,
    offset_days, delivery_time, timezone, suspended, valid_from)
  select id, type, user_id, date, recurrence, rrule, offset_days, delivery_time, timezone,
    suspended, ${AT}
  from users.occasions where id = :id`;

const OPEN_OF = `
  select key, nominal_date as "nominalDate", (extract(epoch from due_at) * 1000)::float8 as "dueAt"
  from events.occurrences
  where occasion_id = :id and state = 'PENDING'
  order by nominal_date limit 1`;

const ATTEMPT = `
  update events.occurrences
  set state = 'PENDING', attempts = attempts + 1, priority = 1, lease_until = null,
    first_attempt_at = coalesce(first_attempt_at, ${AT}),
    next_attempt_at = ${AT} + interval '1 hour'
  where key = :key returning attempts`;

const SETTLE = `
  update events.occurrences
  set state = :state, attempts = attempts + 1, settled_at = ${AT},
    reason = case when :state = 'FAILED' then 'refused' end,
    first_attempt_at = coalesce(first_attempt_at, ${AT}),
    next_attempt_at = null, lease_until = null, followed = false,
    delivered_at = case when :state = 'COMPLETED' then ${AT} end,
    lateness_ms = case when :state = 'COMPLETED' then extract(epoch from ${AT} - due_at) * 1000 end
  where key = :key returning attempts`;
