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
  const state = { isStopping: false, isAwake: false };
  let running: Promise<void> | null = null;
  let endPause: (() => void) | null = null;

  async function run(): Promise<void> {
    let failures = 0;
    while (!state.isStopping) {
      let pauseMs: number;
      try {
        pauseMs = await round(failures);
        failures = 0;
      } catch (error) {
        failures += 1;
        pauseMs = onError(error, failures);
      }
      if (pauseMs > 0) await pause(pauseMs);
    }
  }

  async function pause(ms: number): Promise<void> {
    if (!state.isAwake) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        endPause = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      endPause = null;
    }
    state.isAwake = false;
  }

  function wake(): void {
    state.isAwake = true;
    endPause?.();
  }

  return {
    start() {
      running ??= run();
    },
    wake,
    get isStopping() {
      return state.isStopping;
    },
    async stop() {
      state.isStopping = true;
      wake();
      await running;
    },
  };
}
