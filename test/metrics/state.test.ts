// @module-tag long
/** What the process api reports about today, the coming hours, and its audits. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';

import { bundledTzDataPath } from '../../src/platform/load-tz-database.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { valueOf } from '../support/metrics.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';
import { createTestDatabase, runSql, useTestDatabase } from '../support/postgres.ts';
import { runProcess, type TestProcess, urlOf } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const WITHIN = { timeout: 60_000, interval: 100 };

const database = useTestDatabase();
let rows: EventRows;
/** The process that the tests share: each scrape reads the current database. */
let api: TestProcess;
let scrape: () => Promise<Value>;
beforeAll(async () => {
  rows = createEventRows(database.orm);
  api = runApi({ DATABASE_CORES: '64' });
  scrape = await scrapeOf(api);
});
afterAll(() => api.stop());
beforeEach(() =>
  rows.sql('truncate events.occurrences, users.users, users.history, users.erasures cascade'),
);

type Value = (name: string, labels?: Record<string, string>) => number | null;

function runApi(settings: NodeJS.ProcessEnv): TestProcess {
  const given = {
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    PORT: '0',
    METRICS_PORT: '0',
    ...settings,
  };
  return runProcess('src/api/main.ts', given);
}

/** Another process, until the test is over; returns a function that reads one of its scrapes. */
function startApi(settings: NodeJS.ProcessEnv = {}): Promise<() => Promise<Value>> {
  return scrapeOf(untilTestEnds(runApi(settings)));
}

async function scrapeOf(running: TestProcess): Promise<() => Promise<Value>> {
  const url = await urlOf(running, 'metrics');
  await running.line(/"msg":"ready"/);
  return async () => {
    const page = await (await fetch(url)).text();
    return (name, labels = {}) => valueOf(page, `daybell_${name}`, labels);
  };
}

/** An occurrence whose instant was some time ago, in its current state in the ledger. */
async function past(agoMs: number, columns: Readonly<Record<string, unknown>>): Promise<void> {
  await plantOccurrence(rows.sql, {
    user_id: await rows.addUser(),
    due_at: new Date(Date.now() - agoMs),
    ...columns,
  });
}

/** Attempted, and waiting for the next attempt. */
const RETRYING = {
  attempts: 1,
  first_attempt_at: new Date(),
  priority: 1,
  next_attempt_at: new Date(Date.now() + HOUR),
};

const delivered = (lateness_ms: number) => ({
  state: 'COMPLETED',
  delivered_at: new Date(),
  lateness_ms,
});

test('past occurrences are counted by outcome, over the last hour and the last day', async () => {
  await past(30 * MINUTE, delivered(800));
  await past(31 * MINUTE, delivered(300_000));
  await past(32 * MINUTE, delivered(300_001));
  await past(3 * HOUR, delivered(1_000));
  await past(3 * HOUR, { state: 'FAILED' });
  await past(4 * HOUR, { state: 'SKIPPED', reason: 'too_late' });
  await past(MINUTE, {});
  await past(20 * MINUTE, RETRYING);
  // Not due in these 24 hours: before, to come, and deleted.
  await past(25 * HOUR, delivered(1_000));
  await past(-HOUR, {});
  await past(2 * HOUR, { state: 'SKIPPED', reason: 'user_deleted' });

  const value = await scrape();
  const within = (time: string) =>
    Object.fromEntries(
      ['on_time', 'late', 'failed', 'skipped', 'waiting', 'overdue'].map((outcome) => [
        outcome,
        value('occurrences_due', { within: time, outcome }),
      ]),
    );
  const lastHour = { on_time: 2, late: 1, failed: 0, skipped: 0, waiting: 1, overdue: 1 };
  expect(within('1h')).toEqual(lastHour);
  expect(within('24h')).toEqual({ ...lastHour, on_time: 3, failed: 1, skipped: 1 });
});

test('due and unclaimed occurrences are the backlog; the age is that of the oldest open one', async () => {
  const before = await scrape();
  expect(before('occurrences_backlog')).toBe(0);
  expect(before('occurrences_leased')).toBe(0);
  expect(before('occurrences_retrying')).toBe(0);
  expect(before('occurrences_oldest_open_age_seconds')).toBe(0);

  await rows.addHerd(1_001, Date.now() - 1_000);
  await past(2_000, {});
  await past(11 * MINUTE, { state: 'PROCESSING' });
  await past(10 * MINUTE, RETRYING);
  await past(HOUR, delivered(1_000));
  await past(2 * HOUR, { due_at: null });
  const value = await scrape();
  expect(value('occurrences_backlog')).toBe(1_002);
  expect(value('occurrences_leased')).toBe(1);
  expect(value('occurrences_retrying')).toBe(1);
  expect(value('occurrences_due_soon')).toBe(1_004);
  expect(value('occurrences_oldest_open_age_seconds')).toBeGreaterThan(600);
  expect(value('occurrences_oldest_open_age_seconds')).toBeLessThan(720);
});

