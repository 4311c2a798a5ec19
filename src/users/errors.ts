/** A fault of one field, in words that follow its name. */
export interface FieldFault {
  readonly field: string;
  readonly rule: string;
}

/** What the User Context refuses; the code is stable, the message is for people. */
export abstract class UserError extends Error {
  abstract readonly code: string;
}

/** Thrown when no user has this id (any more). */
export class UserNotFoundError extends UserError {
  override readonly name = 'UserNotFoundError';
  readonly code = 'user-not-found';

  constructor() {
    super('There is no user with this id.');
  }
}

/** Thrown when fields, each right alone, do not go together with the user as it is. */
export class InvalidUserError extends UserError {
  override readonly name = 'InvalidUserError';
  readonly code = 'invalid-input';
  readonly faults: readonly FieldFault[];

  constructor(faults: readonly FieldFault[]) {
    super(faults.map(({ field, rule }) => `${field} ${rule}`).join('; '));
    this.faults = faults;
  }
}

/** Thrown when another user has this external id. */
export class ExternalIdTakenError extends UserError {
  override readonly name = 'ExternalIdTakenError';
  readonly code = 'external-id-taken';

  constructor() {
    super('Another user has this externalId.');
  }
}

/** Thrown when the user has changed since the caller last saw it. */
export class RevisionMismatchError extends UserError {
  override readonly name = 'RevisionMismatchError';
  readonly code = 'revision-mismatch';

  constructor(revision: number) {
    super(`The user is at revision ${revision}: read it again before changing it.`);
  }
}

/** Thrown when an idempotency key comes again with another request. */
export class IdempotencyKeyReusedError extends UserError {
  override readonly name = 'IdempotencyKeyReusedError';
  readonly code = 'idempotency-key-reused';

  constructor() {
    super('This Idempotency-Key was used for another request.');
  }
}

/** Thrown when an idempotency key comes again after the user it created was deleted. */
export class IdempotentUserDeletedError extends UserError {
  override readonly name = 'IdempotentUserDeletedError';
  readonly code = 'idempotent-user-deleted';

  constructor() {
    super('The user that was created with this Idempotency-Key has been deleted.');
  }
}
