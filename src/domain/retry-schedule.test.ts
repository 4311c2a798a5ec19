import { describe, expect, it } from 'vitest';

import { burstDelayMs, givesUpAt, temporalDelayMs, withJitter } from './retry-schedule.ts';

describe('the burst', () => {
  it('waits 1, 2 and 4 s, and is over', () => {
    expect([1, 2, 3, 4, 5].map(burstDelayMs)).toEqual([1000, 2000, 4000, null, null]);
  });
});

describe('the delays of Temporal', () => {
  it('double from 10 s up to an hour', () => {
    const seconds = [1, 2, 3, 8, 9, 10, 11, 2000].map(
      (bursts) => temporalDelayMs(bursts, 0) / 1000,
    );
    expect(seconds).toEqual([10, 20, 40, 1280, 2560, 3600, 3600, 3600]);
  });

  it('have jitter upward only, also at the longest', () => {
    for (const bursts of [1, 5, 100]) {
      const least = temporalDelayMs(bursts, 0);
      expect(temporalDelayMs(bursts, 0.5)).toBe(least * 1.25);
      expect(temporalDelayMs(bursts, 0.999_999)).toBeLessThan(least * 1.5);
    }
  });
});

describe('jitter', () => {
  it('makes a delay longer by up to half, never shorter', () => {
    expect([0, 0.5, 0.999_999].map((random) => withJitter(30_000, random))).toEqual([
      30_000, 37_500, 44_999,
    ]);
    expect(withJitter(0, 0.999_999)).toBe(0);
  });
});

describe('giving up', () => {
  it('counts from the first attempt', () => {
    expect(givesUpAt(1_000_000, 72 * 3_600_000)).toBe(260_200_000);
  });
});
