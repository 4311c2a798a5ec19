import { setTimeout as sleep } from 'node:timers/promises';

import { describeError } from './describe-error.ts';
import type { Logger } from './logger.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 3_000;

/**
 * Tries until it works, for what a process needs before it can start. Says once what it
 * waits for, and when that has come.
 */
export async function waitFor<Result>(
  what: string,
  attempt: () => Promise<Result>,
  logger: Logger,
): Promise<Result> {
  let waiting = false;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      const result = await attempt();
      if (waiting) logger.info(`${what} is there`);
      return result;
    } catch (error) {
      if (!waiting) logger.warn({ error: describeError(error) }, `waiting for ${what}`);
      waiting = true;
    }
    await sleep(pauseMs);
  }
}
