import type { ClaimedOccurrence, NextStep } from '../ledger/types.ts';
import type { Verdict } from './outcome.ts';

export interface JudgedAttempt {
  readonly verdict: Verdict;
  /** Epoch ms. */
  readonly endedAt: number;
  /** How long the receiver asks to wait, in ms; null if it does not say. */
  readonly retryAfterMs: number | null;
}

/**
 * Decides what follows an attempt. A retry comes no sooner than the receiver asked; the last one
 * comes when GIVE_UP_AFTER is over, counted from the first attempt of this due instant. Once the
 * next occurrence of the occasion falls due, only a redelivery is retried.
 *
 * @param random in [0, 1), for jitter
 */
export function decideNextAttempt(
  claimed: ClaimedOccurrence,
  startedAt: number,
  { verdict, endedAt, retryAfterMs }: JudgedAttempt,
  giveUpAfterMs: number,
  random: number,
): NextStep {
  if (verdict === 'delivered') return { kind: 'delivered', at: endedAt };
  if (verdict === 'give_up') return { kind: 'failed', at: endedAt, reason: 'refused' };
  if (verdict === 'gone') return { kind: 'failed', at: endedAt, reason: 'gone' };

  const lastAt = (claimed.firstAttemptAt ?? startedAt) + giveUpAfterMs;
  if (endedAt >= lastAt) return { kind: 'failed', at: endedAt, reason: 'gave_up' };

  const pauseMs = withJitter(retryPauseMs(claimed.attempt - claimed.earlierAttempts), random);
  // With jitter too: otherwise all rows that are given one instant would return at it.
  const askedMs = withJitter(retryAfterMs ?? 0, random);
  const at = Math.max(Math.min(endedAt + pauseMs, lastAt), endedAt + askedMs);
  const { supersededAt, redelivered } = claimed;
  if (!redelivered && supersededAt !== null && at >= supersededAt) {
    return { kind: 'failed', at: endedAt, reason: 'superseded' };
  }
  return { kind: 'retry', at, notBefore: retryAfterMs === null ? null : endedAt + retryAfterMs };
}

/** Most failures are over within seconds. */
const FIRST_PAUSES_MS = [1_000, 2_000, 4_000];
const FIRST_LONG_PAUSE_MS = 10_000;
/** A receiver that has recovered gets its webhooks within the hour. */
const LONGEST_PAUSE_MS = 3_600_000;
/** Spreads rows that failed together. */
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
 * Adds up to half of the pause. Never subtracts: that would bring back a herd sooner than the
 * receiver asked for.
 */
export function withJitter(pauseMs: number, random: number): number {
  return Math.floor(pauseMs * (1 + JITTER * random));
}
