import { describe, expect, test } from 'vitest';

import type { Backpressure } from './backpressure.ts';
import { type SlowDown, slowDownAfter } from './throttle.ts';

const NOW = Date.UTC(2026, 4, 20, 9);
const STOP: Backpressure = { asks: 'stop', retryAfterMs: null };
const MORE: Backpressure = { asks: 'more' };
const NOTHING: Backpressure = { asks: 'nothing' };

const less = (perSecond: number): Backpressure => ({ asks: 'less', perSecond });
const stopFor = (retryAfterMs: number): Backpressure => ({ asks: 'stop', retryAfterMs });

/** A slow-down that is no longer stopped, last changed when its stop ended. */
function slowedTo(perSecond: number): SlowDown {
  const until = NOW - 1000;
  return {
    since: NOW - 5000,
    until,
    perSecond,
    stops: 1,
    changedAt: until,
    endsAt: until + 60_000,
  };
}

describe('asked to stop', () => {
  test('it is stopped for a second, then probed one at a time', () => {
    expect(slowDownAfter(null, STOP, NOW, null)).toEqual({
      since: NOW,
      until: NOW + 1000,
      perSecond: 1,
      stops: 1,
      changedAt: NOW,
      endsAt: NOW + 61_000,
    });
  });

  test('each time a probe is refused, it is stopped for longer, up to 15 s', () => {
    const stopsMs: number[] = [];
    let slowDown: SlowDown | null = null;
    let now = NOW;
    for (let probe = 0; probe < 6; probe += 1) {
      slowDown = slowDownAfter(slowDown, STOP, now, null);
      const until = slowDown?.until ?? 0;
      stopsMs.push(until - now);
      now = until + 5;
    }
    expect(stopsMs).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000]);
    expect(slowDown).toMatchObject({ since: NOW, stops: 6, perSecond: 1 });
  });

  test('it is stopped for as long as the receiver asks, if that is longer', () => {
    expect(slowDownAfter(null, stopFor(30_000), NOW, null)?.until).toBe(NOW + 30_000);
    expect(slowDownAfter(null, stopFor(10), NOW, null)?.until).toBe(NOW + 1000);
    const inAnHour = slowDownAfter(null, stopFor(3_600_000), NOW, null);
    expect(inAnHour?.endsAt).toBe(NOW + 3_660_000);
  });

  test('while it is stopped, refusals of earlier requests do not count', () => {
    const stopped = slowDownAfter(null, STOP, NOW, null);
    expect(slowDownAfter(stopped, STOP, NOW + 500, null)).toBe(stopped);
    expect(slowDownAfter(stopped, less(500), NOW + 500, null)).toBe(stopped);
    expect(slowDownAfter(stopped, MORE, NOW + 500, null)).toBe(stopped);
  });

  test('while it is stopped, a later time named by the receiver does count', () => {
    const stopped = slowDownAfter(null, STOP, NOW, null);
    expect(slowDownAfter(stopped, stopFor(60_000), NOW + 500, null)).toMatchObject({
      until: NOW + 60_500,
      stops: 1,
      endsAt: NOW + 120_500,
    });
  });
});

describe('asked to send less', () => {
  test('it gets half of its rate, after a moment in which all dispatchers notice', () => {
    const slowDown = slowDownAfter(null, less(800), NOW, null);
    expect(slowDown).toMatchObject({ perSecond: 400, until: NOW + 300, stops: 0 });
  });

  test('it gets half of the slowed rate, of which one dispatcher sends a part', () => {
    expect(slowDownAfter(slowedTo(100), less(800), NOW, null)?.perSecond).toBe(50);
    expect(slowDownAfter(slowedTo(100), less(40), NOW, null)?.perSecond).toBe(50);
  });

  test('it gets less than the slowed rate if it does not come near that', () => {
    expect(slowDownAfter(slowedTo(5000), less(100), NOW, null)?.perSecond).toBe(200);
  });

  test('it never gets more than half of its usual rate', () => {
    expect(slowDownAfter(null, less(800), NOW, 100)?.perSecond).toBe(50);
  });

  test('it gets at least one a second', () => {
    expect(slowDownAfter(slowedTo(1), less(1), NOW, null)?.perSecond).toBe(1);
  });
});

describe('serving again', () => {
  test('it gets twice as much each second', () => {
    const slowDown = slowDownAfter(slowedTo(8), MORE, NOW, null);
    expect(slowDown).toMatchObject({ perSecond: 16, stops: 0, changedAt: NOW });
  });

  test('a single step is at most that, however long ago the last one was', () => {
    const slowDown = slowDownAfter(slowedTo(8), MORE, NOW + 30_000, null);
    expect(slowDown?.perSecond).toBe(16);
  });

  test('a series of steps is no larger than one: ten in a second are one doubling', () => {
    let slowDown: SlowDown | null = slowedTo(8);
    for (let ms = 100; ms <= 1000; ms += 100) {
      slowDown = slowDownAfter(slowDown, MORE, NOW - 1000 + ms, null);
    }
    expect(slowDown?.perSecond).toBeCloseTo(16);
  });

  test('it is back to normal within a quarter of a minute, without a limit', () => {
    let slowDown = slowDownAfter(null, STOP, NOW, null);
    let now = slowDown?.until ?? 0;
    for (let second = 0; second < 14 && slowDown !== null; second += 1) {
      now += 1000;
      slowDown = slowDownAfter(slowDown, MORE, now, null);
    }
    expect(slowDown).toBeNull();
  });

  test('it is back to normal as soon as it reaches its usual rate', () => {
    expect(slowDownAfter(slowedTo(8), MORE, NOW, 20)?.perSecond).toBe(16);
    expect(slowDownAfter(slowedTo(8), MORE, NOW, 16)).toBeNull();
  });

  test('it has nothing to recover from if it was not slowed', () => {
    expect(slowDownAfter(null, MORE, NOW, null)).toBeNull();
  });
});

describe('saying nothing', () => {
  test('it does not speed up, and stays slowed for another minute', () => {
    const slowDown = slowDownAfter(slowedTo(4), NOTHING, NOW + 30_000, null);
    expect(slowDown).toEqual({ ...slowedTo(4), endsAt: NOW + 90_000 });
  });

  test('it is not slowed by that', () => {
    expect(slowDownAfter(null, NOTHING, NOW, null)).toBeNull();
  });

  test('it is not forgotten sooner than the receiver asked', () => {
    const stopped = slowDownAfter(null, stopFor(3_600_000), NOW, null);
    expect(slowDownAfter(stopped, NOTHING, NOW + 1, null)?.endsAt).toBe(NOW + 3_660_000);
  });
});
