/** The burst, in seconds' worth of requests: enough for a page load, or the start of a batch. */
const BURST_SECONDS = 2;

/**
 * A token bucket for each key, in this process. `now` returns ms of a monotonic clock.
 *
 * `take` counts a request of a key: it returns 0 if the request may proceed, else the ms until it may.
 */
export function createRateLimit(maxPerSecond: number, now: () => number) {
  const capacity = maxPerSecond * BURST_SECONDS;
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    take(key: string): number {
      const at = now();
      const last = buckets.get(key) ?? { tokens: capacity, at };
      const tokens = Math.min(capacity, last.tokens + ((at - last.at) * maxPerSecond) / 1000);
      const isEnough = tokens >= 1;
      buckets.set(key, { tokens: isEnough ? tokens - 1 : tokens, at });
      return isEnough ? 0 : Math.ceil(((1 - tokens) * 1000) / maxPerSecond);
    },
  };
}
