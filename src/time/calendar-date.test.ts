import { describe, expect, it } from 'vitest';

import { dateToMs, formatCalendarDate, parseCalendarDate } from './calendar-date.ts';

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

  it('of the first century is not taken for one of the twentieth', () => {
    expect(new Date(dateToMs({ year: 99, month: 3, day: 1 })).toISOString()).toBe(
      '0099-03-01T00:00:00.000Z',
    );
  });

  it('of an instant is what ISO 8601 writes before the T, in any year', () => {
    const different: number[] = [];
    for (let ms = Date.UTC(-1200, 0, 1); ms < Date.UTC(12_000, 0, 1); ms += 20_000_000_000) {
      if (formatCalendarDate(ms) !== new Date(ms).toISOString().slice(0, 10)) different.push(ms);
    }
    expect(different).toEqual([]);
    expect(() => formatCalendarDate(NaN)).toThrow(RangeError);
  });
});
