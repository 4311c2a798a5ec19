// @module-tag long
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { loadTzDatabase } from '../../src/platform/load-tz-database.ts';
import { ADA, createTestApi, type TestApi } from '../support/api.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';
import { valueOf } from '../support/metrics.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runProcess, type TestProcess, urlOf } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

describe("the API's metrics of its requests", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await createTestApi();
  });
  afterAll(() => api.database.drop());

  const scrape = async (): Promise<string> => (await api.send('GET', '/metrics')).body;
  const counted = async (method: string, route: string, status: number) =>
    valueOf(await scrape(), 'daybell_http_request_duration_seconds_count', {
      method,
      route,
      status: String(status),
    });

  test('count by method, pattern of the route and status, without personal data in any label', async () => {
    const { body: user } = await api.send('POST', '/v1/users', { ...ADA, externalId: 'crm-1815' });
    await api.send('GET', `/v1/users/${user.id}`);
    await api.send('GET', `/v1/users/${user.id}?surname=Lovelace`);
    await api.send('POST', '/v1/users', { ...ADA, dateOfBirth: 'none' });
    await api.send('GET', '/v1/nothing/crm-1815');

    expect(await counted('POST', '/v1/users', 201)).toBe(1);
    expect(await counted('POST', '/v1/users', 400)).toBe(1);
    expect(await counted('GET', '/v1/users/:id', 200)).toBe(1);
    expect(await counted('GET', '/v1/users/:id', 400)).toBe(1);
    expect(await scrape()).not.toMatch(new RegExp(`${user.id}|Lovelace|crm-1815|nothing`));
  });

  test('have slow requests in the buckets of slow ones, and failed ones under their status', async () => {
    const listed = { method: 'GET', route: '/v1/users', status: '200' };
    const within = async (le: string) =>
      valueOf(await scrape(), 'daybell_http_request_duration_seconds_bucket', { ...listed, le });
    let listing: Promise<unknown> | null = null;
    await api.database.orm.em.fork().transactional(async (em) => {
      await em.execute('lock table users.users in access exclusive mode');
      listing = api.send('GET', '/v1/users');
      await sleep(300);
    });
    await listing;
    expect(await within('+Inf')).toBe(1);
    expect(await within('0.2')).toBe(0);

    await api.sql('alter table users.users rename to people');
    await api.send('GET', '/v1/users');
    await api.sql('alter table users.people rename to users');
    expect(await counted('GET', '/v1/users', 500)).toBe(1);
  });

  test('do not make an unusual method a series of its own', async () => {
    await api.send('PROPFIND', '/v1/users');
    await api.send('MKCALENDAR', '/v1/users');
    const page = await scrape();
    expect(page).toMatch(/method="other"/);
    expect(page).not.toMatch(/PROPFIND|MKCALENDAR/);
  });

  test('are in the text format of Prometheus', async () => {
    const { headers } = await api.send('GET', '/metrics');
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  });
});

