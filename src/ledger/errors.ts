/** Thrown when the ledger has no occurrence with this key (any more). */
export class OccurrenceNotFoundError extends Error {
  override readonly name = 'OccurrenceNotFoundError';
  readonly code = 'occurrence-not-found';

  constructor() {
    super(
      'There is no occurrence with this key. A key is birthday:<user id>:<year>, or <occasion type>:<occasion id>:<date>.',
    );
  }
}

/** Thrown when an occurrence, as it stands, is not sent again; the code says why. */
export class NotRedeliverableError extends Error {
  override readonly name = 'NotRedeliverableError';
  readonly code:
    | 'occurrence-live'
    | 'occurrence-delivered'
    | 'occurrence-unplanned'
    | 'redelivery-running'
    | 'user-deleted';

  constructor(code: NotRedeliverableError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
