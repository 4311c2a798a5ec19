import { expect, test } from 'vitest';

import { createNodeTzDatabase } from '../time/node-tz-database.ts';
import { dueAtUnder } from './recipient.ts';

const tz = createNodeTzDatabase();
const rules = { localTime: '09:00', leapDayPolicy: 'feb28' } as const;
const berlin = {
  recurrence: 'birthday',
  rrule: null,
  date: '1990-05-20',
  offsetDays: 0,
  timezone: 'Europe/Berlin',
  localTime: null as string | null,
};
const NINE = Date.UTC(2026, 4, 20, 7);

const dueAt = (inputs: Partial<typeof berlin>, nominalDate = '2026-05-20') =>
  dueAtUnder({ ...berlin, ...inputs }, nominalDate, rules, tz);

test('another year of birth, or another name of the zone, does not change the instant', () => {
  expect(dueAt({})).toBe(NINE);
  expect(dueAt({ date: '1991-05-20' })).toBe(NINE);
  expect(dueAt({ timezone: 'Arctic/Longyearbyen' })).toBe(NINE);
});

test('another zone gives another instant', () => {
  expect(dueAt({ timezone: 'Asia/Tokyo' })).toBe(Date.UTC(2026, 4, 20));
});

test('a date that no longer names the day gives none, and neither does an unknown zone', () => {
  expect(dueAt({ date: '1990-05-21' })).toBeNull();
  expect(dueAt({ date: '2026-05-20' })).toBeNull();
  expect(dueAt({ timezone: 'Mars/Phobos' })).toBeNull();
});

test('a nonexistent day is kept according to the rules', () => {
  const leapling = { date: '1992-02-29' };
  expect(dueAt(leapling, '2027-02-29')).toBe(Date.UTC(2027, 1, 28, 8));
});

test('another offset, or a local time of its own, gives another instant', () => {
  expect(dueAt({ offsetDays: 7 })).toBe(Date.UTC(2026, 4, 13, 7));
  expect(dueAt({ localTime: '08:30' })).toBe(Date.UTC(2026, 4, 20, 6, 30));
});
