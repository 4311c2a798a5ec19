import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';

/** Whether something outside answers: logged when it changes, not each time it is tried. */
export interface Health {
  ok(): void;
  failed(error: unknown): void;
}

/** @param what the name of what is outside, as the log has it, such as `database` */
export function createHealth(what: string, logger: Logger): Health {
  let since: number | null = null;
  return {
    ok() {
      if (since === null) return;
      const awayMs = Math.round(performance.now() - since);
      since = null;
      logger.info({ awayMs }, `the ${what} answers again`);
    },
    failed(error) {
      if (since !== null) return;
      since = performance.now();
      logger.error({ error: describeError(error) }, `the ${what} does not answer: trying again`);
    },
  };
}
