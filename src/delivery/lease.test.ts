import { expect, test, vi } from 'vitest';

import { deadlineIn } from './lease.ts';

test('is over when the time has passed, by either clock', () => {
  let monotonic = 5_000;
  let wall = 1_000_000;
  vi.spyOn(performance, 'now').mockImplementation(() => monotonic);
  const isOver = deadlineIn(100, () => wall);
  expect(isOver()).toBe(false);

  // Suspended: one clock stood still.
  wall += 101;
  expect(isOver()).toBe(true);

  // Set back: the other went on.
  wall -= 60_000;
  expect(isOver()).toBe(false);
  monotonic += 101;
  expect(isOver()).toBe(true);
});
