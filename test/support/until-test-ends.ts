import { onTestFinished } from 'vitest';

import type { TestProcess } from './process.ts';

/** Kills the process when the test that started it is over, if it still runs. */
export function untilTestEnds(started: TestProcess): TestProcess {
  onTestFinished(async () => void (await started.stop('SIGKILL')));
  return started;
}
