/** That a page of the ledger stays as cheap as its rows, however many years the ledger holds. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { OccurrenceFilter } from '../../src/events/occurrence-filter.ts';
import { pageWithInstant, pageWithoutInstant } from '../../src/persistence/occurrence-reader.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 4, 20, 7);
const USER = '00000000-0000-4000-8000-000000000777';
const LATE_AFTER = { lateAfterMs: 5 * 60_000 };
const LIMIT = 51;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await sql(PLANT);
  await sql('analyze events.occurrences');
});
afterAll(() => database.drop());

const sql = <Row>(query: string, params: readonly unknown[] = []): Promise<Row[]> =>
  database.orm.em.fork().execute(query, [...params]) as Promise<Row[]>;

/** 10,000 users: last year is settled, next year is planned; one in a thousand is something else. */
const PLANT = `
  insert into events.occurrences (key, event_type, user_id, year, state, blocked_reason,
    anchor_date, timezone, local_time, leap_day_policy, tz_version, fire_at, planned_at, lateness_ms)
  select 'birthday:' || user_id || ':' || year, 'birthday', user_id, year,
    case when year = 2027 then 'PENDING' when n % 1000 = 1 then 'FAILED'
      when n % 1000 = 2 then 'SKIPPED' when n % 1000 = 3 then 'PROCESSING' else 'COMPLETED' end,
    case when year = 2027 and n % 1000 = 4 then 'unknown zone' end,
    '1990-05-20', 'Europe/Berlin', '09:00', 'feb28', '2026c',
    case when year = 2026 or n % 1000 <> 4 then
      timestamptz '2026-05-20T07:00:00Z' + (year - 2027) * interval '365 days'
        + (n % 365) * interval '1 day' end,
    now(), case when year = 2026 then case when n % 1000 = 5 then 3600000 else 20 end end
  from (select n, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid as user_id
        from generate_series(1, 10000) as n) as users,
    (values (2026), (2027)) as years (year)`;

const ANYTHING: OccurrenceFilter = {
  state: null,
  from: null,
  to: null,
  eventType: null,
  userId: null,
  timezone: null,
  late: null,
  blocked: null,
};

const WINDOW = { from: NOW - 100 * DAY, to: NOW - 90 * DAY };

test.for([
  ['nothing', {}, 'occurrences_by_instant'],
  ['a window', WINDOW, 'occurrences_by_instant'],
  ['PENDING', { state: 'PENDING' }, 'occurrences_pending_by_instant'],
  ['PROCESSING', { state: 'PROCESSING' }, 'occurrences_processing_by_instant'],
  ['COMPLETED', { state: 'COMPLETED' }, 'occurrences_completed'],
  ['COMPLETED in a window', { state: 'COMPLETED', ...WINDOW }, 'occurrences_completed'],
  ['FAILED', { state: 'FAILED' }, 'occurrences_failed'],
  ['FAILED in a window', { state: 'FAILED', ...WINDOW }, 'occurrences_failed'],
  ['SKIPPED', { state: 'SKIPPED' }, 'occurrences_skipped'],
  ['an event type', { eventType: 'birthday' }, 'occurrences_by_instant'],
  ['a user', { userId: USER }, 'occurrences_of_user'],
  ['a zone in a window', { timezone: 'Asia/Tokyo', ...WINDOW }, 'occurrences_by_instant'],
  ['late', { late: true }, 'occurrences_late'],
  ['on time', { late: false }, 'occurrences_completed'],
  ['blocked', { blocked: true }, 'occurrences_blocked'],
  ['PENDING and blocked', { state: 'PENDING', blocked: true }, 'occurrences_blocked'],
] as const)('pages by %s come from an index', async ([_name, fields, index]) => {
  const filter = { ...ANYTHING, ...fields };
  const middle = { fireAt: NOW - 95 * DAY, key: `birthday:${USER}:2026` };
  for (const page of [
    pageWithInstant(filter, null, LIMIT, LATE_AFTER),
    pageWithInstant(filter, middle, LIMIT, LATE_AFTER),
    pageWithoutInstant(filter, null, LIMIT, LATE_AFTER),
  ]) {
    const plan = await explain(page.sql, page.params);
    expect(plan.scans.filter((name) => name.includes('Seq Scan'))).toEqual([]);
    expect(plan.readRows).toBeLessThan(10 * LIMIT);
  }
  const first = pageWithInstant(filter, null, LIMIT, LATE_AFTER);
  expect((await explain(first.sql, first.params)).indexes).toEqual([index]);
});

test('the plan of a statement that no index serves is told from the others', async () => {
  const plan = await explain(`select key from events.occurrences where reason = 'x'`, []);
  expect(plan.scans).toEqual(['Seq Scan']);
  expect(plan.readRows).toBe(20_000);
});

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** How PostgreSQL runs a statement: its scans, their indexes, and how many rows they looked at. */
async function explain(query: string, params: readonly unknown[]) {
  const [row] = await sql<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `explain (analyze, format json) ${query}`,
    params,
  );
  const nodes: PlanNode[] = [];
  const walk = (node: PlanNode): void => {
    nodes.push(node);
    for (const below of node.Plans ?? []) walk(below);
  };
  if (row !== undefined) walk(row['QUERY PLAN'][0].Plan);
  const scans = nodes.filter((node) => node['Node Type'].includes('Scan'));
  return {
    scans: scans.map((node) => node['Node Type']),
    indexes: scans.flatMap((node) => node['Index Name'] ?? []),
    readRows: Math.max(
      0,
      ...scans.map((node) => node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)),
    ),
  };
}
