/** What the stages of `npm run bench:million` share. */
import pino from 'pino';

import { connectOrm, type Orm } from '../../src/platform/database/orm.ts';
import type { Logger } from '../../src/platform/logger.ts';
import { loadTzDatabase } from '../../src/platform/load-tz-database.ts';
import type { TzDatabase } from '../../src/time/tz-database.ts';
import type { DaybellBench } from '../support/daybell-bench.ts';
import type { BenchContext } from '../support/run-bench.ts';
import type { MillionOptions } from './options.ts';

export interface MillionBench extends DaybellBench {
  readonly options: MillionOptions;
  readonly context: BenchContext;
  /** The connection of the bench itself, beside Daybell's processes. */
  readonly orm: Orm;
  readonly tz: TzDatabase;
  readonly logger: Logger;
  /** Prints a table under a heading. */
  print(heading: string, text: string): void;
}

export async function openMillionBench(
  bench: DaybellBench,
  options: MillionOptions,
  context: BenchContext,
): Promise<MillionBench> {
  const orm = await connectOrm(bench.databaseUrl, { queryTimeoutMs: 0 });
  context.atTheEnd(() => orm.close(true));
  return {
    ...bench,
    options,
    context,
    orm,
    tz: loadTzDatabase('newest'),
    logger: pino({ level: 'error' }),
    print: (heading, text) => process.stdout.write(`\n${heading}\n\n${text}\n\n`),
  };
}

/** Measures how long something takes, in ms, and returns its result too. */
export async function timed<Result>(
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly tookMs: number }> {
  const startedAt = performance.now();
  const result = await work();
  return { result, tookMs: Math.round(performance.now() - startedAt) };
}
