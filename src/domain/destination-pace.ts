import type { Demand } from './destination-demand.ts';

/** A destination that gets less than usual, because it asked to. Instants are epoch ms. */
export interface SlowDown {
  readonly since: number;
  /** Nothing is sent before this. */
  readonly until: number;
  /** Requests a second after that. */
  readonly perSecond: number;
  /** How often in a row it was told to stop. */
  readonly stops: number;
  readonly changedAt: number;
  /** Over by then, unless something is heard that confirms it. */
  readonly endsAt: number;
}

/** After a stop: one at a time, until the first is served. */
const PROBES_PER_SECOND = 1;
const FIRST_STOP_MS = 1_000;
/** A receiver that is back is noticed within this, unless it named a later time itself. */
const LONGEST_STOP_MS = 15_000;
/** A dispatcher looks every 250 ms: each sees it, and gives back what it still holds. */
const LESS_STOP_MS = 300;
/** What one dispatcher sends may be a part: the slower pace is halved, unless it is far above. */
const MOST_SHARERS = 4;
/** While it is served, the pace doubles each second: from 1 to 1,000 a second in ten. */
const DOUBLING_MS = 1_000;
/** More than a few dispatchers post: from there on, no limit. */
const UNLIMITED_PER_SECOND = 10_000;
/** With nothing due there is nothing to learn from; the next herd begins at full pace. */
const FORGOTTEN_AFTER_MS = 60_000;

/**
 * What a demand makes of a destination's slow-down: the same object when nothing, null when
 * it has recovered. It is slowed at once, by half or to a stop, and recovers gradually, as it
 * serves; what comes in while it is stopped was sent before and tells nothing new.
 *
 * @param now epoch ms, of the clock that the slow-down's instants are of
 * @param maxPerSecond the usual pace; null for no limit
 */
export function slowDownAfter(
  slowDown: SlowDown | null,
  demand: Demand,
  now: number,
  maxPerSecond: number | null,
): SlowDown | null {
  const usual = maxPerSecond ?? UNLIMITED_PER_SECOND;
  const isStopped = slowDown !== null && now < slowDown.until;
  switch (demand.asks) {
    case 'stop': {
      const askedUntil = now + (demand.retryAfterMs ?? 0);
      if (isStopped) return askedUntil > slowDown.until ? extended(slowDown, askedUntil) : slowDown;
      const stops = (slowDown?.stops ?? 0) + 1;
      const until = Math.max(askedUntil, now + stopMs(stops));
      return slowed(slowDown, now, { until, stops, perSecond: PROBES_PER_SECOND });
    }
    case 'less': {
      if (isStopped) return slowDown;
      const current =
        slowDown === null
          ? Math.min(usual, demand.perSecond)
          : Math.min(slowDown.perSecond, MOST_SHARERS * demand.perSecond);
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
      // Not one more is sent to who does not answer; nor is it forgotten why.
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

function extended(slowDown: SlowDown, until: number): SlowDown {
  return { ...slowDown, until, endsAt: forgottenAt(until) };
}

/** 1, 2, 4, 8 s, then 15 s each time. */
function stopMs(stops: number): number {
  return Math.min(FIRST_STOP_MS * 2 ** (stops - 1), LONGEST_STOP_MS);
}

function forgottenAt(lastRefusedAt: number): number {
  return lastRefusedAt + FORGOTTEN_AFTER_MS;
}
