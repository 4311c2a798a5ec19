/**
 * `npm run bench:herd`: everyone is due at one instant. How late is the last webhook?
 *
 * --users N,…            sizes of the herd (1000)
 * --temporal dev|postgres
 * --contenders a,b,…     all of bench/contenders by default, but for `fire` and `missed`: parts alone
 * --limit SECONDS        after the instant a contender is stopped (600)
 * --load api|store       how Daybell's users come in; api up to 20,000
 * --head-start, --plan-rate, --dispatchers   of Daybell, see bench/contenders/contender.ts
 * --until settled|asleep   when Daybell counts as done: asleep needs WAKE_RATE=0 for a large herd
 * --temporal-nodes N     a cluster: so many processes of each service (1; `postgres` only)
 * --kill-temporal-node A,…   killed with -9 a second before the instant, such as temporal-history-1, or
 *                        temporal where it is one process (`daybell` and `workflows-alone` only)
 * --temporal-down SECONDS   for which it does not come back (0: after a second)
 * --kill-dispatcher MS   after the instant one is killed with -9 (`fire` and `missed` only)
 * --rest SECONDS         that dispatchers wait for their herd (10; `fire` only)
 * --shards N             history shards of the production Temporal server
 * --out DIR, --data DIR
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { newWebhookSecret } from '../src/platform/settings/webhook-secrets.ts';
import { CONTENDERS, STAGES } from './contenders/index.ts';
import { herdChart } from './report/herd-chart.ts';
import { herdTables } from './report/herd-tables.ts';
import { machineFacts } from './report/machine-facts.ts';
import { HERD_OPTIONS, herdOptions } from './support/herd-options.ts';
import type { HerdResult } from './support/herd-result.ts';
import { NICENESS } from '../dev/child.ts';
import { startInstallation } from './support/installation.ts';
import { COMMON_OPTIONS, commonOptions, readOptions } from './support/options.ts';
import { createProgress } from './support/progress.ts';
import { runBench, type BenchContext } from './support/run-bench.ts';
import { runContender } from './support/run-contender.ts';

const NAMES = [...COMMON_OPTIONS, ...HERD_OPTIONS, 'users', 'contenders', 'limit'];

await runBench(herd);

async function herd({ atTheEnd }: BenchContext): Promise<void> {
  const options = readOptions(process.argv.slice(2), NAMES);
  const common = commonOptions(options, 'herd');
  const sizes = options.numbers('users', [1_000]);
  const all = [...CONTENDERS, ...STAGES];
  const names = options.list(
    'contenders',
    all.map(({ name }) => name),
    CONTENDERS.map(({ name }) => name),
  );
  const limitMs = options.number('limit', 600) * 1_000;
  const outDir = resolve(common.outDir);
  mkdirSync(outDir, { recursive: true });

  const progress = createProgress((text) => process.stdout.write(text));
  // The same as when Daybell runs; but a contender that stands on Temporal alone must not be slowed
  // down.
  const temporalNiceness = names.includes('textbook') ? 0 : NICENESS.temporal;
  const installation = await startInstallation({ ...common, temporalNiceness, progress });
  atTheEnd(installation.stop);
  const webhookSecret = newWebhookSecret();
  for (const users of sizes) {
    const results: HerdResult[] = [];
    for (const contender of all.filter(({ name }) => names.includes(name))) {
      const turn = { users, limitMs, outDir, webhookSecret, installation, progress };
      results.push(await runContender(contender, { ...turn, herd: herdOptions(options, users) }));
      await write(outDir, users, common.temporal, results);
    }
    process.stdout.write(`\n${herdTables(results)}\n\n`);
  }
  progress.say(`results are in ${outDir}`);
}

/** Written after each contender, so that the results are kept if the next one fails. */
async function write(
  outDir: string,
  users: number,
  temporal: string,
  results: readonly HerdResult[],
): Promise<void> {
  const command = ['npm run bench:herd --', ...process.argv.slice(2)].join(' ');
  const about = { bench: 'herd', command, temporal, machine: machineFacts() };
  const file = join(outDir, `herd-${users}`);
  writeFileSync(`${file}.json`, `${JSON.stringify({ ...about, users, results }, null, 1)}\n`);
  const title = `${users} users due at one instant: greetings received`;
  writeFileSync(`${file}.svg`, await herdChart(results, title));
}
