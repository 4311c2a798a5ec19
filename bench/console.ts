/**
 * `npm run bench:console`: how long the pages of the console take in a large installation, on a
 * PostgreSQL of its own and in the API's own process, without Temporal. One visitor requests each
 * page again and again; at the first request, nothing is cached. Fails if a page other than a
 * computation has a p95 over 200 ms.
 *
 * --users N      (1000000) planned, a quarter of them with a settled occurrence
 * --today N      (a tenth of the users) whose birthday is today
 * --failed N     (10000) FAILED occurrences of the last four weeks
 * --times N      (40) each page is asked for, after 3 to warm up
 * --slow MS      (0: none) plans of statements that take longer go to processes.log in the data
 * --data DIR     (data/bench) where the server keeps its data; emptied
 */
import pg from 'pg';

import { connectOrm } from '../src/platform/database/orm.ts';
import { migrate } from '../src/platform/database/run-migrations.ts';
import { loadTzDatabase } from '../src/platform/load-tz-database.ts';
import { recordRules } from '../src/planning/rules.ts';
import { machineFacts } from './report/machine-facts.ts';
import { duration, table } from './report/table.ts';
import { type ApiClient, createApiClient } from './support/api-client.ts';
import { plantConsoleData } from './support/console-data.ts';
import { readOptions } from './support/options.ts';
import { createProgress } from './support/progress.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';
import { startApi } from './support/start-api.ts';
import { startPostgres } from './support/start-postgres.ts';
import { distributionOf } from './support/statistics.ts';
import { until } from './support/until.ts';

const P95_LIMIT_MS = 200;
const WARM_UPS = 3;
const LOGGED = 10_000;
const DAY_MS = 86_400_000;
/** The time limit of the audits that the API makes when it starts. */
const AUDITED_WITHIN_MS = 600_000;

interface Page {
  readonly name: string;
  readonly path: string;
  /** Computed at each request: no limit applies. */
  readonly isComputation?: boolean;
  /** Between two requests, so that short-lived caches expire, as they do for a visitor. */
  readonly pauseMs?: number;
}

await runBench(measure);

async function measure(context: BenchContext): Promise<void> {
  const names = ['users', 'today', 'failed', 'times', 'slow', 'data'];
  const options = readOptions(process.argv.slice(2), names);
  const users = options.number('users', 1_000_000);
  const dueToday = options.number('today', Math.floor(users / 10), 0);
  const failed = options.number('failed', 10_000);
  const times = options.number('times', 40);
  const slowMs = options.number('slow', 0, 0);
  const progress = createProgress((text) => process.stdout.write(text));
  const databaseUrl = await startPostgres(options.text('data', 'data/bench'), progress, context);

  const orm = await connectOrm(databaseUrl);
  const tzVersion = loadTzDatabase('newest').version;
  const rules = { localTime: '09:00', leapDayPolicy: 'feb28', tzVersion } as const;
  await migrate(orm, (em) => recordRules(em, rules));
  await orm.close(true);
  progress.say(`${users} users, ${dueToday} of them due today, and ${failed} failures`);
  await plantConsoleData(databaseUrl, { users, dueToday, failed, logged: LOGGED });
  if (slowMs > 0) await explainSlow(databaseUrl, slowMs);

  // One visitor sends requests as fast as it can.
  const settings = { API_MAX_PER_SECOND: '100000' };
  const { url } = await startApi({ databaseUrl, settings }, context);
  const client = createApiClient(url, 1);
  context.atTheEnd(async () => client.close());
  progress.say('the API audits the last days');
  await untilAudited(client);

  const rows: string[][] = [];
  const tooSlow: string[] = [];
  for (const page of await pagesOf(databaseUrl)) {
    progress.say(page.name);
    const { first, latencies, bytes } = await askFor(client, page, times);
    const { p50, p95, last } = distributionOf(latencies) ?? { p50: NaN, p95: NaN, last: NaN };
    if (page.isComputation !== true && p95 > P95_LIMIT_MS) tooSlow.push(page.name);
    const size = `${(bytes / 1_000).toFixed(1)} kB`;
    rows.push([page.name, ...[first, p50, p95, last].map((ms) => duration(ms)), size]);
  }
  const { cores, processor, memoryBytes, node } = machineFacts();
  const machine = `${cores} × ${processor}, ${Math.round(memoryBytes / 2 ** 30)} GiB, Node ${node}`;
  process.stdout.write(`\n${table(['page', 'first', 'p50', 'p95', 'largest', 'size'], rows)}

${users} users, ${dueToday} of them due today, ${failed} failures; each page ${times} times
${machine}\n\n`);
  if (tooSlow.length > 0) {
    throw new Error(`p95 over ${P95_LIMIT_MS} ms: ${tooSlow.join(', ')}`);
  }
}

