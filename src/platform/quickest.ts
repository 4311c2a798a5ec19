/** How long the quickest is remembered, at least: machines and loads change. */
const REMEMBER_MS = 5 * 60_000;

/**
 * Remembers the quickest of the last five to ten minutes: how long something takes at best.
 *
 * @param now in ms, monotonic
 */
export function createQuickest(now: () => number) {
  let quickest = { current: Infinity, before: Infinity, since: -Infinity };
  return {
    note(ms: number): void {
      if (now() - quickest.since >= REMEMBER_MS) {
        quickest = { current: ms, before: quickest.current, since: now() };
      }
      quickest.current = Math.min(quickest.current, ms);
    },
    /** In ms; Infinity before the first is recorded. */
    best: (): number => Math.min(quickest.current, quickest.before),
  };
}
