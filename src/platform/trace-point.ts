/**
 * A point in a trace, with its instant (epoch ms): the `traceparent` of W3C Trace Context. It
 * identifies no user, so it may be stored.
 */
export interface TracePoint {
  readonly traceparent: string;
  readonly at: number;
}

const DAY_MS = 86_400_000;

/**
 * Whatever happens within a day belongs to the same trace. Later work begins its own trace, which
 * links to the earlier one: no backend waits a year for the rest of a trace, or still has its
 * beginning.
 */
export function continuesTrace({ at }: TracePoint, now: number): boolean {
  return now - at < DAY_MS;
}
