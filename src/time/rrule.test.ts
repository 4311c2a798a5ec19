import { describe, expect, it } from 'vitest';

import { nominalDateAfter, nominalDateFrom, rruleFault } from './recurrence.ts';
import { parseRule } from './rrule.ts';

/** The first nominal dates from a day on. */
function dates(rrule: string, date: string, from = date, count = 4): string {
  const series = { date, recurrence: 'rrule', rrule } as const;
  const found: string[] = [];
  let next = nominalDateFrom(series, from);
  while (next !== null && found.length < count) {
    found.push(next);
    next = nominalDateAfter(series, next);
  }
  return found.join(' ');
}

describe('a recurrence rule', () => {
  it.each([
    [
      'counts from its date, which it need not name',
      'FREQ=MONTHLY;BYDAY=1MO;COUNT=2',
      '2026-11-01',
      '2026-11-02 2026-12-07',
    ],
    [
      'leaves out days that do not exist, and does not count them',
      'FREQ=MONTHLY;COUNT=4',
      '2026-01-31',
      '2026-01-31 2026-03-31 2026-05-31 2026-07-31',
    ],
    [
      'moves them where it says so',
      'FREQ=MONTHLY;SKIP=BACKWARD;COUNT=3',
      '2026-01-31',
      '2026-01-31 2026-02-31 2026-03-31',
    ],
    [
      'names the lowest of those that are moved to one day',
      'FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;SKIP=BACKWARD',
      '2027-02-01',
      '2027-02-28 2027-03-28 2027-03-29 2027-03-30',
    ],
    [
      'also where they are moved into the next month',
      'FREQ=MONTHLY;BYMONTHDAY=1,30;SKIP=FORWARD',
      '2027-01-30',
      '2027-01-30 2027-02-01 2027-02-30 2027-03-30',
    ],
    [
      'never moves a weekday that a month does not have',
      'FREQ=MONTHLY;BYDAY=5WE;SKIP=BACKWARD',
      '2027-01-01',
      '2027-03-31 2027-06-30 2027-09-29 2027-12-29',
    ],
    [
      'takes every six months from the 31st',
      'FREQ=MONTHLY;INTERVAL=6;SKIP=BACKWARD',
      '2026-03-31',
      '2026-03-31 2026-09-31 2027-03-31 2027-09-31',
    ],
    [
      'ends with the day on which a date is kept',
      'FREQ=MONTHLY;BYMONTHDAY=31;SKIP=FORWARD;UNTIL=20270430',
      '2027-03-31',
      '2027-03-31',
    ],
    ['may have ended before it began', 'FREQ=DAILY;UNTIL=20261231', '2027-01-01', ''],
    [
      'finds Sundays only',
      'FREQ=MONTHLY;BYMONTH=2;BYDAY=2SU,-2SU,-3SU',
      '2026-11-29',
      '2027-02-14 2027-02-21 2028-02-13 2028-02-20',
    ],
    [
      'counts a weekday from either end of the year',
      'FREQ=YEARLY;BYDAY=1MO,-1MO',
      '2026-06-01',
      '2026-12-28 2027-01-04 2027-12-27 2028-01-03',
    ],
    [
      'waits for a leap day',
      'FREQ=YEARLY',
      '2096-02-29',
      '2096-02-29 2104-02-29 2108-02-29 2112-02-29',
    ],
    [
      'is read without regard to case',
      'freq=weekly;byday=mo;wkst=su',
      '2026-11-30',
      '2026-11-30 2026-12-07 2026-12-14 2026-12-21',
    ],
  ])('%s: %s from %s', (_, rrule, date, expected) => {
    expect(rruleFault(rrule, date)).toBeNull();
    expect(dates(rrule, date)).toBe(expected);
  });

  it('ends with the year 9999', () => {
    expect(dates('FREQ=DAILY', '9999-12-30')).toBe('9999-12-30 9999-12-31');
    expect(dates('FREQ=WEEKLY;BYDAY=MO,FR,SU', '9999-12-27')).toBe('9999-12-27 9999-12-31');
    expect(dates('FREQ=MONTHLY;INTERVAL=999999', '2026-01-01')).toBe('2026-01-01');
    expect(dates('FREQ=YEARLY;INTERVAL=999999', '2026-01-01')).toBe('2026-01-01');
  });
});

