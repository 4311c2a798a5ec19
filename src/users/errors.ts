/** A fault of one field, in words that follow its name: `must be a string`. */
export interface FieldFault {
  readonly field: string;
  readonly rule: string;
}

/** Thrown when input breaks rules; it carries every fault. */
export class InvalidInputError extends Error {
  override readonly name = 'InvalidInputError';
  readonly faults: readonly FieldFault[];

  constructor(faults: readonly FieldFault[]) {
    super(faults.map(({ field, rule }) => `${field} ${rule}`).join('; '));
    this.faults = faults;
  }
}

/** The resource that a change conflicts with: a user, or an occasion of theirs. */
export interface ConflictingResource {
  readonly userId: string;
  readonly occasionId?: string;
}

/** Thrown when the current state does not allow a request. The code is stable. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly code:
    | 'user-not-found'
    | 'occasion-not-found'
    | 'external-id-taken'
    | 'occasion-external-id-taken'
    | 'revision-mismatch'
    | 'idempotency-key-reused'
    | 'idempotent-user-deleted'
    | 'idempotent-occasion-deleted';
  /** Null if nothing conflicts, or no longer does. */
  readonly conflict: ConflictingResource | null;

  constructor(code: UserError['code'], message = '', conflict: ConflictingResource | null = null) {
    super(message);
    this.code = code;
    this.conflict = conflict;
  }
}
