/** A page of the ledger costs as little as its rows, however many years the ledger holds. */
import { beforeAll, expect, test } from 'vitest';

import { AFTER, type OccurrenceFilter } from '../../src/ledger/occurrence-filter.ts';
import { pageSql, WITH_INSTANT, WITHOUT_INSTANT } from '../../src/ledger/occurrence-reader.ts';
import { explainRows } from '../support/explain.ts';
import { useTestDatabase } from '../support/postgres.ts';

const DAY = 86_400_000;
const NOW = Date.now();
const USER = '00000000-0000-4000-8000-000000000777';
const LATE_AFTER = 5 * 60_000;
const LIMIT = 51;

const database = useTestDatabase();
beforeAll(async () => {
  await sql(PLANT);
  await sql('analyze events.occurrences');
});

const sql = (query: string) => database.orm.em.fork().execute(query);

/** 10,000 users: last year is settled, next year is planned; one in a thousand is different. */
const PLANT = `
  insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date, state,
    reason, blocked_reason, recurrence, date, timezone, local_time, leap_day_policy, tz_version, inputs_at,
    local_date, due_at, next_attempt_at, lease_until, planned_at, settled_at, attempts,
    delivered_at, lateness_ms, redeliveries, redelivered_at)
  select 'birthday:' || user_id || ':' || year, 'birthday', user_id, user_id, year || '-05-20',
    case state when 'PROCESSING' then 'PENDING' else state end,
    case when state in ('FAILED', 'SKIPPED') then 'superseded' end,
    case when due_at is null then 'unknown zone' end, 'birthday', '1990-05-20', 'Europe/Berlin', '09:00',
    'feb28', '2026c', now(), due_at::date, due_at,
    case when state in ('PENDING', 'PROCESSING') then due_at end,
    case state when 'PROCESSING' then now() + interval '25 seconds' end, now(),
    case when state in ('COMPLETED', 'FAILED', 'SKIPPED') then now() end,
    case when state in ('COMPLETED', 'FAILED') then 1 else 0 end,
    case when state = 'COMPLETED' then now() end,
    case when state = 'COMPLETED' then case when n % 1000 = 5 then 3600000 else 20 end end,
    case state when 'PROCESSING' then 1 else 0 end, case state when 'PROCESSING' then now() end
  from (select n, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid as user_id
        from generate_series(1, 10000) as n) as users,
    (values (2026), (2027)) as years (year),
    lateral (select
      case when year = 2027 then 'PENDING' when n % 1000 = 1 then 'FAILED'
        when n % 1000 = 2 then 'SKIPPED' when n % 1000 = 3 then 'PROCESSING' else 'COMPLETED' end as state,
      case when year = 2026 or n % 1000 <> 4 then
        now() + interval '1 hour' + (year - 2027) * interval '365 days'
          + (n % 365) * interval '1 day' end as due_at) as made`;

const ANYTHING: OccurrenceFilter = {
  status: null,
  from: null,
  to: null,
  occasionType: null,
  userId: null,
  timezone: null,
  reason: null,
  destination: null,
  answer: null,
  late: null,
  blocked: null,
  due: null,
};

const WINDOW = { from: NOW - 100 * DAY, to: NOW - 90 * DAY };

test.for([
  ['nothing', {}, 'occurrences_by_instant'],
  ['a window', WINDOW, 'occurrences_by_instant'],
  ['PENDING', { status: 'PENDING' }, 'occurrences_open_by_instant'],
  ['PROCESSING', { status: 'PROCESSING' }, ['occurrences_open_by_instant', 'occurrences_pkey']],
  ['COMPLETED', { status: 'COMPLETED' }, 'occurrences_completed'],
  ['COMPLETED in a window', { status: 'COMPLETED', ...WINDOW }, 'occurrences_completed'],
  ['FAILED', { status: 'FAILED' }, 'occurrences_failed'],
  ['FAILED in a window', { status: 'FAILED', ...WINDOW }, 'occurrences_failed'],
  ['SKIPPED', { status: 'SKIPPED' }, 'occurrences_skipped'],
  ['an occasion type', { occasionType: 'birthday' }, 'occurrences_by_instant'],
  ['a user', { userId: USER }, 'occurrences_of_user'],
  ['a zone in a window', { timezone: 'Asia/Tokyo', ...WINDOW }, 'occurrences_by_instant'],
  ['late', { late: true }, 'occurrences_late'],
  ['on time', { late: false }, 'occurrences_completed'],
  ['blocked', { blocked: true }, 'occurrences_blocked'],
  ['due', { due: true }, 'occurrences_open_by_instant'],
  ['PENDING and blocked', { status: 'PENDING', blocked: true }, 'occurrences_blocked'],
] as const)('pages by %s come from an index', async ([_name, fields, index]) => {
  const filter = { ...ANYTHING, ...fields };
  const middle = { afterDueAt: NOW - 95 * DAY, afterKey: `birthday:${USER}:2026` };
  const explain = (place: string, after: object) =>
    explainRows(database.orm, pageSql(place, filter, LIMIT), {
      ...filter,
      lateAfterMs: LATE_AFTER,
      ...after,
    });
  const first = await explain(WITH_INSTANT, {});
  // Whether the plan is the current one is looked up row by row.
  const ofRows = first.indexes.filter((name) => name.startsWith('occurrences_'));
  expect(ofRows.toSorted()).toEqual([index].flat());
  for (const plan of [
    first,
    await explain(AFTER, middle),
    await explain(AFTER, { afterDueAt: NOW - DAY, afterKey: '' }),
    await explain(WITHOUT_INSTANT, { afterDueAt: null, afterKey: '' }),
  ]) {
    expect(plan.scans.filter((name) => name.includes('Seq Scan'))).toEqual([]);
    expect(plan.readRows).toBeLessThan(10 * LIMIT);
  }
});

test('the plan of a statement without a suitable index is recognized', async () => {
  const plan = await explainRows(
    database.orm,
    `select key from events.occurrences where traceparent = 'x'`,
  );
  expect(plan.scans).toEqual(['Seq Scan']);
  expect(plan.readRows).toBe(20_000);
});
