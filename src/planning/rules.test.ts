import { expect, test } from 'vitest';

import { mergeVersions, type Period, type RecordedRules, type RulesHistory } from './rules.ts';

const berlin: Period = {
  from: 100,
  date: '1990-05-20',
  recurrence: 'birthday',
  rrule: null,
  offsetDays: 0,
  timezone: 'Europe/Berlin',
  localTime: null,
  suspended: false,
};
const tokyo = { ...berlin, from: 300, timezone: 'Asia/Tokyo' };
const rules = (from: number, changes: Partial<RecordedRules> = {}): RecordedRules => ({
  from,
  localTime: '09:00',
  leapDayPolicy: 'feb28',
  tzVersion: '2026c',
  ...changes,
});
const merged = (periods: Period[], ...history: RecordedRules[]) => {
  const [first = rules(-Infinity), ...others] = history;
  const all: RulesHistory = [first, ...others];
  return mergeVersions(periods, all).map(({ from, timezone, localTime }) => [
    from,
    timezone,
    localTime,
  ]);
};

test('there is a version for each change of either', () => {
  const earlier = rules(200, { localTime: '07:00' });
  expect(merged([berlin, tokyo], rules(-Infinity), earlier, rules(400))).toEqual([
    [100, 'Europe/Berlin', '09:00'],
    [200, 'Europe/Berlin', '07:00'],
    [300, 'Asia/Tokyo', '07:00'],
    [400, 'Asia/Tokyo', '09:00'],
  ]);
});

test('rules from before the occasion are in force from its beginning', () => {
  const changed = rules(50, { localTime: '07:00' });
  expect(merged([berlin], rules(-Infinity), changed)).toEqual([[100, 'Europe/Berlin', '07:00']]);
});

test('another tz database alone makes no version', () => {
  const newer = rules(200, { tzVersion: '2026d' });
  expect(merged([berlin], rules(-Infinity), newer)).toEqual([[100, 'Europe/Berlin', '09:00']]);
});

test('without a period there are no versions', () => {
  expect(merged([])).toEqual([]);
});
