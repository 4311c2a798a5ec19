import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';

/** Whether something outside answers: logged when it changes, not each time it is tried. */
export interface Health {
  ok(): void;
  failed(error: unknown): void;
  /**
   * For how long it has answered without a break, in ms. A failure is a break, and so is a silence
   * in which nothing was asked: it may have been away then.
   */
  steadyMs(): number;
}

/** Longer than a process that has work to do is silent. */
const SILENCE_MS = 5_000;

/** @param what the name of what is outside, as the log has it, such as `database` */
export function createHealth(what: string, logger: Logger): Health {
  let awaySince: number | null = null;
  let answeredAt = -Infinity;
  let steadySince = Infinity;

  return {
    ok() {
      const now = performance.now();
      if (now - answeredAt > SILENCE_MS) steadySince = now;
      answeredAt = now;
      if (awaySince === null) return;
      const awayMs = Math.round(now - awaySince);
      awaySince = null;
      logger.info({ awayMs }, `the ${what} answers again`);
    },
    failed(error) {
      answeredAt = -Infinity;
      if (awaySince !== null) return;
      awaySince = performance.now();
      logger.error({ error: describeError(error) }, `the ${what} does not answer: trying again`);
    },
    steadyMs() {
      const now = performance.now();
      return now - answeredAt > SILENCE_MS ? 0 : now - steadySince;
    },
  };
}
