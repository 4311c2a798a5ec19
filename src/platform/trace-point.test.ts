import { expect, test } from 'vitest';

import { continuesTrace } from './trace-point.ts';

test('a trace continues for a day', () => {
  const DAY = 86_400_000;
  expect(continuesTrace({ traceparent: '', at: 0 }, DAY - 1)).toBe(true);
  expect(continuesTrace({ traceparent: '', at: 0 }, DAY)).toBe(false);
});
