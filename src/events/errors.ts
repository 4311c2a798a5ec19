/** Thrown when the ledger has no occurrence with this key (any more). */
export class OccurrenceNotFoundError extends Error {
  override readonly name = 'OccurrenceNotFoundError';
  readonly code = 'occurrence-not-found';

  constructor() {
    super('There is no occurrence with this key. A key is <event type>:<user id>:<year>.');
  }
}