describe('a recurrence rule that is refused', () => {
  it.each([
    ['', 'must be parts such as FREQ=MONTHLY;BYMONTHDAY=31, without RRULE: before'],
    ['RRULE:FREQ=DAILY', 'must be parts such as FREQ=MONTHLY;BYMONTHDAY=31, without RRULE: before'],
    ['FREQ=DAILY;', 'must be parts such as FREQ=MONTHLY;BYMONTHDAY=31, without RRULE: before'],
    ['FREQ=DAILY;COUNT', 'must be parts such as FREQ=MONTHLY;BYMONTHDAY=31, without RRULE: before'],
    ['INTERVAL=2', 'must have FREQ=DAILY, WEEKLY, MONTHLY or YEARLY: occurrences are days'],
    ['FREQ=HOURLY', 'must have FREQ=DAILY, WEEKLY, MONTHLY or YEARLY: occurrences are days'],
    ['FREQ=SECONDLY', 'must have FREQ=DAILY, WEEKLY, MONTHLY or YEARLY: occurrences are days'],
    ['FREQ=DAILY;BYHOUR=9', 'must not have BYHOUR: occurrences are days'],
    ['FREQ=DAILY;BYMINUTE=0', 'must not have BYMINUTE: occurrences are days'],
    ['FREQ=DAILY;BYSECOND=0', 'must not have BYSECOND: occurrences are days'],
    ['FREQ=YEARLY;BYWEEKNO=20', 'must not have BYWEEKNO, which is not supported'],
    ['FREQ=YEARLY;BYYEARDAY=100', 'must not have BYYEARDAY, which is not supported'],
    ['FREQ=YEARLY;BYEASTER=0', 'must not have BYEASTER, which is not supported'],
    [
      `FREQ=DAILY;X-${'A'.repeat(100)}=1`,
      `must not have X-${'A'.repeat(30)}, which is not supported`,
    ],
    ['FREQ=DAILY;FREQ=DAILY', 'must have FREQ only once'],
    ['FREQ=DAILY;INTERVAL=0', 'must have for INTERVAL a whole number from 1 to 999999'],
    ['FREQ=DAILY;INTERVAL=-1', 'must have for INTERVAL a whole number from 1 to 999999'],
    ['FREQ=DAILY;COUNT=1.5', 'must have for COUNT a whole number from 1 to 999999'],
    ['FREQ=DAILY;COUNT=3;UNTIL=20270101', 'must not have both COUNT and UNTIL'],
    [
      'FREQ=DAILY;UNTIL=20270101T000000Z',
      'must have for UNTIL a day YYYYMMDD, without a time: occurrences are days',
    ],
    [
      'FREQ=DAILY;UNTIL=20270230',
      'must have for UNTIL a day YYYYMMDD, without a time: occurrences are days',
    ],
    ['FREQ=YEARLY;BYMONTH=13', 'must have for BYMONTH numbers from 1 to 12'],
    ['FREQ=YEARLY;BYMONTH=5L', 'must have for BYMONTH numbers from 1 to 12'],
    ['FREQ=MONTHLY;BYMONTHDAY=0', 'must have for BYMONTHDAY numbers from 1 to 31 or -31 to -1'],
    ['FREQ=MONTHLY;BYMONTHDAY=1,,2', 'must have for BYMONTHDAY numbers from 1 to 31 or -31 to -1'],
    ['FREQ=WEEKLY;BYMONTHDAY=1', 'must not have BYMONTHDAY with FREQ=WEEKLY'],
    [
      'FREQ=WEEKLY;BYDAY=MON',
      'must have for BYDAY weekdays from MO to SU, such as MO, 2TU or -1FR',
    ],
    [
      'FREQ=MONTHLY;BYDAY=0MO',
      'must have for BYDAY weekdays from MO to SU, such as MO, 2TU or -1FR',
    ],
    [
      'FREQ=YEARLY;BYDAY=54MO',
      'must have for BYDAY weekdays from MO to SU, such as MO, 2TU or -1FR',
    ],
    ['FREQ=WEEKLY;BYDAY=1MO', 'must not have numbers in BYDAY with FREQ=WEEKLY'],
    ['FREQ=MONTHLY;BYSETPOS=1', 'must not have BYSETPOS without BYDAY, BYMONTHDAY or BYMONTH'],
    [
      'FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0',
      'must have for BYSETPOS numbers from 1 to 366 or -366 to -1',
    ],
    ['FREQ=WEEKLY;WKST=1', 'must have for WKST a weekday from MO to SU'],
    ['FREQ=YEARLY;RSCALE=HEBREW', 'must not have an RSCALE other than GREGORIAN'],
    ['FREQ=MONTHLY;SKIP=NEAREST', 'must have SKIP=OMIT, BACKWARD or FORWARD'],
    [
      'FREQ=MONTHLY;BYMONTHDAY=-31;SKIP=BACKWARD',
      'must not have BYMONTHDAY from -29 to -31 with SKIP=BACKWARD',
    ],
    [`FREQ=DAILY;BYDAY=${Array(500).fill('MO').join(',')}`, 'must have at most 500 characters'],
  ])('%s', (rrule, fault) => {
    expect(rruleFault(rrule, '2027-01-05')).toBe(fault);
    expect(() => parseRule(rrule)).toThrow(`The recurrence rule ${fault}.`);
    const series = { date: '2027-01-05', recurrence: 'rrule', rrule } as const;
    expect(() => nominalDateFrom(series, '2027-01-05')).toThrow(RangeError);
  });

  it.each([
    'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30',
    'FREQ=MONTHLY;INTERVAL=2;BYMONTH=2',
    'FREQ=DAILY;INTERVAL=7;BYDAY=MO',
    'FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3',
    'FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2',
    'FREQ=MONTHLY;BYDAY=6MO',
    'FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=8',
    'FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=300;UNTIL=20300101',
  ])('because it never matches a day: %s', (rrule) => {
    expect(rruleFault(rrule, '2027-01-05')).toBe(
      'must match some day: from the date on, it never does',
    );
  });

  it('is not one that matches only once in 28 years', () => {
    const rule = 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO';
    expect(rruleFault(rule, '2027-01-05')).toBeNull();
    expect(dates(rule, '2027-01-05', '2027-01-05', 2)).toBe('2044-02-29 2072-02-29');
  });
});

