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
    return new TemporalAwayError(error.message, { cause: error });
  }
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (!isGrpcServiceError(cause)) return error;
  const message = `Temporal answered ${cause.code}: ${cause.details}`;
  if (REFUSED.has(cause.code)) return new TemporalRefusedError(message, { cause: error });
  if (AWAY.has(cause.code)) return new TemporalAwayError(message, { cause: error });
  return error;
}

/** gRPC status codes that judge the message: INVALID_ARGUMENT and OUT_OF_RANGE. */
const REFUSED: ReadonlySet<number> = new Set([3, 11]);

/**
 * Those that any call would get now: CANCELLED, DEADLINE_EXCEEDED, NOT_FOUND (the namespace),
 * PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE, UNAUTHENTICATED.
 */
const AWAY: ReadonlySet<number> = new Set([1, 4, 5, 7, 8, 14, 16]);
