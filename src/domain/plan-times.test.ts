import { describe, expect, it } from 'vitest';

import { armAt, recheckAt } from './plan-times.ts';

const HOUR_MS = 3_600_000;
const FIRE_AT = Date.parse('2026-05-20T13:00:00Z');
const userIds = Array.from({ length: 2000 }, (_, index) => `user-${index}`);

describe('the second look at a plan', () => {
  it('is between 60 and 36 h before the instant, all over that day', () => {
    const hoursBefore = userIds.map((userId) => (FIRE_AT - recheckAt(FIRE_AT, userId)) / HOUR_MS);
    expect(Math.min(...hoursBefore)).toBeGreaterThanOrEqual(36);
    expect(Math.max(...hoursBefore)).toBeLessThanOrEqual(60);
    expect(new Set(hoursBefore.map(Math.floor)).size).toBe(24);
  });
});

describe('arming', () => {
  it('is the lead before the instant, and earlier all over the window', () => {
    const secondsBefore = userIds.map(
      (userId) => (FIRE_AT - armAt(FIRE_AT, userId, 15_000, 45_000)) / 1000,
    );
    expect(Math.min(...secondsBefore)).toBeGreaterThanOrEqual(15);
    expect(Math.max(...secondsBefore)).toBeLessThanOrEqual(60);
    expect(new Set(secondsBefore.map(Math.floor)).size).toBe(45);
  });

  it('is at the instant where there is no lead and no window', () => {
    expect(armAt(FIRE_AT, 'user', 0, 0)).toBe(FIRE_AT);
  });

  it('is a whole number of ms, always the same for a user', () => {
    for (const userId of userIds) {
      const at = armAt(FIRE_AT, userId, 15_000, 45_001);
      expect(Number.isInteger(at) && Number.isInteger(recheckAt(FIRE_AT, userId))).toBe(true);
      expect(armAt(FIRE_AT, userId, 15_000, 45_001)).toBe(at);
    }
  });
});
