/**
 * `npm run bench:load`: how many users a second are loaded through the API, from there into the
 * ledger, and from the ledger into sleeping workflows; and for comparison, as the floor, how many
 * delayed workflows a second a bare client starts on the same servers.
 *
 * --users N              (2000)
 * --load api|store       by POST /v1/users, or by the User Context in this process
 * --temporal dev|postgres, --shards N, --out DIR, --data DIR
 */
import { Client, Connection } from '@temporalio/client';
import pLimit from 'p-limit';

import { freePorts } from '../dev/ports.ts';
import { duration, table } from './report/table.ts';
import { usageTable } from './report/usage-table.ts';
import { openDaybellBench } from './support/daybell-bench.ts';
import { distantBirthday, loadByApi, loadByStore } from './support/loading.ts';
import { COMMON_OPTIONS, commonOptions, readOptions } from './support/options.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';

interface StageResult {
  readonly stage: string;
  readonly users: number;
  readonly durationMs: number;
  readonly usersPerSecond: number;
}

await runBench(load);

async function load(context: BenchContext): Promise<void> {
  const options = readOptions(process.argv.slice(2), [...COMMON_OPTIONS, 'users', 'load']);
  const users = options.number('users', 2_000);
  const by = options.choice('load', ['api', 'store'], 'api');
  const bench = await openDaybellBench('load', commonOptions(options, 'load'), context);
  const { daybell, ledger, meter, progress, untilNone } = bench;

  const stages: StageResult[] = [];
  /** Times a stage; `work` returns how many users went through it. */
  const timed = async (stage: string, work: () => Promise<number>): Promise<void> => {
    await meter.stage(stage);
    const startedAt = performance.now();
    const count = await work();
    const durationMs = Math.round(performance.now() - startedAt);
    const usersPerSecond = Math.round((count / durationMs) * 10_000) / 10;
    stages.push({ stage, users: count, durationMs, usersPerSecond });
    progress.say(`${stage}: ${usersPerSecond} users a second`);
  };

  const [port = 0] = await freePorts(1);
  if (by === 'api') await daybell.start(['api'], { PORT: String(port) });
  await timed(by, async () => {
    const loading = {
      users,
      dateOfBirth: (index: number) => distantBirthday(index),
      onLoaded: (count: number) => progress.tick(`${count} of ${users} loaded`),
    };
    if (by === 'store') await loadByStore(bench.databaseUrl, loading);
    else await loadByApi(`http://127.0.0.1:${port}`, loading);
    return users;
  });

  // A process's first batch is in progress when it reports ready: only the rest counts.
  await meter.stage('start of the scheduler');
  await daybell.start(['scheduler'], {});
  const before = { planned: await ledger.planned(), notified: await ledger.notified() };
  await timed('plan', async () => {
    await untilNone('not planned yet', async () => users - (await ledger.planned()));
    return users - before.planned;
  });
  await timed('notify', async () => {
    const notified = await ledger.notified();
    await untilNone('not notified yet', async () => users - (await ledger.notified()));
    return users - notified;
  });
  await daybell.stop();
  await timed('floor', () => startBareWorkflows(bench.installation.temporal.address, users));

  const usage = await meter.stop();
  const rows = stages.map(({ stage, users: count, durationMs, usersPerSecond }) => [
    stage,
    String(count),
    duration(durationMs),
    String(usersPerSecond),
  ]);
  process.stdout.write(`\n${table(['stage', 'users', 'took', 'users/s'], rows)}\n`);
  process.stdout.write(`\n${usageTable(`${users} users`, usage)}\n\n`);
  bench.write({ users, stages, usage });
}

/** Starts this many waiting workflows as fast as 32 concurrent calls allow; returns how many. */
async function startBareWorkflows(address: string, count: number): Promise<number> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const limit = pLimit(32);
  const start = (index: number) =>
    client.workflow.start('bare', {
      workflowId: `bare/${index}`,
      taskQueue: 'bare',
      startDelay: '200 days',
    });
  await Promise.all(Array.from({ length: count }, (_, index) => limit(start, index)));
  await connection.close();
  return count;
}
