/** A lease lasts so much longer than a request can: the rows of a process that died wait for it. */
export const LEASE_MARGIN_MS = 10_000;
/** Within this a claimed row is sent or returned; the rest of the margin is for writing the outcome. */
export const START_WITHIN_MS = 8_000;

/** Whether the time is over. */
export type Deadline = () => boolean;

/**
 * A time that is over as soon as either clock says so: the monotonic one stands still while a
 * machine is suspended, and the other (epoch ms) can be set back.
 */
export function deadlineIn(ms: number, clock: () => number): Deadline {
  const monotonic = performance.now() + ms;
  const wall = clock() + ms;
  return () => performance.now() > monotonic || clock() > wall;
}
