/** What a bench prints while it runs: one line a step, with the time since its start. */
export interface Progress {
  say(line: string): void;
  /** Prints a line that changes often, at most every few seconds. */
  tick(line: string): void;
}

const TICK_EVERY_MS = 3_000;

export function createProgress(write: (text: string) => void): Progress {
  const startedAt = performance.now();
  let toldAt = -Infinity;
  const say = (line: string): void => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    write(`${seconds.padStart(7)} s  ${line}\n`);
  };
  return {
    say,
    tick(line) {
      if (performance.now() - toldAt < TICK_EVERY_MS) return;
      toldAt = performance.now();
      say(line);
    },
  };
}
