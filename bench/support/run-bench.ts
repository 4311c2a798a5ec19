/** The life of a bench: its servers are stopped in any case. */
import { inspect } from 'node:util';

import { OptionError } from './options.ts';

export interface BenchContext {
  /** Functions to call, the last added first, when the bench ends or is interrupted. */
  atTheEnd(stop: () => Promise<void>): void;
}

/** Runs it; exit code 0, 1 after a failure, 2 for unusable options, 130 if it was interrupted. */
export async function runBench(work: (context: BenchContext) => Promise<void>): Promise<void> {
  const endings: (() => Promise<void>)[] = [];
  const stopAll = async (): Promise<void> => {
    for (const stop of endings.splice(0).toReversed()) {
      await stop().catch((error: unknown) => console.error(error));
    }
  };
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) return;
    interrupted = true;
    process.stderr.write('stopping\n');
    void stopAll().then(() => process.exit(130));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    await work({ atTheEnd: (stop) => void endings.push(stop) });
    await stopAll();
    process.exit(0);
  } catch (error) {
    if (interrupted) return;
    const isOption = error instanceof OptionError;
    process.stderr.write(`${isOption ? error.message : inspect(error)}\n`);
    await stopAll();
    process.exit(isOption ? 2 : 1);
  }
}
