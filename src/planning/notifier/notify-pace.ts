import { createQuickest } from '../../platform/quickest.ts';

/** The servers whose response times the pace follows. */
export type Answering = 'temporal' | 'database';

const START = 100;
/** Slow enough to burden neither server, and fast enough to measure whether more is possible. */
const LEAST = 2;
const MOST = 1_000;
/** The step up after each check at which both answered quickly. */
const STEP = 20;
/** The step while it is known how much is too much for users' requests. */
const CAREFUL_STEP = 1;
const CAREFUL_FOR_MS = 60_000;
const LOOK_EVERY_MS = 500;
/**
 * It slows down when responses take this many times the quickest seen, and speeds up below half of
 * that. Concurrent starts cost Temporal less CPU each, so its own short queue is no reason to slow
 * down. The database also serves users' requests: more care there.
 */
const SLOW_FROM: Readonly<Record<Answering, number>> = { temporal: 50, database: 10 };
/** The least that counts as the quickest response: below, the ratio is noise. */
const QUICK_MS: Readonly<Record<Answering, number>> = { temporal: 5, database: 2 };

/**
 * How many calls of Temporal a second the notifier makes. It speeds up step by step as long as
 * Temporal and the database answer about as quickly as they can, and halves its pace at once when
 * either takes several times that: then users' requests and due webhooks wait for the same machine,
 * and notifying can wait. Additive increase, multiplicative decrease, by latency.
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
    /** The API answers users' requests slowly: halves the pace, then speeds up by small steps. */
    requestsAreSlow(): void {
      slowRequestsAt = now();
      perSecond = Math.max(LEAST, perSecond / 2);
      lookedAt = now();
    },
    /** Records how long a call of Temporal took, or the constant database statement, in ms. */
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

/** The response times since the last check, compared with the quickest of the last minutes. */
function createAnswers(by: Answering, now: () => number) {
  let tookMs: number[] = [];
  const quickest = createQuickest(now);
  return {
    add: (ms: number) => void tookMs.push(ms),
    /**
     * The median relative to the quickest response, as a share of what counts as slow; 0 if
     * unknown.
     */
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
