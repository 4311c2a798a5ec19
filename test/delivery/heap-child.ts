/**
 * A dispatcher in a process of its own, run with --expose-gc: it is sent its options, and
 * from then on tells its memory when it is asked. What a test and its receiver hold is not
 * in it.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { startDispatcher, type TestDispatcher } from '../support/test-dispatcher.ts';

export interface Memory {
  /** Of objects and of buffers, after garbage collection. */
  readonly bytes: number;
  /** Connections in use, to the receiver and to the database. */
  readonly sockets: number;
}

let dispatcher: TestDispatcher | null = null;

process.on('message', async (options: Parameters<typeof startDispatcher>[0]) => {
  dispatcher ??= await startDispatcher(options);
  // The test's record of the log does not belong to a dispatcher.
  dispatcher.logged.length = 0;
  process.send?.(await memory());
});
process.on('disconnect', async () => {
  await dispatcher?.stop();
});
process.send?.('ready');

async function memory(): Promise<Memory> {
  // Closed connections release their buffers in a later turn.
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.();
    await sleep(50);
  }
  const { heapUsed, external } = process.memoryUsage();
  const sockets = process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS)/.test(name));
  return { bytes: heapUsed + external, sockets: sockets.length };
}