test('the next 24 hours are reported by hour, with the maximum in one minute', async () => {
  const now = Date.now();
  await rows.addHerd(5, now + 20 * MINUTE);
  await rows.addHerd(3, now + 22 * MINUTE);
  await past(-5.5 * HOUR, {});
  await past(-25 * HOUR, {});
  const value = await scrape();
  const at = (in_hours: string) => [
    value('upcoming_occurrences', { in_hours }),
    value('upcoming_peak', { in_hours }),
  ];
  expect(at('00')).toEqual([8, 5]);
  expect(at('05')).toEqual([1, 1]);
  expect(at('23')).toEqual([0, 0]);
});

test('an audit of the last days runs by itself, and counts occurrences that are unaccounted for', async () => {
  await expect.poll(async () => (await scrape())('audit_unaccounted'), WITHIN).toBe(0);
  expect((await scrape())('audit_last_success_timestamp_seconds')).toBeGreaterThan(0);

  const yesterday = new Date(Date.now() - 36 * HOUR).toISOString().slice(0, 10);
  const dateOfBirth = `1990${yesterday.slice(4)}`;
  const userId = await rows.addUser({ dateOfBirth, timezone: 'UTC' });
  await rows.sql(`update users.history set valid_from = '2026-01-01' where user_id = ?`, [userId]);
  const missing = await startApi();
  await expect.poll(async () => (await missing())('audit_unaccounted'), WITHIN).toBe(1);
});

test('a failed audit leaves no number behind', async () => {
  const other = await createTestDatabase();
  onTestFinished(other.drop);
  await runSql(other.url, 'drop view users.occasion_history');
  const scrape = await startApi({ DATABASE_URL: other.url });
  const value = await scrape();
  expect(value('audit_unaccounted')).toBeNull();
  expect(value('audit_last_success_timestamp_seconds')).toBe(0);
});

test('deleted users who are not erased yet are counted, with how long the oldest has waited', async () => {
  const before = await scrape();
  expect(before('erasures_waiting')).toBe(0);
  expect(before('erasures_oldest_age_seconds')).toBe(0);

  for (let count = 0; count < 2; count += 1) await rows.addUser();
  await rows.sql('delete from users.users');
  expect((await scrape())('erasures_oldest_age_seconds')).toBeLessThan(HOUR / 1_000);
  await rows.sql(`update users.erasures set deleted_at = deleted_at - interval '25 hours'
    where user_id = (select user_id from users.erasures limit 1)`);
  const value = await scrape();
  expect(value('erasures_waiting')).toBe(2);
  expect(value('erasures_oldest_age_seconds')).toBeGreaterThan(24 * 3_600);
  expect(value('erasures_oldest_age_seconds')).toBeLessThan(26 * 3_600);
});

test('the CPU time of the database server is reported in seconds, with the number of its cores', async () => {
  const value = await scrape();
  expect(value('database_cores')).toBe(64);
  const before = Number(value('database_active_seconds_total'));
  await rows.sql('select pg_sleep(1.5)');
  const active = async () => {
    // An idle session publishes its statistics when it likes.
    await rows.sql('select pg_stat_force_next_flush()');
    return (await scrape())('database_active_seconds_total');
  };
  await expect.poll(active, WITHIN).toBeGreaterThan(before + 1.4);
});

test('a process reports the version of its tz database, and its year', async () => {
  const older = join(tmpdir(), `daybell-tz-2020-${process.pid}.json`);
  onTestFinished(() => rm(older));
  const data = JSON.parse(await readFile(bundledTzDataPath(), 'utf8'));
  await writeFile(older, JSON.stringify({ ...data, version: '2020d' }));
  // Recorded is one that neither has: each keeps its own.
  await rows.sql("update events.rules set tz_version = '2030a'");
  const [behind, ahead] = await Promise.all([
    (await startApi({ ZONE_DATA: older }))(),
    (await startApi())(),
  ]);
  expect(behind('tz_database_info', { version: '2020d' })).toBe(1);
  expect(behind('tz_database_release_year')).toBe(2020);
  expect(ahead('tz_database_info', { version: '2020d' })).toBeNull();
  expect(ahead('tz_database_release_year')).toBeGreaterThanOrEqual(2026);
});

test('what waits for each destination is counted, with the dispatchers that send to it', async () => {
  await rows.sql("insert into events.destinations (id) values ('crm')");
  onTestFinished(async () => {
    await rows.resetDestination();
    await rows.sql('delete from events.dispatchers');
  });
  await past(MINUTE, { destination: 'crm' });
  await past(MINUTE, { destination: 'crm', ...RETRYING });
  await rows.sql(
    `insert into events.dispatchers (id, destination, stamped_at)
     values (gen_random_uuid(), 'default', now() + interval '1 hour')`,
  );
  const stamped = () => rows.sql('update events.dispatchers set stamped_at = events.clock()');
  const seen = async () => {
    await stamped();
    const value = await scrape();
    return ['default', 'crm'].map((destination) => [
      value('destination_waiting', { destination }),
      value('destination_dispatchers', { destination }),
    ]);
  };
  await expect.poll(seen, WITHIN).toEqual([
    [0, 1],
    [2, 0],
  ]);
});
