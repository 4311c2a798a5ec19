import type { ClaimedOccurrence, EndReason } from '../ledger/types.ts';
import type { Recipient } from './recipient.ts';

export type ClaimCheck =
  | { readonly action: 'send'; readonly recipient: Recipient }
  /** The plan no longer holds: the row waits for a new one. */
  | { readonly action: 'release' }
  /** Its type now has another destination: the row is due there. */
  | { readonly action: 'redirect' }
  | { readonly action: 'end'; readonly reason: EndReason };

/**
 * Checks a claimed row against its user and occasion as they are now. A redelivery only requires
 * that both exist and are not suspended: an operator asked for it. Only a first attempt can be too
 * late.
 *
 * @param recipient undefined if the user does not exist
 * @param now epoch ms by the earlier of the process's and the database's clock, so that one that
 *   is days ahead skips no occurrences
 */
export function checkClaim(
  claimed: ClaimedOccurrence,
  recipient: Recipient | undefined,
  now: number,
): ClaimCheck {
  if (recipient === undefined) return { action: 'end', reason: 'user_deleted' };
  if (recipient.isOccasionGone) return { action: 'end', reason: 'occasion_deleted' };
  if (recipient.suspended) return { action: 'end', reason: 'suspended' };
  const isElsewhere = recipient.destination !== claimed.destination;
  const send: ClaimCheck = isElsewhere ? { action: 'redirect' } : { action: 'send', recipient };
  if (claimed.redelivered) return send;

  const { dueAt, supersededAt } = claimed;
  if (supersededAt !== null && now >= supersededAt) return { action: 'end', reason: 'superseded' };
  if (!recipient.isAsPlanned) return { action: 'release' };
  const isFirst = claimed.attempt === claimed.earlierAttempts + 1;
  if (isFirst && now - dueAt > recipient.lateLimitMs) return { action: 'end', reason: 'too_late' };
  return send;
}

/**
 * How much longer a lease lasts than a request can. Rows of a process that died wait until it ends.
 */
export const LEASE_MARGIN_MS = 10_000;
/**
 * A claimed row is sent or returned within this; the rest of the margin is for writing the outcome.
 */
export const START_WITHIN_MS = 8_000;

/** Whether the time is over. */
export type Deadline = () => boolean;

/**
 * A deadline that has passed as soon as either clock says so: the monotonic one stands still while
 * a machine is suspended, and the other (epoch ms) can be set back.
 */
export function deadlineIn(ms: number, clock: () => number): Deadline {
  const monotonic = performance.now() + ms;
  const wall = clock() + ms;
  return () => performance.now() > monotonic || clock() > wall;
}
