import { setTimeout as sleep } from 'node:timers/promises';

import { describeError } from './errors.ts';
import type { Logger } from './logger.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 3_000;

/**
 * Retries until it succeeds: for what a process needs before it can start. Logs the wait, each new
 * reason for it, and its end.
 */
export async function waitFor<Result>(
  what: string,
  attempt: () => Promise<Result>,
  logger: Logger,
): Promise<Result> {
  let reason: string | null = null;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      const result = await attempt();
      if (reason !== null) logger.info(`${what} is available`);
      return result;
    } catch (error) {
      const described = describeError(error);
      const found = `${described.code} ${described.message}`;
      if (found !== reason) logger.warn({ error: described }, `waiting for ${what}`);
      reason = found;
    }
    await sleep(pauseMs);
  }
}

/** Rejects if the work takes longer than `limitMs`. The work itself continues, unawaited. */
export async function withinLimit<Result>(work: Promise<Result>, limitMs: number): Promise<Result> {
  const { promise: limit, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('took too long')), limitMs);
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs at most one read at a time: callers that come meanwhile share it. */
export function shared<Value>(read: () => Promise<Value>): () => Promise<Value> {
  let underWay: Promise<Value> | null = null;
  return () => {
    underWay ??= read().finally(() => {
      underWay = null;
    });
    return underWay;
  };
}

/** An expensive read takes at most a tenth of the time. */
const REST_PER_READ = 10;

/** When to return the last value although another one is being read. */
export interface Impatience {
  /** How long to wait for the new read first. */
  readonly waitMs: number;
  /** A value that was read longer ago is not returned. */
  readonly maxAgeMs: number;
}

/**
 * Shares a read, and keeps its value: for `leastMs`, and for ten times as long as the read took.
 * For values that are requested again and again. A failed read is not kept.
 */
export function kept<Value>(
  read: () => Promise<Value>,
  leastMs: number,
  { waitMs, maxAgeMs }: Impatience = { waitMs: 0, maxAgeMs: 0 },
): () => Promise<Value> {
  let last: { readonly value: Value; readonly readAt: number; readonly until: number } | null =
    null;
  const readOnce = shared(async () => {
    const startedAt = performance.now();
    const value = await read();
    const endedAt = performance.now();
    const keepMs = Math.max(leastMs, REST_PER_READ * (endedAt - startedAt));
    last = { value, readAt: startedAt, until: endedAt + keepMs };
    return value;
  });
  return async () => {
    const now = performance.now();
    if (last === null) return readOnce();
    if (now < last.until) return last.value;
    if (now - last.readAt > maxAgeMs) return readOnce();
    const { value } = last;
    return Promise.race([readOnce(), sleep(waitMs, value)]);
  };
}

/**
 * Returns at once what was last read, and reads again in the background, at most once in `everyMs`,
 * while there are callers. Undefined until the first read has ended; null if the last one failed.
 */
export function lastKnown<Value>(
  read: () => Promise<Value>,
  everyMs: number,
): () => Value | null | undefined {
  let known: Value | null | undefined;
  let readAt = -Infinity;
  const refresh = async (): Promise<void> => {
    readAt = performance.now();
    known = await read().catch(() => null);
  };
  return () => {
    if (performance.now() - readAt >= everyMs) void refresh();
    return known;
  };
}
