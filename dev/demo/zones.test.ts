import { describe, expect, test } from 'vitest';

import { findDueMinute } from './zones.ts';

const MINUTE = 60_000;
const NOON = Date.parse('2026-06-23T12:00:00Z');

describe('the minute of the demo', () => {
  test('is one at which clocks read the delivery time in the zones given', () => {
    expect(findDueMinute('14:01', NOON + 1, NOON + 5 * MINUTE)).toEqual({
      at: NOON + MINUTE,
      zones: expect.arrayContaining(['Europe/Paris', 'Africa/Johannesburg']),
    });
  });

  test('goes by the rules of that day', () => {
    const winter = Date.parse('2026-12-23T12:00:00Z');
    expect(findDueMinute('14:01', winter, winter + 5 * MINUTE)?.zones).not.toContain(
      'Europe/Paris',
    );
  });

  test('knows offsets of half and quarter hours', () => {
    expect(findDueMinute('17:31', NOON, NOON + 2 * MINUTE)?.zones).toContain('Asia/Colombo');
    expect(findDueMinute('17:46', NOON, NOON + 2 * MINUTE)?.zones).toEqual([
      expect.stringMatching(/^Asia\/Kath?mandu$/),
    ]);
  });

  test('is none when no clock on earth reads the time soon', () => {
    expect(findDueMinute('14:20', NOON, NOON + 5 * MINUTE)).toBeNull();
  });

  test('comes for every hour of the day', () => {
    const times = Array.from({ length: 24 }, (_, hour) => `${String(hour).padStart(2, '0')}:05`);
    expect(times.filter((time) => findDueMinute(time, NOON, NOON + 5 * MINUTE) === null)).toEqual(
      [],
    );
  });
});

test('clocks in five zones or more read the time in UTC', () => {
  expect(findDueMinute('12:00', NOON, NOON)?.zones.length).toBeGreaterThanOrEqual(5);
});
