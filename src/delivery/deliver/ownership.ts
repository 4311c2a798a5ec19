/** An open row that is due. Instants are epoch ms by the database's clock. */
export interface DueRow {
  /** Null while it waits for its plan. */
  readonly nextAttemptAt: number | null;
  /** Until when a process holds it; null if it is not leased. */
  readonly leaseUntil: number | null;
}

/** What a dispatcher last recorded about itself. */
export interface DispatcherStamp {
  readonly stampedAt: number;
  /** When a claim last returned fewer rows than it was allowed to take; null if none ever did. */
  readonly shortAt: number | null;
}

/** What may be sent to the destination. */
export interface DestinationAllowance {
  readonly isPaused: boolean;
  /** Nothing is sent before this; null if the receiver asked for no stop. */
  readonly stoppedUntil: number | null;
  /** Requests that the rate limit allows now; Infinity without one. */
  readonly available: number;
}

/** Who sends a row, or why it is not sent at the moment. */
export type Owner =
  | 'dispatchers'
  | 'workflow'
  /** It waits for its plan. */
  | 'planner'
  | 'leased'
  | 'early'
  | 'paused'
  | 'stopped'
  | 'rate_limited';

/** Dispatchers stamp themselves once a second. */
const ALIVE_MS = 5_000;
/** A dispatcher that takes everything due, but not this row for so long, does not see it. */
const PASSED_OVER_MS = 60_000;

/**
 * Decides which of the two paths sends a due row: the dispatchers, as long as one is alive and
 * sees it, or else the occasion's workflow. The claim is the same for both, so a wrong answer
 * costs time, and never sends twice.
 *
 * @param now epoch ms by the database's clock
 */
export function decideOwner(
  { nextAttemptAt, leaseUntil }: DueRow,
  dispatchers: readonly DispatcherStamp[],
  { isPaused, stoppedUntil, available }: DestinationAllowance,
  now: number,
): Owner {
  if (nextAttemptAt === null) return 'planner';
  if (leaseUntil !== null && leaseUntil > now) return 'leased';
  if (nextAttemptAt > now) return 'early';
  if (isPaused) return 'paused';
  if (stoppedUntil !== null && stoppedUntil > now) return 'stopped';
  if (available < 1) return 'rate_limited';

  // A stamp from the future is from a clock that was set back since: ignore it.
  const alive = dispatchers.filter(
    ({ stampedAt }) => stampedAt > now - ALIVE_MS && stampedAt <= now,
  );
  if (alive.length === 0) return 'workflow';
  const passedOverAt = Math.max(nextAttemptAt, stoppedUntil ?? 0) + PASSED_OVER_MS;
  const isPassedOver = alive.some(
    ({ shortAt }) => shortAt !== null && shortAt >= passedOverAt && shortAt <= now,
  );
  return isPassedOver ? 'workflow' : 'dispatchers';
}
