import { pino } from 'pino';
import { expect, test, vi } from 'vitest';

import { createHealth } from './health.ts';

test('it is steady from the first answer on, until a call fails or there are none for a while', () => {
  let now = 100_000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const health = createHealth(pino({ level: 'silent' }));
  const after = (ms: number): number => {
    now += ms;
    return health.steadyMs();
  };

  expect(after(60_000)).toBe(0);
  health.ok();
  expect(after(4_000)).toBe(4_000);
  health.ok();
  expect(after(4_000)).toBe(8_000);

  health.failed(new Error('away'));
  expect(after(10)).toBe(0);
  health.ok();
  expect(after(1_000)).toBe(1_000);

  expect(after(6_000)).toBe(0);
  health.ok();
  expect(after(500)).toBe(500);
});
