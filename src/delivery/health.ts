import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';

export type Health = ReturnType<typeof createHealth>;

/** A process that has work to do queries more often than this. */
const SILENCE_MS = 5_000;

/** Tracks whether the database answers. Logs only when that changes. */
export function createHealth(logger: Logger) {
  let awaySince: number | null = null;
  let answeredAt = -Infinity;
  let steadySince = Infinity;

  return {
    ok(): void {
      const now = performance.now();
      if (now - answeredAt > SILENCE_MS) steadySince = now;
      answeredAt = now;
      if (awaySince === null) return;
      const awayMs = Math.round(now - awaySince);
      awaySince = null;
      logger.info({ awayMs }, 'the database answers again');
    },
    failed(error: unknown): void {
      answeredAt = -Infinity;
      if (awaySince !== null) return;
      awaySince = performance.now();
      logger.error({ error: describeError(error) }, 'the database does not answer: trying again');
    },
    /**
     * For how long it has answered without a break, in ms. A failure is a break, and so is a time
     * without queries: it may have been down then.
     */
    steadyMs(): number {
      const now = performance.now();
      return now - answeredAt > SILENCE_MS ? 0 : now - steadySince;
    },
  };
}
