/**
 * `npm run test:fuzz -- --minutes M --seed S`: fuzzes the process api on servers of its own,
 * from its own OpenAPI description. Exit code 0 when every answer was as described and no key
 * was ignored, 1 when not, 78 for arguments that are not usable.
 */
import { readMachine } from '../../src/platform/settings/machine.ts';
import { findTemporalBinary } from '../../dev/temporal/binary.ts';
import { startDevServer } from '../support/dev-server.ts';
import { startPostgresServer } from '../support/postgres-server.ts';
import { withDatabase } from '../support/postgres.ts';
import { ENTRIES, runProgram } from '../support/process.ts';
import { type FuzzOptions, InvalidOptionsError, parseOptions } from './options.ts';
import { fuzz } from './schemathesis.ts';
import { startTarget } from './target.ts';

const DATABASE = 'daybell_fuzz';

try {
  const options = parseOptions(process.argv.slice(2), () => Math.floor(Math.random() * 2 ** 31));
  say(`Again with: --minutes ${options.seconds / 60} --seed ${options.seed}`);
  process.exitCode = (await run(options)) ? 0 : 1;
} catch (error) {
  if (!(error instanceof InvalidOptionsError)) throw error;
  say(error.message);
  process.exitCode = 78;
}

async function run(options: FuzzOptions): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stack.disposeAsync().then(() => process.exit(1)));
  }
  say('Starting PostgreSQL, Temporal and the API.');
  const postgres = await startPostgresServer();
  stack.defer(() => postgres.stop());
  const databaseUrl = withDatabase(postgres.adminUrl, DATABASE);
  const settings = { DATABASE_URL: databaseUrl };
  const migrate = runProgram(process.execPath, [ENTRIES.migrate, '--create'], { settings });
  if ((await migrate.exited) !== 0) throw new Error(migrate.lines.join('\n'));

  const binary = await findTemporalBinary({ ...readMachine(), onProgress: say });
  const temporal = await startDevServer({ binary });
  stack.defer(() => temporal.stop());

  const target = await startTarget({
    databaseUrl,
    temporalAddress: temporal.address,
    taskQueue: 'fuzz',
  });
  stack.defer(() => target.stop());
  say(`Fuzzing ${target.url} for ${options.seconds} s.`);
  const { ok } = await fuzz(target, options, (text) => void process.stdout.write(text));
  const faults = target.log.filter((line) => line.includes('"request failed"'));
  for (const line of faults) say(line);
  return ok && faults.length === 0;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
