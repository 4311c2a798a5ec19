import { createQuickest } from '../../platform/quickest.ts';

/** Whose answers the pace follows. */
export type Answering = 'temporal' | 'database';

const START = 100;
/** Slow enough to burden neither server, and fast enough to measure whether more is possible. */
const LEAST = 2;
const MOST = 1_000;
/** A step up, taken after each look at which both answered quickly. */
const STEP = 20;
/** The same while it is known how much is too much for users' requests. */
const CAREFUL_STEP = 1;
const CAREFUL_FOR_MS = 60_000;
const LOOK_EVERY_MS = 500;
/**
 * It slows down when answers take so many times the quickest that was seen, and speeds up below
 * half of that. Starts that are under way together cost Temporal less CPU each, so its own short
 * queue is no reason to slow down. The database also answers users' requests: more care there.
 */
const SLOW_FROM: Readonly<Record<Answering, number>> = { temporal: 50, database: 10 };
/** What counts as the quickest answer at least: below, the ratio is noise. */
const QUICK_MS: Readonly<Record<Answering, number>> = { temporal: 5, database: 2 };

/**
 * How many calls of Temporal a second the notifier makes. It goes faster step by step as long as
 * Temporal and the database answer about as quickly as they can, and at once half as fast when
 * either takes several times that: then users' requests and due webhooks wait for the same machine,
 * and notifying is in no hurry. Additive increase, multiplicative decrease, by latency.
 *
 * @param now in ms, monotonic
 */
export function createNotifyPace(now: () => number = () => performance.now()) {
  let perSecond = START;
  let lookedAt = now();
  let slowRequestsAt = -Infinity;
  const answers = {
    temporal: createAnswers('temporal', now),
    database: createAnswers('database', now),
  };

  function look(): void {
    const slowness = Math.max(answers.temporal.slowness(), answers.database.slowness());
    if (slowness >= 1) perSecond = Math.max(LEAST, perSecond / 2);
    else if (slowness < 0.5) perSecond = Math.min(MOST, perSecond + step());
    lookedAt = now();
  }

  function step(): number {
    return now() - slowRequestsAt < CAREFUL_FOR_MS ? CAREFUL_STEP : STEP;
  }

  return {
    perSecond: () => perSecond,
    /** The API answers users' requests slowly: half as fast, and then faster by small steps. */
    requestsAreSlow(): void {
      slowRequestsAt = now();
      perSecond = Math.max(LEAST, perSecond / 2);
      lookedAt = now();
    },
    /** How long a call of Temporal took, or a statement that is always the same, in ms. */
    answered(by: Answering, tookMs: number): void {
      answers[by].add(tookMs);
      if (now() - lookedAt >= LOOK_EVERY_MS) look();
    },
    /** Temporal did not answer. */
    refused(): void {
      perSecond = LEAST;
    },
  };
}

/** The answers since the last look, against the quickest of the last minutes. */
function createAnswers(by: Answering, now: () => number) {
  let tookMs: number[] = [];
  const quickest = createQuickest(now);
  return {
    add: (ms: number) => void tookMs.push(ms),
    /** The median by the quickest answer, as a share of what counts as slow; 0 if there is none. */
    slowness(): number {
      if (tookMs.length === 0) return 0;
      const sorted = tookMs.toSorted((one, other) => one - other);
      tookMs = [];
      const [least = 0] = sorted;
      quickest.note(least);
      const best = Math.max(quickest.best(), QUICK_MS[by]);
      return (sorted[Math.floor(sorted.length / 2)] ?? 0) / best / SLOW_FROM[by];
    },
  };
}
