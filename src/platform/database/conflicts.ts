import { setTimeout as sleep } from 'node:timers/promises';

import { errorCode } from '../errors.ts';

/** PostgreSQL detects a deadlock after a second: a request waits for some seconds at most. */
const TRIES = 5;
/** A random pause, so that two that conflicted do not meet again. */
const LONGEST_PAUSE_MS = 100;

/** serialization_failure, deadlock_detected: nothing was done, and a retry may succeed. */
const CONFLICTS = new Set(['40001', '40P01']);
/**
 * query_canceled, here by its time limit, and lock_not_available: it waited for others too long.
 */
const TOO_LONG = new Set(['57014', '55P03']);

/** Whether the statement failed because of other transactions. */
export function isContention(error: unknown): boolean {
  const code = errorCode(error);
  return CONFLICTS.has(code) || TOO_LONG.has(code);
}

/**
 * Runs work that is one whole transaction, and repeats it a few times if PostgreSQL cancels it in
 * favour of another one.
 */
export async function retryConflicts<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === TRIES || !CONFLICTS.has(errorCode(error))) throw error;
      await sleep(Math.random() * LONGEST_PAUSE_MS);
    }
  }
}
