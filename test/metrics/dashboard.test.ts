/**
 * Grafana's dashboard: each of its queries, answered by a real Prometheus, while a herd is greeted.
 */
import { readFile } from 'node:fs/promises';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { dashboardJson } from '../../deploy/grafana/dashboard.ts';
import { ROWS } from '../../deploy/grafana/rows.ts';
import { ADA } from '../support/api.ts';
import { createEventRows } from '../support/event-rows.ts';
import { type MeasuredDaybell, startMeasuredDaybell } from './measured-daybell.ts';
import { urlOf } from '../support/process.ts';
import { startPrometheus, type TestPrometheus } from './prometheus-server.ts';
import { askRun } from '../support/ask-run.ts';

const HERD = 200;
/** From the herd to the last query. */
const LOOK_BACK_SECONDS = 600;
const WITHIN = { timeout: 60_000, interval: 250 };
/** The time to build Prometheus and the Temporal server, if they are missing. */
const BUILD_LIMIT_MS = 25 * 60_000;

let daybell: MeasuredDaybell;
let prometheus: TestPrometheus;
beforeAll(async () => {
  await askRun('prometheus');
  daybell = await startMeasuredDaybell();
  const targets: Record<string, string> = {};
  for (const [name, running] of Object.entries(daybell.processes)) {
    await running.line(/"msg":"ready"/);
    targets[name] = new URL(await urlOf(running, 'metrics')).host;
  }
  prometheus = await startPrometheus(targets, 'deploy/prometheus/alerts.yml');
}, BUILD_LIMIT_MS);
afterAll(async () => {
  await prometheus?.stop();
  await daybell?.stop();
});

test('is generated from rows.ts: `npm run dashboard` writes it', async () => {
  const committed = await readFile('deploy/grafana/dashboards/daybell.json', 'utf8');
  expect(JSON.parse(committed)).toEqual(JSON.parse(dashboardJson()));
});

test(
  'each of its queries, and each rule, has data after a herd was greeted',
  { timeout: 240_000 },
  async () => {
    const url = await urlOf(daybell.processes.api);
    const scraped = () => prometheus.query('count(up == 1)', 5);
    await expect.poll(async () => (await scraped()).at(-1), WITHIN).toBe(4);

    // Twice: the beginning of a series yields no rate.
    const planned = async () =>
      (await prometheus.query('sum(daybell_plans_total{source="outbox",result="planned"})', 5)).at(
        -1,
      );
    for (const [created, moved] of [
      [5, 10],
      [15, 20],
    ]) {
      const ids = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const { id } = await send('POST', `${url}/v1/users`, ADA);
          return id;
        }),
      );
      await expect.poll(planned, WITHIN).toBe(created);
      // A change makes the user's workflow check, which sleeps otherwise.
      await Promise.all(
        ids.map((id) => send('PATCH', `${url}/v1/users/${id}`, { timezone: 'Asia/Tokyo' })),
      );
      await expect.poll(planned, WITHIN).toBe(moved);
    }
    await createEventRows(daybell.database.orm).addHerd(HERD, Date.now() + 3_000);
    const delivered = async () =>
      (await prometheus.query('sum(daybell_deliveries_total)', 5)).at(-1);
    await expect.poll(delivered, WITHIN).toBe(HERD);
    const queries = ROWS.flatMap(({ panels }) =>
      panels.flatMap(({ title, queries }) => queries.map(({ expr }) => ({ title, expr }))),
    );
    for (const { title, expr } of queries) {
      const asked = expr.replaceAll('$__rate_interval', '30s');
      const values = () => prometheus.query(asked, LOOK_BACK_SECONDS);
      await expect.poll(values, { ...WITHIN, message: `${title}: ${expr}` }).not.toEqual([]);
    }

    const unwell = async () =>
      [...(await prometheus.rules())].filter(([, health]) => health !== 'ok');
    await expect.poll(unwell, WITHIN).toEqual([]);
    expect((await prometheus.rules()).size).toBeGreaterThan(30);
  },
);

async function send(method: string, url: string, body: object): Promise<{ id: string }> {
  const answer = await fetch(url, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await answer.json()) as { id: string };
}
