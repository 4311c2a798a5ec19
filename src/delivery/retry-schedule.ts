/** The pauses after the first attempts that failed: most failures pass within seconds. */
const FIRST_PAUSES_MS = [1_000, 2_000, 4_000];
const FIRST_LONG_PAUSE_MS = 10_000;
/** A receiver that is back gets its webhooks within the hour. */
const LONGEST_PAUSE_MS = 3_600_000;
/** Spreads those that failed together. */
const JITTER = 0.5;

/**
 * The pause after a failed attempt, in ms: 1, 2 and 4 s, then 10 s, doubled each time up to
 * an hour, before jitter.
 *
 * @param attempts how many were made for this due instant or redelivery, from 1
 */
export function retryPauseMs(attempts: number): number {
  const first = FIRST_PAUSES_MS[attempts - 1];
  if (first !== undefined) return first;
  const doublings = attempts - FIRST_PAUSES_MS.length - 1;
  return Math.min(FIRST_LONG_PAUSE_MS * 2 ** doublings, LONGEST_PAUSE_MS);
}

/**
 * Adds up to half of the pause, by `random` in [0, 1). Never subtracts: that would bring back a
 * herd sooner than the receiver asked for.
 */
export function withJitter(pauseMs: number, random: number): number {
  return Math.floor(pauseMs * (1 + JITTER * random));
}
