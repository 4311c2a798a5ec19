import { setTimeout as sleep } from 'node:timers/promises';

export type Loop = ReturnType<typeof createLoop>;

/**
 * Runs a round again and again until it is stopped.
 *
 * @param round returns the pause before the next one, in ms; `failures` counts the rounds in a row
 *   that have failed before it
 * @param onError returns the pause after a failed round, which `failures` includes
 */
export function createLoop(
  round: (failures: number) => Promise<number>,
  onError: (error: unknown, failures: number) => number,
) {
  const stopping = new AbortController();
  let running: Promise<void> | null = null;
  let awake = new AbortController();

  async function run(): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      let pauseMs: number;
      try {
        pauseMs = await round(failures);
        failures = 0;
      } catch (error) {
        failures += 1;
        pauseMs = onError(error, failures);
      }
      if (pauseMs <= 0) continue;
      await sleep(pauseMs, undefined, { signal: awake.signal }).catch(() => {});
      awake = new AbortController();
    }
  }

  return {
    start() {
      running ??= run();
    },
    /** Ends the current pause, or the next one before it begins. */
    wake: () => awake.abort(),
    get isStopping() {
      return stopping.signal.aborted;
    },
    /** Resolves when the current round has ended. */
    async stop() {
      stopping.abort();
      awake.abort();
      await running;
    },
  };
}
