import { isGrpcServiceError, NamespaceNotFoundError } from '@temporalio/client';

/** Thrown when Temporal cannot be reached or takes nothing now: the same call may pass later. */
export class TemporalAwayError extends Error {
  override readonly name = 'TemporalAwayError';
}

/** Thrown when Temporal will never take this call, however often it is repeated. */
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

/** gRPC status codes: INVALID_ARGUMENT and OUT_OF_RANGE judge the message, not the moment. */
const REFUSED: ReadonlySet<number> = new Set([3, 11]);

/**
 * CANCELLED, DEADLINE_EXCEEDED, NOT_FOUND (the namespace), PERMISSION_DENIED, RESOURCE_EXHAUSTED,
 * UNAVAILABLE, UNAUTHENTICATED: nothing would pass now, whichever call is tried.
 */
const AWAY: ReadonlySet<number> = new Set([1, 4, 5, 7, 8, 14, 16]);