async function pagesOf(databaseUrl: string): Promise<Page[]> {
  const person = await personWithFailure(databaseUrl);
  const yesterday = new Date(Date.now() - DAY_MS).toISOString().slice(0, 10);
  const refused = 'days=30&reason=refused&answer=400';
  return [
    { name: 'Today', path: '', pauseMs: 1_000 },
    { name: 'Coming, 24 hours', path: '/coming?span=24h' },
    { name: 'Coming, 30 days', path: '/coming?span=30d' },
    { name: 'Coming, 400 days', path: '/coming?span=400d' },
    { name: 'People', path: '/people' },
    { name: 'Search for a last name', path: '/people?q=garsmi' },
    { name: 'Search for a first name', path: '/people?q=grace' },
    { name: 'Search for an external id', path: '/people?q=crm-777' },
    { name: 'A person', path: `/people/${person}` },
    { name: 'Failed', path: '/failed' },
    { name: 'A list of failed ones', path: `/failed/list?${refused}` },
    { name: 'Send again: the count', path: `/failed/resend?${refused}` },
    { name: 'Audit, the form', path: '/audit' },
    { name: 'Audit of a day (computed)', path: `/audit?date=${yesterday}`, isComputation: true },
    { name: 'Deliveries', path: '/deliveries' },
    { name: 'Import', path: '/import' },
    { name: 'Log', path: '/log' },
  ];
}

async function askFor(client: ApiClient, { path, pauseMs = 0 }: Page, times: number) {
  const latencies: number[] = [];
  let first = NaN;
  let bytes = 0;
  for (let nth = -WARM_UPS; nth < times; nth += 1) {
    const startedAt = performance.now();
    const { status, body } = await client.send('GET', `/console${path}`);
    const tookMs = performance.now() - startedAt;
    if (status !== 200) throw new Error(`/console${path} answered ${status}: ${body}`);
    if (nth === -WARM_UPS) first = tookMs;
    if (nth >= 0) latencies.push(tookMs);
    bytes = Buffer.byteLength(body);
    await new Promise((resolve) => {
      setTimeout(resolve, pauseMs);
    });
  }
  return { first, latencies, bytes };
}

async function untilAudited(client: ApiClient): Promise<void> {
  const isAudited = async (): Promise<boolean> => {
    const { body } = await client.send('GET', '/v1/status');
    return (JSON.parse(body) as { readonly lastAudit: unknown }).lastAudit !== null;
  };
  const deadline = Date.now() + AUDITED_WITHIN_MS;
  if (!(await until(isAudited, { everyMs: 500, deadline }))) {
    throw new Error('the API has not audited the last days');
  }
}

async function personWithFailure(databaseUrl: string): Promise<string> {
  return onConnection(databaseUrl, async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `select user_id as id from events.occurrences where state = 'FAILED' limit 1`,
    );
    return rows[0]?.id ?? '';
  });
}

async function explainSlow(databaseUrl: string, leastMs: number): Promise<void> {
  await onConnection(databaseUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>('select current_database() as name');
    const set = `alter database ${rows[0]?.name} set`;
    await client.query(`${set} session_preload_libraries = 'auto_explain'`);
    await client.query(`load 'auto_explain'`);
    await client.query(`${set} auto_explain.log_min_duration = ${leastMs}`);
    await client.query(`${set} auto_explain.log_analyze = on`);
    await client.query(`${set} auto_explain.log_timing = off`);
  });
}

async function onConnection<Result>(
  databaseUrl: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
