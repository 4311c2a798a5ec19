// @module-tag long
/**
 * The audit of a day, the forecast of one, their lists and what retention removes read little of many
 * users and occasions, before and after the database has taken its statistics.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { auditDay } from '../../src/audit/audit-day.ts';
import { listAudited } from '../../src/audit/audit-list.ts';
import { forecast } from '../../src/forecast/forecast.ts';
import { listForecast } from '../../src/forecast/forecast-list.ts';
import type { Orm } from '../../src/platform/database/orm.ts';
import { createRetention } from '../../src/retention/retention.ts';
import { rowsReadOf } from '../support/explain.ts';
import { type TestDatabase, useFilledDatabase } from '../support/postgres.ts';
import { bundledTz } from '../support/tz-databases.ts';

/** Users, as many yearly occasions, and an occurrence for each of both. */
const ROWS = 40_000;
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 15, 12);
const DATE = '2026-05-20';
const TABLES = [
  'users.users',
  'users.history',
  'users.occasions',
  'users.occasion_periods',
  'events.occurrences',
] as const;

const deps = (orm: Orm) => ({
  orm,
  tz: bundledTz,
  limits: { lateAfterMs: 300_000, lateLimitMs: 2 * DAY, giveUpAfterMs: 3 * DAY },
  clock: () => NOW,
});

const filled = useFilledDatabase(async ({ em }) => {
  for (const query of LOAD) await em.fork().execute(query, { rows: ROWS });
});

describe.each(['fresh', 'not taken yet'] as const)('with statistics %s', (statistics) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await filled.clone();
    if (statistics === 'fresh') await database.orm.em.fork().execute('analyze');
  });
  afterAll(() => database.drop());

  const window = { from: NOW, until: NOW + DAY };
  const filter = { type: null, timezone: null };
  test.each<[string, (orm: Orm) => Promise<number>]>([
    ['the audit of a day', async (orm) => (await auditDay(deps(orm), DATE)).due],
    [
      'a page of its list',
      async (orm) => {
        const place = { after: null, listed: 0 };
        const any = { className: null, type: null };
        return (await listAudited(deps(orm), DATE, any, place, 50)).items.length;
      },
    ],
    ['the forecast of a day', async (orm) => (await forecast(deps(orm), window)).due],
    [
      'a page of its list',
      async (orm) => (await listForecast(deps(orm), window, filter, null, 50)).items.length,
    ],
    ['what retention removes', (orm) => createRetention(orm).removeOccurrences('2026-02-12', 100)],
  ])('%s reads a small part of each table', async (_name, work) => {
    for (const table of TABLES) {
      const read = await rowsReadOf(table, database, async (orm) => {
        expect(await work(orm)).toBeGreaterThan(40);
      });
      expect([table, read < ROWS / 5 ? 'a part' : read]).toEqual([table, 'a part']);
    }
  });
});

const YEAR_DAY = `date '1990-01-01' + n % 365`;

/** Birthdays and renewals on every day of the year; and daily ones of earlier years. */
const LOAD = [
  `insert into events.rules (local_time, leap_day_policy, tz_version)
   values ('09:00', 'feb28', 'any')`,
  `insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
     created_at, updated_at, inputs_changed_at)
   select gen_random_uuid(), 'Ada', n::text, ${YEAR_DAY}, 'UTC', 1,
     '2020-01-01Z', '2020-01-01Z', '2020-01-01Z'
   from generate_series(1, :rows::int) as n`,
  `insert into users.history (user_id, date_of_birth, timezone, valid_from)
   select id, date_of_birth, timezone, created_at from users.users`,
  `insert into users.occasions (id, user_id, type, date, recurrence, offset_days, revision,
     created_at, updated_at, inputs_changed_at)
   select gen_random_uuid(), id, 'subscription', '2019-01-01'::date + last_name::int % 365,
     'yearly', last_name::int % 3, 1, created_at, created_at, created_at
   from users.users`,
  `insert into users.occasion_periods (occasion_id, occasion_type, user_id, date, recurrence,
     offset_days, valid_from)
   select id, type, user_id, date, recurrence, offset_days, created_at from users.occasions`,
  `insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date, state,
     recurrence, date, timezone, local_time, leap_day_policy, tz_version, inputs_at, local_date,
     due_at, planned_at, settled_at, attempts, first_attempt_at, delivered_at, lateness_ms, followed)
   select 'birthday:' || id || ':2026', 'birthday', id, id, day::text, 'COMPLETED',
     'birthday', date_of_birth, 'UTC', '09:00', 'feb28', 'any', created_at, day,
     day + time '09:00' at time zone 'UTC', created_at, now(), 1, now(), now(), 0, true
   from (select *, '2026-01-01'::date + (date_of_birth - date '1990-01-01') as day
     from users.users) as u
   where day < '2026-06-15'`,
  `insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date, state,
     reason, recurrence, date, timezone, local_time, leap_day_policy, tz_version, inputs_at,
     local_date, due_at, planned_at, settled_at, followed)
   select 'reminder:' || gen_random_uuid() || ':' || day, 'reminder', gen_random_uuid(), id,
     day::text, 'SKIPPED', 'superseded', 'daily', day, 'UTC', '09:00', 'feb28', 'any', created_at,
     day, day + time '09:00' at time zone 'UTC', created_at, now(), true
   from (select *, '2026-01-01'::date + last_name::int % 165 as day from users.users
     limit 5000) as u`,
];
