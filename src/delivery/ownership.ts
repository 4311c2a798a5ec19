/** An open row that is due. Instants are epoch ms by the database's clock. */
export interface DueRow {
  /** Null while it waits for its plan. */
  readonly nextAttemptAt: number | null;
  /** Until when it is a process's; null when it is not leased. */
  readonly leaseUntil: number | null;
}

/** What a dispatcher last wrote of itself. */
export interface DispatcherStamp {
  readonly stampedAt: number;
  /** When a claim last came back with less than it was allowed to take; null if none ever did. */
  readonly shortAt: number | null;
}

/** What may be sent to the destination. */
export interface DestinationAllowance {
  readonly isPaused: boolean;
  /** Nothing is sent before this; null when the receiver asked for nothing. */
  readonly stoppedUntil: number | null;
  /** Requests that the rate limit allows now; Infinity without one. */
  readonly available: number;
}

export type Owner =
  /** It waits for its plan. */
  | { readonly owner: 'planner' }
  | { readonly owner: 'dispatchers' }
  | { readonly owner: 'workflow' }
  | {
      readonly owner: 'nobody';
      readonly because: 'leased' | 'early' | 'paused' | 'stopped' | 'rate_limited';
    };

/** Dispatchers write of themselves once a second. */
const ALIVE_MS = 5_000;
/** A dispatcher that lives and takes all there is, but not this row, does not see it. */
const PASSED_OVER_MS = 60_000;

/**
 * Decides which of the two paths sends a due row: the dispatchers, as long as one is alive and
 * sees it, or else the occasion's workflow. The claim is the same for both, so a wrong answer
 * costs time, and never sends twice.
 *
 * @param now epoch ms by the database's clock
 */
export function decideOwner(
  row: DueRow,
  dispatchers: readonly DispatcherStamp[],
  destination: DestinationAllowance,
  now: number,
): Owner {
  const { nextAttemptAt, leaseUntil } = row;
  if (nextAttemptAt === null) return { owner: 'planner' };
  if (leaseUntil !== null && leaseUntil > now) return { owner: 'nobody', because: 'leased' };
  if (nextAttemptAt > now) return { owner: 'nobody', because: 'early' };

  const { isPaused, stoppedUntil, available } = destination;
  if (isPaused) return { owner: 'nobody', because: 'paused' };
  if (stoppedUntil !== null && stoppedUntil > now) return { owner: 'nobody', because: 'stopped' };
  if (available < 1) return { owner: 'nobody', because: 'rate_limited' };

  const alive = dispatchers.filter((dispatcher) => isAlive(dispatcher, now));
  if (alive.length === 0) return { owner: 'workflow' };
  const passedOverAt = Math.max(nextAttemptAt, stoppedUntil ?? 0) + PASSED_OVER_MS;
  const isPassedOver = alive.some(
    ({ shortAt }) => shortAt !== null && shortAt >= passedOverAt && shortAt <= now,
  );
  return { owner: isPassedOver ? 'workflow' : 'dispatchers' };
}

/** A stamp from the future is of a clock that was set back since: it says nothing. */
function isAlive({ stampedAt }: DispatcherStamp, now: number): boolean {
  return stampedAt > now - ALIVE_MS && stampedAt <= now;
}
