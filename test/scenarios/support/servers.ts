/** The two Temporal servers that a world can be on, and how time passes there. */
import type { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';

import { startTimeSkippingServer, useDevServer } from '../../support/temporal.ts';

export interface Server {
  readonly client: Client;
  readonly connection: NativeConnection;
  /** Epoch ms. */
  now(): Promise<number>;
  passUntil(instant: number): Promise<void>;
  close(): Promise<void>;
}

/** Skips time while nothing is to be done, but none while a delivery is armed. */
export async function startSkippingServer(): Promise<Server> {
  const { client, connection, now, pass, close } = await startTimeSkippingServer();
  return {
    client,
    connection,
    now,
    async passUntil(instant) {
      const ms = instant - (await now());
      if (ms > 0) await pass(ms);
    },
    close,
  };
}

/**
 * The run's real server. Only Daybell's own clocks are set forward, and timers go by the
 * present: what is to happen has to be armed already.
 */
export async function useRealServer(): Promise<Server> {
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
