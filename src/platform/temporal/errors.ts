import { isGrpcServiceError, NamespaceNotFoundError } from '@temporalio/client';

/** Thrown when Temporal is unavailable: the same call may succeed later. */
export class TemporalAwayError extends Error {
  override readonly name = 'TemporalAwayError';
}

/** Thrown when Temporal will never accept this call, however often it is repeated. */
export class TemporalRefusedError extends Error {
  override readonly name = 'TemporalRefusedError';
}

/** A failed call as `TemporalAwayError` or `TemporalRefusedError`, if it is one of these. */
export function classify(error: unknown): unknown {
  if (error instanceof NamespaceNotFoundError) {
    const message = `Temporal has no namespace ${error.namespace}: create it, or check TEMPORAL_NAMESPACE`;
    return new TemporalAwayError(message, { cause: error });
  }
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (!isGrpcServiceError(cause)) return error;
  const { code, details } = cause;
  if (UNREACHED.has(code)) return new TemporalAwayError(details, { cause: error });
  const message = `Temporal answered ${code}: ${details}`;
  if (REFUSED.has(code)) return new TemporalRefusedError(message, { cause: error });
  if (AWAY.has(code)) return new TemporalAwayError(message, { cause: error });
  return error;
}

/** gRPC status codes that judge the message: INVALID_ARGUMENT and OUT_OF_RANGE. */
const REFUSED: ReadonlySet<number> = new Set([3, 11]);

/**
 * Codes that the connection explains in a sentence (explained-errors.ts): DEADLINE_EXCEEDED,
 * PERMISSION_DENIED, UNAVAILABLE, UNAUTHENTICATED.
 */
const UNREACHED: ReadonlySet<number> = new Set([4, 7, 14, 16]);

/**
 * Other codes that any call would get now: CANCELLED, NOT_FOUND (the namespace),
 * RESOURCE_EXHAUSTED.
 */
const AWAY: ReadonlySet<number> = new Set([1, 5, 8]);
