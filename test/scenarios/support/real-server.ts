import { useDevServer } from '../../support/temporal.ts';
import type { TimedServer } from '../../support/time-skipping-server.ts';

/**
 * The run's real server. Only Daybell's own clocks are set forward, and timers go by the
 * present: what is to happen has to be armed already.
 */
export async function useRealServer(): Promise<TimedServer> {
  const { client, connection, close } = await useDevServer();
  let aheadMs = 0;
  return {
    client,
    connection,
    now: async () => Date.now() + aheadMs,
    async passUntil(instant) {
      aheadMs = Math.max(aheadMs, instant - Date.now());
    },
    close,
  };
}
