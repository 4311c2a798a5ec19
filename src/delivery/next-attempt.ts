import type { ClaimedOccurrence, NextStep } from '../ledger/types.ts';
import type { Outcome } from './outcome.ts';
import { retryPauseMs, withJitter } from './retry-schedule.ts';

export interface JudgedAttempt {
  readonly verdict: Outcome['verdict'];
  /** Epoch ms. */
  readonly endedAt: number;
  /** How long the receiver asks to wait, in ms; null when it does not say. */
  readonly retryAfterMs: number | null;
}

/**
 * Decides what an attempt leads to. A retry comes no sooner than the receiver asked, and the
 * last one when GIVE_UP_AFTER is over, counted from the first attempt of this due instant. There
 * is no retry once the next occurrence of the occasion falls due, a redelivery aside.
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
  // With jitter too: all who are given one instant would otherwise come back in it.
  const askedMs = withJitter(retryAfterMs ?? 0, random);
  const at = Math.max(Math.min(endedAt + pauseMs, lastAt), endedAt + askedMs);
  const { supersededAt, redelivered } = claimed;
  if (!redelivered && supersededAt !== null && at >= supersededAt) {
    return { kind: 'failed', at: endedAt, reason: 'superseded' };
  }
  return { kind: 'retry', at, notBefore: retryAfterMs === null ? null : endedAt + retryAfterMs };
}
