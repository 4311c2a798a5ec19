/** A page that loads, or a batch that begins, comes at once: what was saved up in two seconds. */
const BURST_SECONDS = 2;

export interface RateLimit {
  /** Takes one request of a key: 0 when it may go on, else the ms until it may. */
  take(key: string): number;
}

/**
 * A token bucket for each key, in this process. `now` gives ms on a clock that only moves
 * forward. There are as few buckets as there are keys.
 */
export function createRateLimit(maxPerSecond: number, now: () => number): RateLimit {
  const capacity = maxPerSecond * BURST_SECONDS;
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    take(key) {
      const at = now();
      const last = buckets.get(key) ?? { tokens: capacity, at };
      const tokens = Math.min(capacity, last.tokens + ((at - last.at) * maxPerSecond) / 1000);
      const isEnough = tokens >= 1;
      buckets.set(key, { tokens: isEnough ? tokens - 1 : tokens, at });
      return isEnough ? 0 : Math.ceil(((1 - tokens) * 1000) / maxPerSecond);
    },
  };
}