describe('COUNT', () => {
  const RULES = [
    'FREQ=DAILY',
    'FREQ=DAILY;INTERVAL=3',
    'FREQ=DAILY;BYDAY=MO,WE,FR,MO',
    'FREQ=DAILY;BYMONTH=2,3;BYDAY=MO',
    'FREQ=DAILY;BYMONTHDAY=-1,15',
    'FREQ=DAILY;BYMONTHDAY=31;SKIP=FORWARD',
    'FREQ=DAILY;BYMONTH=2',
    'FREQ=DAILY;BYDAY=MO,TU;BYSETPOS=1',
    'FREQ=DAILY;INTERVAL=2;BYDAY=SA',
    'FREQ=WEEKLY',
    'FREQ=WEEKLY;BYDAY=TU,SU,TU',
    'FREQ=WEEKLY;BYDAY=MO,SU;WKST=SU;INTERVAL=2',
    'FREQ=WEEKLY;BYMONTH=1;BYDAY=TH',
    'FREQ=WEEKLY;BYDAY=MO,TU,WE;BYSETPOS=-1',
    'FREQ=MONTHLY;BYMONTHDAY=31;SKIP=FORWARD',
    'FREQ=YEARLY;BYDAY=53TH',
  ];

  it.each(RULES)('ends %s after this many, wherever the search begins', (rrule) => {
    const start = '2026-12-03';
    const all: string[] = [];
    const without = { date: start, recurrence: 'rrule', rrule } as const;
    let next = nominalDateFrom(without, start);
    while (next !== null && all.length < 40) {
      all.push(next);
      next = nominalDateAfter(without, next);
    }
    for (const count of [1, 2, 7, 39]) {
      const counted = { ...without, rrule: `${rrule};COUNT=${count}` };
      const found = all.map((date) => nominalDateFrom(counted, date));
      expect(found).toEqual(all.map((date, index) => (index < count ? date : null)));
    }
  });

  it('counts from the first day on over centuries', () => {
    const from1600 = (rrule: string, from: string) =>
      nominalDateFrom({ date: '1600-01-01', recurrence: 'rrule', rrule }, from);
    const rule = 'FREQ=DAILY;COUNT=155920';
    expect(from1600(rule, '2026-11-22')).toBe('2026-11-22');
    expect(from1600(rule, '2026-11-23')).toBeNull();
    expect(from1600('FREQ=WEEKLY;BYDAY=SA,SU;COUNT=44550', '2026-11-21')).toBe('2026-11-21');
    expect(from1600('FREQ=WEEKLY;BYDAY=SA,SU;COUNT=44550', '2026-11-23')).toBeNull();
  });
});
