/** Forecasts that were computed a moment ago, for pages that are requested again and again. */
import type { Window } from './window.ts';

/** A few periods and types. Each takes at most about a megabyte. */
const MOST = 20;

interface Recent<Forecast> {
  readonly computedAt: number;
  readonly forecast: Forecast;
}

/**
 * Returns the forecast from now until an instant: one that was computed at most `maxAgeMs` ago, or
 * a new one. Once half of that age has passed, the next one is computed in the background, so that
 * it is ready in time.
 *
 * @param compute is called for one forecast of a kind at a time
 * @param clock epoch ms
 */
export function createRecentForecasts<Forecast>(
  compute: (window: Window, type: string | null) => Promise<Forecast>,
  clock: () => number,
) {
  const recent = new Map<string, Recent<Forecast>>();
  const underWay = new Map<string, Promise<Forecast>>();

  function computeOnce(key: string, until: number, type: string | null): Promise<Forecast> {
    const computedAt = clock();
    const computing =
      underWay.get(key) ??
      compute({ from: computedAt, until }, type)
        .then((forecast) => {
          recent.delete(key);
          recent.set(key, { computedAt, forecast });
          const [oldest] = recent.keys();
          if (recent.size > MOST && oldest !== undefined) recent.delete(oldest);
          return forecast;
        })
        .finally(() => underWay.delete(key));
    underWay.set(key, computing);
    return computing;
  }

  return async (until: number, type: string | null, maxAgeMs: number): Promise<Forecast> => {
    const key = `${until} ${type}`;
    const found = recent.get(key);
    const ageMs = clock() - (found?.computedAt ?? -Infinity);
    if (found === undefined || ageMs > maxAgeMs) return computeOnce(key, until, type);
    // If this fails, the next request that waits for it gets the error.
    if (ageMs > maxAgeMs / 2) computeOnce(key, until, type).catch(() => {});
    return found.forecast;
  };
}
