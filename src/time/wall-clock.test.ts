import { describe, expect, it } from 'vitest';

import { resolveWallClock } from './wall-clock.ts';

const HOUR_MS = 3_600_000;

/** Clocks that change once, at an instant, from one offset to another (in hours). */
function clocks(change: string, before: number, after: number) {
  return (instantMs: number) => (instantMs < Date.parse(change) ? before : after) * HOUR_MS;
}

function resolve(wall: string, offsetAt: (instantMs: number) => number) {
  const { instantMs, wallMs, kind, jumpMs } = resolveWallClock(Date.parse(`${wall}Z`), offsetAt);
  return {
    instant: new Date(instantMs).toISOString().slice(0, 16),
    wall: new Date(wallMs).toISOString().slice(0, 16),
    kind,
    jumpHours: jumpMs / HOUR_MS,
  };
}

describe('a local time', () => {
  const spring = clocks('2026-03-08T07:00Z', -5, -4);
  const autumn = clocks('2026-11-01T06:00Z', -4, -5);

  it.each([
    ['2026-03-08T01:59', '2026-03-08T06:59', '2026-03-08T01:59', 'unique'],
    ['2026-03-08T02:00', '2026-03-08T07:00', '2026-03-08T03:00', 'missing_time'],
    ['2026-03-08T02:59', '2026-03-08T07:59', '2026-03-08T03:59', 'missing_time'],
    ['2026-03-08T03:00', '2026-03-08T07:00', '2026-03-08T03:00', 'unique'],
  ])('%s where clocks go forward is %s', (wall, instant, shown, kind) => {
    expect(resolve(wall, spring)).toMatchObject({ instant, wall: shown, kind });
  });

  it.each([
    ['2026-11-01T00:59', '2026-11-01T04:59', 'unique'],
    ['2026-11-01T01:00', '2026-11-01T05:00', 'repeated'],
    ['2026-11-01T01:59', '2026-11-01T05:59', 'repeated'],
    ['2026-11-01T02:00', '2026-11-01T07:00', 'unique'],
  ])('%s where clocks go back is %s, the first of two', (wall, instant, kind) => {
    expect(resolve(wall, autumn)).toMatchObject({ instant, wall, kind });
  });

  it('on a day that was repeated as a whole is the first of the two', () => {
    const alaska = clocks('1867-10-18T09:00Z', 15, -9);
    expect(resolve('1867-10-18T09:00', alaska)).toMatchObject({
      instant: '1867-10-17T18:00',
      kind: 'repeated',
      jumpHours: 24,
    });
  });
});

describe('a local day that does not exist', () => {
  it('moves to the same time of the next', () => {
    const apia = clocks('2011-12-30T10:00Z', -10, 14);
    expect(resolve('2011-12-30T09:00', apia)).toEqual({
      instant: '2011-12-30T19:00',
      wall: '2011-12-31T09:00',
      kind: 'missing_day',
      jumpHours: 24,
    });
  });

  it('moves to the same time even if clocks jumped by more than the day', () => {
    const withSummerTime = clocks('2011-12-30T10:00Z', -10, 15);
    expect(resolve('2011-12-30T09:00', withSummerTime).wall).toBe('2011-12-31T09:00');
    // The first hour of the next day is missing too: there it moves by the jump of its own day.
    expect(resolve('2011-12-31T00:30', withSummerTime).kind).toBe('missing_time');
  });

  it('does not count as such if a part of it is left', () => {
    const atNoon = clocks('2011-12-30T22:00Z', -10, 14);
    expect(resolve('2011-12-30T13:00', atNoon)).toMatchObject({
      wall: '2011-12-31T13:00',
      kind: 'missing_time',
    });
  });
});
