import type { Backpressure } from './backpressure.ts';

/**
 * A destination that gets fewer requests than usual, because it asked for that. Instants are epoch
 * ms.
 */
export interface SlowDown {
  readonly since: number;
  /** Nothing is sent before this instant. */
  readonly until: number;
  /** Requests a second after that. */
  readonly perSecond: number;
  /** How many times in a row it asked to stop. */
  readonly stops: number;
  readonly changedAt: number;
  /** When it ends, unless a response confirms it before. */
  readonly endsAt: number;
}

/** The result of applying backpressure. */
export interface Throttled {
  readonly changed: boolean;
  /** Null if the destination is not slowed. */
  readonly slowDown: SlowDown | null;
}

/** After a stop: one at a time, until the first succeeds. */
const PROBES_PER_SECOND = 1;
const FIRST_STOP_MS = 1_000;
/**
 * A receiver that has recovered is noticed within this time, unless it named a later one itself.
 */
const LONGEST_STOP_MS = 15_000;
/** A dispatcher polls every 250 ms: each sees it, and returns what waits to the queue. */
const LESS_STOP_MS = 300;
/** The responses are those of one dispatcher: up to this many may share the load. */
const MOST_SHARERS = 4;
/** While it serves, the rate doubles every second: from 1 to 1,000 a second in ten. */
const DOUBLING_MS = 1_000;
/** More than a few dispatchers can send: from here on, there is no limit. */
const UNLIMITED_PER_SECOND = 10_000;
/** With nothing due there are no responses to learn from; the next herd begins at the full rate. */
const FORGOTTEN_AFTER_MS = 60_000;

/**
 * Applies backpressure to a destination's slow-down. Returns the same object if nothing changes,
 * null once it has recovered. It is slowed at once, by half or to a stop, and recovers gradually
 * while it serves; responses that arrive while it is stopped belong to earlier requests, and are
 * ignored.
 *
 * @param now epoch ms, by the clock of the slow-down's instants
 * @param maxPerSecond the rate limit; null for none
 */
export function slowDownAfter(
  slowDown: SlowDown | null,
  backpressure: Backpressure,
  now: number,
  maxPerSecond: number | null,
): SlowDown | null {
  const usual = maxPerSecond ?? UNLIMITED_PER_SECOND;
  const isStopped = slowDown !== null && now < slowDown.until;
  switch (backpressure.asks) {
    case 'stop': {
      const askedUntil = now + (backpressure.retryAfterMs ?? 0);
      if (isStopped) {
        if (askedUntil <= slowDown.until) return slowDown;
        return { ...slowDown, until: askedUntil, endsAt: forgottenAt(askedUntil) };
      }
      const stops = (slowDown?.stops ?? 0) + 1;
      // 1, 2, 4, 8 s, then 15 s each time.
      const stopMs = Math.min(FIRST_STOP_MS * 2 ** (stops - 1), LONGEST_STOP_MS);
      const until = Math.max(askedUntil, now + stopMs);
      return slowed(slowDown, now, { until, stops, perSecond: PROBES_PER_SECOND });
    }
    case 'less': {
      if (isStopped) return slowDown;
      const current =
        slowDown === null
          ? Math.min(usual, backpressure.perSecond)
          : Math.min(slowDown.perSecond, MOST_SHARERS * backpressure.perSecond);
      const perSecond = Math.max(current / 2, PROBES_PER_SECOND);
      return slowed(slowDown, now, { until: now + LESS_STOP_MS, stops: 0, perSecond });
    }
    case 'more': {
      if (slowDown === null || isStopped) return slowDown;
      const servedMs = now - Math.max(slowDown.changedAt, slowDown.until);
      const grown = slowDown.perSecond * 2 ** Math.min(Math.max(servedMs / DOUBLING_MS, 0), 1);
      if (grown >= usual) return null;
      return { ...slowDown, perSecond: grown, stops: 0, changedAt: now };
    }
    case 'nothing':
      // Timeouts and 500s neither end a slow-down nor let it expire.
      return slowDown && { ...slowDown, endsAt: Math.max(slowDown.endsAt, forgottenAt(now)) };
  }
}

function slowed(
  before: SlowDown | null,
  now: number,
  next: Pick<SlowDown, 'until' | 'stops' | 'perSecond'>,
): SlowDown {
  return { since: before?.since ?? now, changedAt: now, endsAt: forgottenAt(next.until), ...next };
}

function forgottenAt(lastRefusedAt: number): number {
  return lastRefusedAt + FORGOTTEN_AFTER_MS;
}
