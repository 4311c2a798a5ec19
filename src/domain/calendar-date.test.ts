import { describe, expect, it } from 'vitest';

import { anniversaryIn, dateToMs, parseCalendarDate } from './calendar-date.ts';

describe('a calendar date', () => {
  it.each(['2000-02-29', '1604-02-29', '1990-12-31', '0099-01-01', '9999-12-31'])(
    'is %s',
    (text) => {
      expect(parseCalendarDate(text)).not.toBeNull();
    },
  );

  it.each([
    '1900-02-29',
    '1990-02-30',
    '1990-13-01',
    '1990-00-10',
    '1990-04-31',
    '1990-4-1',
    '19900401',
    ' 1990-04-01',
    '1990-04-01T00:00:00Z',
    '-001-01-01',
    '12026-01-01',
    '',
  ])('is not %j', (text) => {
    expect(parseCalendarDate(text)).toBeNull();
  });

  it('of the first century is not one of the twentieth', () => {
    expect(new Date(dateToMs({ year: 99, month: 3, day: 1 })).toISOString()).toBe(
      '0099-03-01T00:00:00.000Z',
    );
  });
});

describe('the anniversary of 29 February', () => {
  const born = { year: 2000, month: 2, day: 29 };

  it.each([
    ['feb28', 2026, '2-28'],
    ['mar1', 2026, '3-1'],
    ['feb28', 2028, '2-29'],
    ['mar1', 2028, '2-29'],
    ['feb28', 2100, '2-28'],
    ['feb28', 2400, '2-29'],
  ] as const)('under %s in %i is %s', (policy, year, expected) => {
    const { month, day } = anniversaryIn(year, born, policy);
    expect(`${month}-${day}`).toBe(expected);
  });

  it('is not that of 28 February or 1 March', () => {
    expect(anniversaryIn(2028, { year: 2000, month: 2, day: 28 }, 'mar1').day).toBe(28);
    expect(anniversaryIn(2026, { year: 2000, month: 3, day: 1 }, 'feb28').month).toBe(3);
  });
});
