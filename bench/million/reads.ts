/**
 * How long claims, planning and the operators' commands take with so many users, compared with a
 * small ledger in the same run.
 */
import { execFile } from 'node:child_process';
import { readdir, rm, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import { createLedger } from '../../src/ledger/ledger.ts';
import { BIRTHDAY } from '../../src/ledger/occurrence-key.ts';
import { connectOrm, type Orm } from '../../src/platform/database/orm.ts';
import { migrate } from '../../src/platform/database/run-migrations.ts';
import { createOutboxConsumer } from '../../src/planning/outbox-consumer.ts';
import { createRequestsFirst } from '../../src/planning/pace/requests-first.ts';
import { recordRules } from '../../src/planning/rules.ts';
import { createOutbox } from '../../src/users/outbox.ts';
import { duration, ratioRow, table } from '../report/table.ts';
import { CLAIM, claimInTurns, inTurns, type Planted } from '../support/claims.ts';
import {
  createBenchPlanner,
  DATE_LIMITS,
  loadWaitingUsers,
  untilPlanned,
} from '../support/planned-users.ts';
import { watchStatements } from '../support/watch-statements.ts';
import { type MillionBench, timed } from './million-bench.ts';

/** Occasions in one batch, as many as the planner takes at once. */
const PLANNED_AT_ONCE = 500;
const DAY_MS = 86_400_000;
const MANY_MS = 3_600_000;

/** A small ledger, planned like the large one. */
export async function plantFew(bench: MillionBench): Promise<Planted> {
  const { context, installation, logger, options, progress, tz } = bench;
  progress.say(`${options.few} users in a database of their own, to compare with`);
  const databaseUrl = await installation.databases.create('bench_few');
  const orm = await connectOrm(databaseUrl, { queryTimeoutMs: 0 });
  context.atTheEnd(() => orm.close(true));
  const rules = { localTime: '09:00', leapDayPolicy: 'feb28', tzVersion: tz.version } as const;
  await migrate(orm, (em) => recordRules(em, rules));
  await loadWaitingUsers(orm, options.few);
  const planner = createBenchPlanner({ orm, tz, logger });
  const consumer = createOutboxConsumer({
    outbox: createOutbox(orm),
    planner,
    areRequestsSlow: createRequestsFirst(orm),
    logger,
  });
  consumer.start();
  await untilPlanned(orm);
  await consumer.stop();
  await orm.em.fork().execute('vacuum analyze');
  return { orm, ledger: createLedger(orm, DATE_LIMITS) };
}

export interface Compared {
  /** Medians of the same work in the same run, in ms. */
  readonly claims: readonly number[][];
  readonly plans: readonly number[][];
}

/**
 * Claims of 500, and plans of 500 occasions in one transaction, alternating between few and many.
 */
export async function compare(bench: MillionBench, few: Planted): Promise<Compared> {
  const { logger, meter, options, orm, print, progress, tz } = bench;
  await meter.stage('claims');
  progress.say(`${options.claims} claims of ${CLAIM} each`);
  const many: Planted = { orm, ledger: createLedger(orm, DATE_LIMITS) };
  const claims = await claimInTurns([few, many], options.claims);
  for (const { orm: planted } of [few, many]) await removePlanted(planted);

  await meter.stage('plans');
  progress.say(`${options.claims} plans of ${PLANNED_AT_ONCE} each`);
  const works = await Promise.all(
    [few, many].map(async ({ orm: planted }) => {
      const planner = createBenchPlanner({ orm: planted, tz, logger });
      const ids = await randomUsers(planted, PLANNED_AT_ONCE * options.claims);
      let next = 0;
      return async (): Promise<void> => {
        const batch = ids.slice(next, next + PLANNED_AT_ONCE);
        next = (next + PLANNED_AT_ONCE) % ids.length;
        const outcomes = await planner.plan(batch.map((id) => ({ type: BIRTHDAY, id })));
        if (outcomes.some(({ kind }) => kind === 'failed')) throw new Error('a plan failed');
      };
    }),
  );
  const plans = await inTurns(works, options.claims);
  const header = ['', 'median', 'p95', 'longest', 'ratio'];
  const rows = [
    ratioRow(`a claim of ${CLAIM} among ${options.few}`, claims[0], claims[0]),
    ratioRow(`a claim of ${CLAIM} among ${options.users}`, claims[1], claims[0]),
    ratioRow(`a plan of ${PLANNED_AT_ONCE} among ${options.few}`, plans[0], plans[0]),
    ratioRow(`a plan of ${PLANNED_AT_ONCE} among ${options.users}`, plans[1], plans[0]),
  ];
  print('Among few and many, in turns', table(header, rows));
  return { claims, plans };
}

/** Rows that were sent for users who do not exist. */
async function removePlanted(orm: Orm): Promise<void> {
  const em = orm.em.fork();
  const ofNobody = `select key from events.occurrences as o
    where not exists (select from users.users where id = o.user_id)`;
  await em.execute(`delete from events.attempts where occurrence_key in (${ofNobody})`);
  await em.execute(`delete from events.occurrences where key in (${ofNobody})`);
  await em.execute('vacuum events.occurrences');
}

async function randomUsers(orm: Orm, count: number): Promise<string[]> {
  const rows = await orm.em
    .fork()
    .execute<{ id: string }[]>('select id from users.users order by random() limit :count', {
      count,
    });
  return rows.map(({ id }) => id);
}

export interface CommandResult {
  readonly command: string;
  readonly tookMs: number;
  readonly exitCode: number;
  /** As sampled ten times a second, with its first words. */
  readonly longestStatement: { readonly ms: number; readonly text: string } | null;
}

/** `npm run reconcile`, while a worker runs; without the daily comparison of all ids. */
export async function reconcileOnce(bench: MillionBench): Promise<CommandResult> {
  await bench.meter.stage('reconcile');
  return runCommand(bench, 'reconcile', ['src/reconcile/command.ts']);
}

/** Audit and forecast. */
export async function readCommands(bench: MillionBench): Promise<CommandResult[]> {
  const { meter } = bench;
  const now = Date.now();
  const results: CommandResult[] = [];
  await meter.stage('audit');
  results.push(
    await runCommand(bench, 'audit of a day', [
      'src/audit/command.ts',
      '--date',
      iso(now).slice(0, 10),
    ]),
  );
  await meter.stage('forecast');
  for (const [name, days] of [
    ['forecast of 24 hours', 1],
    ['forecast of 400 days', 400],
  ] as const) {
    const window = ['--from', iso(now + 60_000), '--to', iso(now + days * DAY_MS), '--json'];
    results.push(await runCommand(bench, name, ['src/forecast/command.ts', ...window]));
  }
  return results;
}

const iso = (at: number): string => new Date(at).toISOString();

export function printCommands({ print }: MillionBench, results: readonly CommandResult[]): void {
  const rows = results.map(({ command, tookMs, exitCode, longestStatement }) => [
    command,
    duration(tookMs),
    String(exitCode),
    duration(longestStatement?.ms),
    longestStatement?.text ?? '',
  ]);
  print('Commands', table(['', 'took', 'exit code', 'longest statement', 'which'], rows));
}

const ROOT = join(import.meta.dirname, '..', '..');
const MUCH = 256 * 1024 * 1024;

async function runCommand(
  bench: MillionBench,
  command: string,
  args: readonly string[],
): Promise<CommandResult> {
  bench.progress.say(command);
  const statements = await watchStatements(bench.databaseUrl);
  const { result, tookMs } = await timed(() =>
    promisify(execFile)(process.execPath, [...args], {
      cwd: ROOT,
      env: bench.daybell.environment,
      maxBuffer: MUCH,
      timeout: MANY_MS,
    }).then(
      () => ({ exitCode: 0 }),
      (error: unknown) => {
        const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
        bench.progress.say(`${command}: ${stderr.trim().slice(0, 500)}`);
        return { exitCode: typeof code === 'number' ? code : 1 };
      },
    ),
  );
  return { command, tookMs, ...result, longestStatement: await statements.stop() };
}

export interface Dump {
  readonly program: string;
  readonly tookMs: number;
  readonly bytes: number;
}

/** Runs `pg_dump` as described in docs/production.md. Null if none is new enough for the server. */
export async function dump(bench: MillionBench): Promise<Dump | null> {
  const { databaseUrl, installation, meter, options, orm, print, progress } = bench;
  await meter.stage('dump');
  const [server] = await orm.em
    .fork()
    .execute<{ major: number }[]>(
      `select current_setting('server_version_num')::int / 10000 as major`,
    );
  const found = await findPgDump(options.pgDump, server?.major ?? 0);
  if (found === null) {
    print(
      'pg_dump',
      `Not measured: no pg_dump of version ${server?.major} or newer is here (--pg-dump PATH).`,
    );
    return null;
  }
  progress.say(found.version);
  const file = join(installation.dataDir, 'daybell.dump');
  const { tookMs } = await timed(() =>
    promisify(execFile)(found.path, ['--format=custom', `--file=${file}`, databaseUrl]),
  );
  const { size: bytes } = await stat(file);
  await rm(file);
  print(
    'pg_dump --format=custom',
    table(['program', 'took', 'MB'], [[found.version, duration(tookMs), (bytes / 1e6).toFixed(0)]]),
  );
  return { program: found.version, tookMs, bytes };
}

/** The embedded server comes without it, and an older one refuses to dump a newer server. */
async function findPgDump(
  given: string | null,
  major: number,
): Promise<{ readonly path: string; readonly version: string } | null> {
  const debian = '/usr/lib/postgresql';
  const versions = await readdir(debian).catch((): string[] => []);
  const paths = [
    ...versions
      .toSorted((one, other) => Number(other) - Number(one))
      .map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ].map((folder) => join(folder, 'pg_dump'));
  for (const path of given === null ? paths : [given]) {
    const answer = await promisify(execFile)(path, ['--version']).catch(() => null);
    const version = answer?.stdout.trim() ?? '';
    if (Number(/(\d+)\.\d+/.exec(version)?.[1]) >= major) return { path, version };
  }
  return null;
}
