import { describe, expect, test } from 'vitest';

import { bothTzDatabases, bundledTz } from '../../test/support/tz-databases.ts';
import {
  dateOfBirthFault,
  externalIdFault,
  firstNameFault,
  nameFault,
  refuseUnborn,
  timezoneFault,
} from './user.ts';
import { InvalidInputError } from './errors.ts';

const NOON = Date.UTC(2026, 10, 23, 12);

describe('a name', () => {
  test.for(['Ada', 'Zoë', "O'Brien", '李', '😀', 'م', 'x'.repeat(100), '😀'.repeat(100), ' Ada '])(
    'may be %j',
    (name) => {
      expect(firstNameFault(name)).toBeNull();
    },
  );

  test.for([
    ['x'.repeat(101), /100 code points/],
    ['😀'.repeat(101), /100 code points/],
    ['A\u0000da', /control/],
    ['A\nda', /control/],
    ['A\u0085da', /control/],
    ['A\u2028da', /control/],
    ['A\u202eda', /direction/],
    ['A\u2066da', /direction/],
    ['A\ud800da', /well-formed/],
  ] as const)('may not be %j', ([name, rule]) => {
    expect(nameFault(name)).toMatch(rule);
    expect(firstNameFault(name)).toMatch(rule);
  });

  test.for(['', ' ', '\u00a0', '\u200b', '\u3164', '\ufeff'])(
    'may be blank as a last name only: %j',
    (blank) => {
      expect(nameFault(blank)).toBeNull();
      expect(firstNameFault(blank)).toMatch(/blank/);
    },
  );
});

describe('an external id', () => {
  test('may be up to 200 code points of text', () => {
    expect(externalIdFault('crm/4711 ü')).toBeNull();
    expect(externalIdFault('😀'.repeat(200))).toBeNull();
    expect(externalIdFault('x'.repeat(201))).toMatch(/200 code points/);
    expect(externalIdFault('')).toMatch(/empty/);
    expect(externalIdFault('a\tb')).toMatch(/control/);
  });
});

const isUnborn = (dateOfBirth: string, timezone: string, now: number): boolean => {
  try {
    refuseUnborn({ dateOfBirth, timezone }, now, bundledTz);
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return true;
  }
};

describe('a date of birth', () => {
  test.for(['1600-01-01', '1604-02-29', '1900-02-28', '2000-02-29', '2026-11-23', '2026-11-24'])(
    'may be %s',
    (date) => {
      expect(dateOfBirthFault(date, NOON)).toBeNull();
    },
  );

  test.for([
    ['1900-02-29', /calendar/],
    ['2023-02-29', /calendar/],
    ['2000-04-31', /calendar/],
    ['2000-13-01', /calendar/],
    ['2000-00-10', /calendar/],
    ['2000-1-1', /calendar/],
    ['20000101', /calendar/],
    ['01/02/2000', /calendar/],
    ['2000-01-01T00:00:00Z', /calendar/],
    ['+002000-01-01', /calendar/],
    ['', /calendar/],
    [' 2000-01-01', /calendar/],
    ['1599-12-31', /1600/],
    ['0001-01-01', /1600/],
    ['2026-11-25', /future/],
    ['9999-12-31', /future/],
  ] as const)('may not be %j', ([date, rule]) => {
    expect(dateOfBirthFault(date, NOON)).toMatch(rule);
  });

  test('has begun or not by the clock on the wall where the user lives', () => {
    expect(isUnborn('2026-11-24', 'Pacific/Kiritimati', NOON)).toBe(false);
    expect(isUnborn('2026-11-24', 'Asia/Tokyo', NOON)).toBe(true);
    expect(isUnborn('2026-11-23', 'Pacific/Pago_Pago', NOON)).toBe(false);
    expect(isUnborn('2026-11-23', 'Etc/GMT+12', NOON - 1)).toBe(true);
    expect(isUnborn('2026-11-23', 'Etc/GMT+12', NOON)).toBe(false);
  });

  test('is not doubted in a zone that is not known here', () => {
    expect(isUnborn('2026-11-24', 'Mars/Olympus', NOON)).toBe(false);
  });
});

describe.each(bothTzDatabases)('a time zone, by %s', (_name, tz) => {
  test.for([
    'UTC',
    'Europe/Berlin',
    'Asia/Calcutta',
    'Asia/Kolkata',
    'Europe/Kiev',
    'Europe/Kyiv',
    'Etc/GMT+12',
    'Etc/UTC',
    'America/Argentina/ComodRivadavia',
    'America/Port-au-Prince',
    'Antarctica/DumontDUrville',
    'Australia/LHI',
    'US/Pacific',
  ])('may be %s', (zone) => {
    expect(timezoneFault(zone, tz)).toBeNull();
  });

  test.for([
    'EST',
    'BST',
    'CET',
    'GMT',
    'EST5EDT',
    'Japan',
    'local',
    'utc',
    'utc+3',
    '+05:30',
    'Z',
    '',
    '/',
    'Europe',
    'Europe/',
    '/Berlin',
    'Europe/Berlin ',
    ' Europe/Berlin',
    'Europe/Berlin\n',
    'Europe//Berlin',
    '../Europe/Berlin',
    'Europe/Berlin\u0000',
    'Europe/Bérlin',
  ])('may not be %j, which is no name with a slash', (zone) => {
    expect(timezoneFault(zone, tz)).toMatch(/with a "\/"/);
  });

  test.for([
    'Mars/Olympus',
    'Europe/Bonn',
    'Etc/GMT+13',
    'Etc/Unknown',
    'SystemV/EST5',
    'posix/Europe/Paris',
  ])('may not be %s, which is not in the tz database', (zone) => {
    expect(timezoneFault(zone, tz)).toMatch(/known/);
  });

  test.for([
    'asia/tokyo',
    'Asia/TOKYO',
    'ASIA/CALCUTTA',
    'Asia/calcutta',
    'etc/utc',
    'europe/Kyiv',
  ])('may not be %s, which the tz database spells otherwise', (zone) => {
    expect(timezoneFault(zone, tz)).toMatch(/spelt/);
  });

  test('may be any that Intl lists', () => {
    const refused = Intl.supportedValuesOf('timeZone').filter(
      (zone) => zone.includes('/') && timezoneFault(zone, tz) !== null,
    );
    expect(refused).toEqual([]);
  });
});
