/** Statistics of latencies in ms. */
export interface Distribution {
  readonly count: number;
  readonly first: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly last: number;
}

/** Percentiles by nearest rank; null if there are no values. */
export function distributionOf(values: readonly number[]): Distribution | null {
  const sorted = values.toSorted((a, b) => a - b);
  const [first] = sorted;
  const last = sorted.at(-1);
  if (first === undefined || last === undefined) return null;
  const rank = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? last;
  return { count: sorted.length, first, p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), last };
}
