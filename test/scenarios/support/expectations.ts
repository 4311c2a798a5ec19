/** What scenarios have in common. */
import { expect } from 'vitest';

/** For what happens at once, for which a busy machine may need a moment. */
export const WAIT = { timeout: 60_000, interval: 20 };

/** At once: within seconds of its cause. */
export function expectLateness(latenessMs: number | undefined, atLeastMs: number): void {
  expect(latenessMs).toBeGreaterThanOrEqual(atLeastMs);
  expect(latenessMs).toBeLessThan(atLeastMs + 30_000);
}

/** This many days later, or earlier; as ISO 8601, UTC. */
export function daysFrom(instant: string, days: number): string {
  return new Date(Date.parse(instant) + days * 86_400_000).toISOString();
}
