/**
 * Where a trace stands, and since when (epoch ms): the `traceparent` of W3C Trace Context. Ids
 * that name nobody: it may be kept, and sent through Temporal.
 */
export interface TracePoint {
  readonly traceparent: string;
  readonly at: number;
}

/** The parts of a `traceparent`: https://www.w3.org/TR/trace-context/#traceparent-header. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

const TRACEPARENT =
  /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?=$|-)/;

/** Null for what is none: then there is no trace to go on with. */
export function parseTraceparent(text: string | null | undefined): TraceParent | null {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

/** As this version of the standard writes it. */
export function formatTraceparent({ traceId, spanId, flags }: TraceParent): string {
  return `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`;
}

/**
 * What happens within a day belongs to the same trace. Later it begins one of its own, which
 * links to the earlier: no backend waits for a year for the rest of a trace, or still has its
 * beginning.
 */
export function continuesTrace({ at }: TracePoint, now: number): boolean {
  return now - at < DAY_MS;
}

const DAY_MS = 86_400_000;
