/**
 * `npm run bench:dashboard`: draws the results of the queries of Grafana's dashboard, while a herd
 * is loaded, planned and sent, as one page. Needs a `prometheus` on the PATH.
 *
 * --users N              (1000)
 * --svg FILE             the page (dashboard.svg in the results)
 * --temporal dev|postgres, --shards N, --out DIR, --data DIR
 * --head-start, --plan-rate   as of `npm run bench:herd`
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ROWS } from '../deploy/grafana/rows.ts';
import { freePorts } from '../dev/ports.ts';
import { MEASURED, type MeasuredProcess } from '../dev/ports.ts';
import { birthdayOf, dueAfterLoading } from './contenders/daybell-times.ts';
import { dashboardChart } from './report/dashboard-chart.ts';
import { machineFacts } from './report/machine-facts.ts';
import { askRows } from './support/dashboard-answers.ts';
import { openDaybellBench, type DaybellBench } from './support/daybell-bench.ts';
import { herdOptions } from './support/herd-options.ts';
import type { DueMinute } from './support/instants.ts';
import { loadByApi } from './support/loading.ts';
import { COMMON_OPTIONS, commonOptions, readOptions } from './support/options.ts';
import { startPrometheus } from './support/prometheus.ts';
import type { TimeRange } from './support/prometheus-api.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';
import { sleepUntil } from './support/until.ts';

/** Before any user is loaded: the beginning of a series yields no rate. */
const BEFORE_MS = 5_000;
/** Until rates have decreased and Temporal's lists are read again. */
const AFTERWARDS_MS = 20_000;
/** From the instant on; users who are not greeted by then are not part of the picture. */
const LIMIT_MS = 5 * 60_000;

const TIMING_OPTIONS = ['head-start', 'plan-rate'] as const;
/**
 * In addition to the herd, users with the same birthday further west, who are due in the next
 * hours.
 */
const SHARE_LATER = 0.3;
const WESTWARDS = [
  'America/Sao_Paulo',
  'America/St_Johns',
  'America/New_York',
  'America/Chicago',
  'America/Denver',
  'America/Los_Angeles',
  'Pacific/Marquesas',
  'Pacific/Honolulu',
];

await runBench(draw);

async function draw(context: BenchContext): Promise<void> {
  const options = readOptions(process.argv.slice(2), [
    ...COMMON_OPTIONS,
    ...TIMING_OPTIONS,
    'users',
    'svg',
  ]);
  const users = options.number('users', 1_000);
  const timing = { ...herdOptions(options, users), load: 'api' as const };
  const common = commonOptions(options, 'dashboard');
  const svg = options.text('svg', join(common.outDir, 'dashboard.svg'));
  const bench = await openDaybellBench('dashboard', common, context);

  const [apiPort = 0, ...ports] = await freePorts(1 + MEASURED.length);
  const jobs = MEASURED.map((name, index) => [name, ports[index] ?? 0] as const);
  const start = (name: MeasuredProcess, settings: Readonly<Record<string, string>>) => {
    const METRICS_PORT = String(new Map(jobs).get(name));
    return bench.daybell.start([name], { METRICS_PORT, ...settings });
  };
  const prometheusUrl = await startPrometheus(bench.installation, jobs);

  const later = Math.ceil(users * SHARE_LATER);
  const birthday = birthdayOf(users + later, timing);
  await start('api', { PORT: String(apiPort), ...deliveryTime(birthday) });
  const from = Date.now();
  await sleepUntil(from + BEFORE_MS);
  await loadByApi(`http://127.0.0.1:${apiPort}`, {
    users: users + later,
    dateOfBirth: () => birthday.dateOfBirth,
    timezone: (index) => (index < users ? 'UTC' : zoneOf((index - users) / later)),
    onLoaded: (count) => bench.progress.tick(`${count} of ${users + later} loaded`),
  });

  const due = dueAfterLoading(users + later, timing, birthday);
  bench.progress.say(`all are due at ${new Date(due.at).toISOString()}`);
  await bench.daybell.migrate(deliveryTime(due));
  for (const name of ['scheduler', 'worker', 'dispatcher'] as const) {
    await start(name, deliveryTime(due));
  }
  await untilGreeted(bench, users, due);
  await sleepUntil(Date.now() + AFTERWARDS_MS);

  const range: TimeRange = { from, to: Date.now(), stepSeconds: 1 };
  const rows = await askRows(prometheusUrl, ROWS, range);
  const remarks = remarksOn(users, common.temporal);
  const title = `Daybell's dashboard while ${users.toLocaleString('en')} users are greeted`;
  writeFileSync(svg, await dashboardChart({ title, remarks, rows, range, instant: due.at }));
  bench.write({ users, range, instant: due.at, title, remarks, rows });
}

/** @param share from 0 to 1: most are in the first zones */
function zoneOf(share: number): string {
  return WESTWARDS[Math.floor(share ** 2 * WESTWARDS.length)] ?? 'UTC';
}

function deliveryTime({ localTime }: DueMinute): Record<string, string> {
  return { DELIVERY_LOCAL_TIME: localTime };
}

async function untilGreeted(
  { ledger, untilNone }: DaybellBench,
  users: number,
  { at }: DueMinute,
): Promise<void> {
  const left = async (): Promise<number> => users - (await ledger.herd(at)).settled;
  if (await untilNone('not settled yet', left, at + LIMIT_MS)) return;
  throw new Error('Not all were greeted in time: set --plan-rate lower.');
}

function remarksOn(users: number, temporal: string): string[] {
  const { cores, processor, node } = machineFacts();
  const given = process.argv.slice(2).join(' ');
  const server = temporal === 'dev' ? 'dev server' : 'production server';
  return [
    `Drawn by npm run bench:dashboard${given && ` -- ${given}`}: what a Prometheus answered to the dashboard's queries. Grafana draws it otherwise.`,
    `${users.toLocaleString('en')} users, brought in by the API and due at 0 s, and some due later. Daybell's four processes, Temporal's ${server}, PostgreSQL, the receiver and`,
    `Prometheus on ${cores} cores (${processor}), Node ${node.slice(1)}. Scraped once a second, rates over four; numbers and bars are of the end.`,
  ];
}
