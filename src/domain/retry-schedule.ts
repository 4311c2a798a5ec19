const FIRST_TEMPORAL_DELAY_MS = 10_000;
/** A receiver that is back is greeted within the hour. */
const LONGEST_TEMPORAL_DELAY_MS = 3_600_000;
/** Those who failed together come back spread over half the delay. */
const JITTER = 0.5;

/**
 * How long the ledger waits after an attempt that failed, counted from 1 since it was
 * armed, in ms: 1, 2, 4 s. Null when the burst is over and it is Temporal's turn.
 */
export function burstDelayMs(attemptsSinceArmed: number): number | null {
  return [1000, 2000, 4000][attemptsSinceArmed - 1] ?? null;
}

/**
 * How long Temporal waits after a burst that failed, counted from 1, in ms: 10 s, doubled
 * each time up to an hour, with jitter by `random` in [0, 1).
 */
export function temporalDelayMs(bursts: number, random: number): number {
  const doubled = FIRST_TEMPORAL_DELAY_MS * 2 ** Math.max(bursts - 1, 0);
  return withJitter(Math.min(doubled, LONGEST_TEMPORAL_DELAY_MS), random);
}

/**
 * The delay, and up to half as long again by `random` in [0, 1). Never less: jitter downward
 * would bring the herd back sooner than it was asked to.
 */
export function withJitter(delayMs: number, random: number): number {
  return Math.floor(delayMs * (1 + JITTER * random));
}

/** The instant (epoch ms) at and after which a failed delivery is FAILED, not tried again. */
export function givesUpAt(firstAttemptAt: number, giveUpAfterMs: number): number {
  return firstAttemptAt + giveUpAfterMs;
}
