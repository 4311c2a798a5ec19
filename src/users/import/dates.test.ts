import { describe, expect, test } from 'vitest';

import { createDateReader, type DateStyle, dateStyleFault } from './dates.ts';

const read = (text: string, style: Partial<DateStyle> = {}) =>
  createDateReader({ format: null, pivot: null, ...style })(text);

describe('a date', () => {
  test.for([
    [null, '1990-05-20', '1990-05-20'],
    ['DD.MM.YYYY', '20.05.1990', '1990-05-20'],
    ['DD.MM.YYYY', '1.5.1990', '1990-05-01'],
    ['MM/DD/YYYY', '05/20/1990', '1990-05-20'],
    ['M/D/YYYY', '5/2/1990', '1990-05-02'],
    ['YYYY/MM/DD', '1990/05/20', '1990-05-20'],
    ['YYYYMMDD', '19900520', '1990-05-20'],
    ['D-M-YYYY', '29-2-2000', '2000-02-29'],
  ] as const)('written %s may be %s', ([format, text, date]) => {
    expect(read(text, { format })).toEqual({ date });
  });

  test.for([
    [0, '31.12.00', '2000-12-31'],
    [0, '31.12.01', '1901-12-31'],
    [30, '31.12.30', '2030-12-31'],
    [30, '31.12.31', '1931-12-31'],
  ] as const)('may have two digits of a year, if a pivot is given: %i', ([pivot, text, date]) => {
    expect(read(text, { format: 'DD.MM.YY', pivot })).toEqual({ date });
  });

  test.for([
    ['45000', null, /serial number.*text/],
    ['32874.5', 'M/D/YYYY', /serial number/],
    ['5/20', 'M/D/YYYY', /must have a year/],
    ['20.5.', 'DD.MM.YYYY', /must have a year/],
    ['--05-20', null, /must have a year/],
    ['5/20/90', 'M/D/YYYY', /four digits.*yearPivot/],
    ['1990-05-20T00:00:00Z', null, /without a time/],
    ['20.05.1990', null, /must be a date written YYYY-MM-DD/],
    ['1990-05-20', 'DD.MM.YYYY', /must be a date written DD.MM.YYYY/],
    ['1990-02-30', null, /day of the calendar/],
    ['soon', null, /must be a date/],
  ] as const)('may not be %j, written %s', ([text, format, rule]) => {
    expect(read(text, { format }).rule).toMatch(rule);
  });

  test('whose day and month look swapped is refused with that hint', () => {
    expect(read('23/06/2025', { format: 'MM/DD/YYYY' })).toMatchObject({
      isSwapped: true,
      rule: expect.stringContaining('swapped?'),
    });
    expect(read('31/31/2025', { format: 'MM/DD/YYYY' })).toMatchObject({ isSwapped: false });
  });
});

describe('a date format', () => {
  test.for(['DD.MM.YYYY', 'M/D/YYYY', 'YYYYMMDD', 'YYYY-MM-DD', 'DD MM YYYY'])(
    'may be %s',
    (format) => {
      expect(dateStyleFault({ format, pivot: null })).toBeNull();
    },
  );

  test.for(['', 'DD.MM', 'DD.MM.YYY', 'YYYY-MM-DD-DD', 'DDD.M.YYYY', 'dd.mm.yyyy', 'D. M. Y. \\d'])(
    'may not be %j',
    (format) => {
      expect(dateStyleFault({ format, pivot: 30 })).toMatch(/must have a year/);
    },
  );

  test('with two digits of a year needs a pivot', () => {
    expect(dateStyleFault({ format: 'DD.MM.YY', pivot: null })).toMatch(/yearPivot/);
    expect(dateStyleFault({ format: 'DD.MM.YY', pivot: 30 })).toBeNull();
  });
});
