import pLimit from 'p-limit';

/** Each has a connection for as long as it takes, and others need theirs. */
const AT_ONCE = 2;
/** Some people and a dashboard. One may take half a minute: who comes later would not wait so long. */
const MOST_WAITING = 10;

/** Thrown when too many wait for their turn already. */
export class TooBusyError extends Error {
  override readonly name = 'TooBusyError';
  readonly code = 'too-busy';

  constructor() {
    super(`${AT_ONCE} are being made and ${MOST_WAITING} wait. Send the request again later.`);
  }
}

/**
 * Takes turns at what reads everybody, so that one caller's requests cannot keep the database busy
 * for long after they have gone.
 *
 * @throws TooBusyError
 */
export function createTurns(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  const limit = pLimit(AT_ONCE);
  return async (work) => {
    if (limit.activeCount + limit.pendingCount >= AT_ONCE + MOST_WAITING) throw new TooBusyError();
    return limit(work);
  };
}
