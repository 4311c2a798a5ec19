import pLimit from 'p-limit';

/** Each holds a database connection while it runs, and other requests need theirs. */
const CONCURRENCY = 2;
/**
 * Enough for some operators and a dashboard. A run can take half a minute, and at most this many
 * wait.
 */
const MAX_WAITING = 10;

/** Thrown when too many are waiting already. */
export class TooBusyError extends Error {
  override readonly name = 'TooBusyError';
  readonly code = 'too-busy';
}

/**
 * Limits how many expensive reads run at once, so that one caller cannot keep the database busy.
 *
 * @throws TooBusyError
 */
export function createConcurrencyLimit(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  const limit = pLimit(CONCURRENCY);
  return async (work) => {
    if (limit.activeCount + limit.pendingCount >= CONCURRENCY + MAX_WAITING) {
      throw new TooBusyError(
        `${CONCURRENCY} such requests are running and ${MAX_WAITING} are waiting. Send this one again later.`,
      );
    }
    return limit(work);
  };
}

/**
 * Limits how many streams are open at once: each holds a connection for minutes. Returns a function
 * that ends one; safe to call again.
 *
 * @throws TooBusyError
 */
export function createOpenLimit(): () => () => void {
  let open = 0;
  return () => {
    if (open >= CONCURRENCY) {
      throw new TooBusyError(
        `${CONCURRENCY} such requests are running. Send this one again later.`,
      );
    }
    open += 1;
    let isOpen = true;
    return () => {
      if (isOpen) open -= 1;
      isOpen = false;
    };
  };
}
