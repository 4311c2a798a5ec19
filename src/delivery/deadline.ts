/** Whether the time is over. */
export type Deadline = () => boolean;

/**
 * A time that is over as soon as either clock says so: the monotonic one stands still while a
 * machine is suspended, and the other can be set back.
 *
 * @param clock epoch ms
 */
export function deadlineIn(ms: number, clock: () => number): Deadline {
  const monotonic = performance.now() + ms;
  const wall = clock() + ms;
  return () => performance.now() > monotonic || clock() > wall;
}
