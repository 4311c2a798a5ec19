import { setTimeout as sleep } from 'node:timers/promises';

/** Something that is done again and again until it is stopped. */
export interface Loop {
  start(): void;
  /** Ends the pause under way, or the next one before it begins. */
  wake(): void;
  readonly isStopping: boolean;
  /** Resolves when the round under way has ended. */
  stop(): Promise<void>;
}

/**
 * @param round returns the pause before the next one, in ms; `failures` counts the rounds in a row
 *   that have failed before it
 * @param onError returns the pause after a round that failed, which `failures` includes
 */
export function createLoop(
  round: (failures: number) => Promise<number>,
  onError: (error: unknown, failures: number) => number,
): Loop {
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

  const wake = (): void => awake.abort();
  return {
    start() {
      running ??= run();
    },
    wake,
    get isStopping() {
      return stopping.signal.aborted;
    },
    async stop() {
      stopping.abort();
      wake();
      await running;
    },
  };
}