describe('the process api', () => {
  let database: TestDatabase;
  let rows: EventRows;
  /** One that the tests share: it reads the database at each scrape. */
  let shared: TestProcess;
  beforeAll(async () => {
    database = await createTestDatabase();
    rows = createEventRows(database.orm);
    shared = runProcess('src/api/main.ts', { DATABASE_URL: database.url, PORT: '0' });
  });
  afterAll(async () => {
    await shared.stop();
    await database.drop();
  });

  function start(settings: NodeJS.ProcessEnv = {}): TestProcess {
    const given = { DATABASE_URL: database.url, PORT: '0', ...settings };
    return untilTestEnds(runProcess('src/api/main.ts', given));
  }

  test('shows what is in the database at the moment of the scrape', async () => {
    const url = await urlOf(shared);
    const state = async () => {
      const page = await get(`${url}/metrics`);
      return Object.fromEntries(GAUGES.map((name) => [name, valueOf(page, `daybell_${name}`)]));
    };
    const nothing = Object.fromEntries(GAUGES.map((name) => [name, 0]));
    expect(await state()).toEqual(nothing);

    await rows.addHerd(3, Date.now() + 3_600_000);
    const userId = await rows.addUser();
    const plant = (columns: Record<string, unknown>) =>
      plantOccurrence(rows.sql, { user_id: userId, ...columns });
    await plant({ nominal_date: '2024-05-20', state: 'FAILED' });
    await plant({ nominal_date: '2025-05-20', state: 'SKIPPED' });
    await plant({ due_at: null });
    await rows.addHerd(2, Date.now() + 60_000);
    await rows.sql(`update events.destinations set paused_at = now(),
      slowed_ends_at = clock_timestamp() + interval '1 hour'`);
    await fetch(`${url}/v1/users`, {
      method: 'POST',
      body: JSON.stringify(ADA),
      headers: { 'Content-Type': 'application/json' },
    });
    await rows.sql(`update users.outbox set occurred_at = occurred_at - interval '1 hour'`);

    const { outbox_oldest_age_seconds: age, ...counts } = await state();
    expect(counts).toEqual({
      occurrences_due_soon: 2,
      dead_letters: 1,
      occurrences_blocked: 1,
      deliveries_paused: 1,
      destination_slowed: 1,
      outbox_length: 1,
      outbox_parked: 0,
    });
    expect(age).toBeGreaterThanOrEqual(3600);
    expect(age).toBeLessThan(3660);

    const { version } = loadTzDatabase('newest');
    const page = await get(`${url}/metrics`);
    expect(valueOf(page, 'daybell_tz_database_info', { version })).toBe(1);
    expect(valueOf(page, 'process_resident_memory_bytes')).toBeGreaterThan(0);
  });

  test('reports the rest when one reading fails, and counts that', async () => {
    const url = await urlOf(shared);
    const isPaused = valueOf(await get(`${url}/metrics`), 'daybell_deliveries_paused');
    await rows.sql('alter table events.destinations rename to elsewhere');
    const page = await get(`${url}/metrics`);
    expect(valueOf(page, 'daybell_deliveries_paused')).toBeNull();
    expect(valueOf(page, 'daybell_occurrences_due_soon')).not.toBeNull();

    await rows.sql('alter table events.elsewhere rename to destinations');
    const next = await get(`${url}/metrics`);
    expect(valueOf(next, 'daybell_deliveries_paused')).toBe(isPaused);
    expect(errorsOf(next, 'daybell_deliveries_paused')).toBe(1);
    expect(errorsOf(next, 'daybell_occurrences_due_soon')).toBe(0);
  });

  test('reports the rest when one reading hangs', async () => {
    const url = await urlOf(shared);
    const length = valueOf(await get(`${url}/metrics`), 'daybell_outbox_length');
    const blocker = new pg.Client({ connectionString: database.url });
    await blocker.connect();
    await blocker.query('begin');
    await blocker.query('lock table users.outbox in access exclusive mode');
    const page = await get(`${url}/metrics`);
    expect(valueOf(page, 'daybell_outbox_length')).toBeNull();
    expect(valueOf(page, 'daybell_deliveries_paused')).not.toBeNull();
    await blocker.query('rollback');
    await blocker.end();
    await expect
      .poll(async () => valueOf(await get(`${url}/metrics`), 'daybell_outbox_length'), {
        timeout: 60_000,
      })
      .toBe(length);
  });

  test('reports on itself when the database is down', async () => {
    const api = start({
      DATABASE_URL: 'postgresql://daybell:hunter2@127.0.0.1:1/daybell',
      METRICS_PORT: '0',
    });
    const page = await get(await urlOf(api, 'metrics'));
    expect(valueOf(page, 'daybell_outbox_length')).toBeNull();
    expect(valueOf(page, 'process_resident_memory_bytes')).toBeGreaterThan(0);
  });

  test('with METRICS_PORT serves them there and not on its public port', async () => {
    const api = start({ METRICS_PORT: '0' });
    const publicUrl = await urlOf(api);
    const metricsUrl = await urlOf(api, 'metrics');

    expect((await fetch(`${publicUrl}/metrics`)).status).toBe(404);
    const document = JSON.parse(await get(`${publicUrl}/openapi.json`));
    expect(document.paths).not.toHaveProperty('/metrics');
    const answer = await fetch(metricsUrl);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(valueOf(await answer.text(), 'daybell_outbox_length')).not.toBeNull();

    expect((await fetch(`${metricsUrl}?name=x`)).status).toBe(200);
    expect((await fetch(metricsUrl, { method: 'HEAD' })).status).toBe(200);
    expect((await fetch(metricsUrl, { method: 'POST' })).status).toBe(405);
    expect((await fetch(new URL('/v1/users', metricsUrl))).status).toBe(404);
    expect(await api.stop()).toBe(0);
  });

  test('reports that METRICS_PORT is taken, and ends', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const api = start({ METRICS_PORT: String(port) });
    expect(await api.exited).toBe(1);
    expect(api.lines.join('\n')).toMatch(
      `Cannot listen on 127.0.0.1:${port}: another program does. Stop it, or set METRICS_PORT to a free port.`,
    );
    taken.close();
  });
});

const GAUGES = [
  'occurrences_due_soon',
  'dead_letters',
  'occurrences_blocked',
  'deliveries_paused',
  'destination_slowed',
  'outbox_length',
  'outbox_parked',
  'outbox_oldest_age_seconds',
];

function errorsOf(page: string, metric: string): number | null {
  return valueOf(page, 'daybell_metrics_read_errors_total', { metric });
}

async function get(url: string): Promise<string> {
  return (await fetch(url)).text();
}
