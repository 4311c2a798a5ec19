/**
 * Where a trace stands, and since when (epoch ms): the `traceparent` of W3C Trace Context. It
 * identifies no user, so it may be stored.
 */
export interface TracePoint {
  readonly traceparent: string;
  readonly at: number;
}

const DAY_MS = 86_400_000;

/**
 * What happens within a day belongs to the same trace. Later it begins one of its own, which
 * links to the earlier: no backend waits for a year for the rest of a trace, or still has its
 * beginning.
 */
export function continuesTrace({ at }: TracePoint, now: number): boolean {
  return now - at < DAY_MS;
}
