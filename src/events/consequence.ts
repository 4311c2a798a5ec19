import type { Outcome } from '../domain/outcome.ts';
import { burstDelayMs, givesUpAt, temporalDelayMs, withJitter } from '../domain/retry-schedule.ts';
import type { AttemptConsequence, ClaimedOccurrence, Recipient, ReleasedClaim } from './ports.ts';

/** Why a delivery FAILED. `refused` and `gone` are the receiver's words, `gave_up` is ours. */
type FailReason = 'refused' | 'gone' | 'gave_up';

export interface JudgedAttempt {
  readonly verdict: Outcome['verdict'];
  readonly endedAt: number;
  /** How long the receiver asks to wait; null when it does not say. */
  readonly retryAfterMs: number | null;
}

/**
 * What follows from an attempt: first the ledger's own retries, then Temporal's, each no
 * sooner than the receiver asked, and the last of them at the give-up instant.
 *
 * @param random in [0, 1): where in the jitter it falls
 */
export function consequenceOf(
  claimed: ClaimedOccurrence,
  { verdict, endedAt, retryAfterMs }: JudgedAttempt,
  giveUpAfterMs: number,
  random: number,
): AttemptConsequence {
  if (verdict === 'delivered') return { kind: 'delivered', at: endedAt };
  if (verdict === 'give_up') return failed(endedAt, 'refused');
  if (verdict === 'gone') return failed(endedAt, 'gone');

  const lastAt = givesUpAt(claimed.firstAttemptAt, giveUpAfterMs);
  if (endedAt >= lastAt) return failed(endedAt, 'gave_up');

  const burstMs = burstDelayMs(claimed.armedAttempt);
  // Every arming before this one had as many attempts as this one.
  const attempts = claimed.attempt - claimed.earlierAttempts;
  const bursts = Math.ceil(attempts / claimed.armedAttempt);
  const delayMs = burstMs ?? temporalDelayMs(bursts, random);
  // Those who are told the same instant would otherwise come back in that instant.
  const askedMs = withJitter(retryAfterMs ?? 0, random);
  const at = Math.min(endedAt + Math.max(delayMs, askedMs), lastAt);
  return { kind: burstMs === null ? 'retry' : 'again', at };
}

function failed(at: number, reason: FailReason): AttemptConsequence {
  return { kind: 'failed', at, reason };
}

/**
 * Why a claimed occurrence is not to be sent, by what is true of the user at this moment;
 * null when it is. A redelivery needs nothing but the user: somebody asked for it. Only a
 * first attempt can be too late, and by both clocks: a process whose clock is days ahead
 * must not skip anybody.
 */
export function whyNotSend(
  claimed: ClaimedOccurrence,
  user: Pick<Recipient, 'facts'> | undefined,
  now: number,
  lateLimitMs: number,
): ReleasedClaim['because'] | null {
  if (user === undefined) return 'user_deleted';
  // Of a type unknown here, nothing can be judged, nor sent: a newer version will.
  if (claimed.redelivered || user.facts === 'unknown') return null;
  if (user.facts === 'none') return 'changed';
  const { anchorDate, timezone } = user.facts;
  if (timezone !== claimed.timezone || anchorDate !== claimed.anchorDate) return 'changed';
  // Of a first attempt, the instant is that of the claim, by the database's clock.
  const latenessMs = Math.min(now, claimed.firstAttemptAt) - claimed.fireAt;
  return claimed.attempt === 1 && latenessMs > lateLimitMs ? 'too_late' : null;
}
