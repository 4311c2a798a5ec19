/** Thrown for a list of a day whose occurrences are no longer kept. */
export class AuditNotListedError extends Error {
  override readonly name = 'AuditNotListedError';
  readonly code = 'audit-not-listed';

  constructor() {
    super('The occurrences of this day were removed after RETAIN_OCCURRENCES.');
  }
}
