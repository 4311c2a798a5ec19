/** Detects when requests are answered slowly: background work then gives way. */
import { setTimeout as sleep } from 'node:timers/promises';

import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import { createLoop, type Loop } from '../platform/loop.ts';
import { metricsOn, type Registry } from '../platform/metrics.ts';
import { createQuickest } from '../platform/quickest.ts';

const LOOK_EVERY_MS = 250;
/** Up to this, a request is quick in any case. */
const QUICK_MS = 30;
/** A distant database is slow even at best: slow means this many times the best median. */
const TIMES_ITS_BEST = 4;
/** Caps the best median: an API that has never been quick has none of its own yet. */
const BEST_AT_MOST_MS = 100;
/** With fewer, a single request that takes long by itself would decide. */
const FEWEST = 4;
/** How long requests count as slow after they last were. */
const SLOW_FOR_MS = 1_000;
/** The longest pause: an import makes progress however slow requests are. */
const LONGEST_PAUSE_MS = 5_000;
const PAUSE_TIMES = 3;

export type RequestWatch = ReturnType<typeof createRequestWatch>;

/**
 * The watch of one API process. Requests are slow if a quarter of those that were answered since
 * the last check, or are still waiting, took over 30 ms, and over four times the best median.
 *
 * @param now in ms, monotonic
 */
export function createRequestWatch(now: () => number = () => performance.now()) {
  const open = new Set<{ readonly since: number }>();
  let answeredMs: number[] = [];
  const quickest = createQuickest(now);
  let slowAt = -Infinity;

  /** Call it regularly. Returns whether requests are slow. */
  function look(): boolean {
    const waitingMs = [...open].map(({ since }) => now() - since);
    const tookMs = answeredMs.concat(waitingMs).toSorted((one, other) => one - other);
    const answered = answeredMs.toSorted((one, other) => one - other);
    answeredMs = [];
    if (answered.length >= FEWEST) quickest.note(quantile(answered, 0.5));
    const slow = Math.max(QUICK_MS, TIMES_ITS_BEST * bestPace());
    if (tookMs.length >= FEWEST && quantile(tookMs, 0.75) > slow) slowAt = now();
    return now() - slowAt < SLOW_FOR_MS;
  }

  function bestPace(): number {
    const ms = quickest.best();
    return Number.isFinite(ms) ? Math.min(ms, BEST_AT_MOST_MS) : 0;
  }

  return {
    /** Call this when a request begins. Returns a function to call when it ends. */
    begin(): () => void {
      const request = { since: now() };
      open.add(request);
      return () => {
        if (open.delete(request)) answeredMs.push(now() - request.since);
      };
    },
    look,
    /**
     * For long work of this process, between two steps: waits three times as long as the last step took
     * while requests are slow, and not at all otherwise.
     */
    async giveWay(tookMs: number): Promise<void> {
      if (now() - slowAt >= SLOW_FOR_MS) return;
      await sleep(Math.min(PAUSE_TIMES * tookMs, LONGEST_PAUSE_MS));
    },
  };
}

/** Tells the other processes, through the database, while requests are slow. */
export function createSlowRequestsLoop(
  watch: Pick<RequestWatch, 'look'>,
  stamp: () => Promise<void>,
  metrics: Registry,
  logger: Logger,
): Loop {
  const gauge = metricsOn(metrics).gauge(
    'daybell_requests_slow',
    '1 while requests are slow and background work gives way, else 0.',
  );
  return createLoop(
    async () => {
      const areSlow = watch.look();
      gauge.set(Number(areSlow));
      if (areSlow) await stamp();
      return LOOK_EVERY_MS;
    },
    (error, failures) => {
      const about = { error: describeError(error) };
      if (failures === 1) logger.warn(about, 'cannot tell other processes that requests are slow');
      return SLOW_FOR_MS;
    },
  );
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(share * sorted.length)] ?? 0;
}
