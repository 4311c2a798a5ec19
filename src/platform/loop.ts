/** Something that is done again and again until it is stopped. */
export interface Loop {
  start(): void;
  /** Ends the pause under way, or else the next one before it begins. */
  wake(): void;
  readonly isStopping: boolean;
  /** Resolves when the round under way has ended. */
  stop(): Promise<void>;
}

/**
 * @param round gives how long to pause before the next, in ms
 * @param onError the same, after a round that failed
 */
export function createLoop(
  round: () => Promise<number>,
  onError: (error: unknown) => number,
): Loop {
  const state = { isStopping: false, isAwake: false };
  let running: Promise<void> | null = null;
  let endPause: (() => void) | null = null;

  const run = async (): Promise<void> => {
    while (!state.isStopping) {
      const pauseMs = await round().catch(onError);
      if (pauseMs > 0) await pause(pauseMs);
    }
  };

  const pause = async (ms: number): Promise<void> => {
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
  };

  const wake = (): void => {
    state.isAwake = true;
    endPause?.();
  };

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
