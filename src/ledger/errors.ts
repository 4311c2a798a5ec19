import type { OccurrenceState } from './types.ts';

/** Thrown when the ledger has no occurrence with this key (any more). */
export class OccurrenceNotFoundError extends Error {
  override readonly name = 'OccurrenceNotFoundError';
  readonly code = 'occurrence-not-found';

  constructor() {
    super(
      'There is no occurrence with this key. A key is birthday:<user id>:<year>, or <occasion type>:<occasion id>:<year or date>.',
    );
  }
}

/** Thrown for an occurrence that was erased with its user. */
export class OccurrenceErasedError extends Error {
  override readonly name = 'OccurrenceErasedError';
  readonly code = 'occurrence-erased';

  /** Epoch ms. */
  readonly erasedAt: number;

  constructor(erasedAt: number) {
    super('Its user was deleted, and everything about it but its outcome was erased.');
    this.erasedAt = erasedAt;
  }
}

/** Thrown when no destination of this name is known. */
export class DestinationNotFoundError extends Error {
  override readonly name = 'DestinationNotFoundError';
  readonly code = 'destination-not-found';

  constructor() {
    super(
      'No dispatcher has ever sent to a destination of this name, and no occasion type has it.',
    );
  }
}

/** Thrown when a redelivery has no occurrence (any more). */
export class RedeliveryNotFoundError extends Error {
  override readonly name = 'RedeliveryNotFoundError';
  readonly code = 'redelivery-not-found';

  constructor() {
    super(
      'It has no occurrences: nothing matched, all have been sent again since, or it is no longer kept.',
    );
  }
}

/** Thrown when an occurrence, in its current state, cannot be sent again; the code says why. */
export class NotRedeliverableError extends Error {
  override readonly name = 'NotRedeliverableError';
  readonly code:
    | 'occurrence-live'
    | 'occurrence-changed'
    | 'occurrence-delivered'
    | 'occurrence-unplanned'
    | 'redelivery-running'
    | 'user-deleted'
    | 'occasion-deleted';

  constructor(code: NotRedeliverableError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** Thrown when an occurrence has no retry that could be made now; the code says why. */
export class NotRetryableError extends Error {
  override readonly name = 'NotRetryableError';
  readonly code:
    | 'occurrence-not-waiting'
    | 'occurrence-changed'
    | 'occurrence-suspended'
    | 'deliveries-paused';

  constructor(code: NotRetryableError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** The current state of a row, in a sentence for an operator who acted on an older one. */
export function stateInWords({
  state,
  reason,
  attempts,
}: {
  readonly state: OccurrenceState;
  readonly reason: string | null;
  readonly attempts: number;
}): string {
  const because = reason === null ? '' : ` (${reason})`;
  const after = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
  return `It is ${state}${because} now, after ${after}.`;
}
