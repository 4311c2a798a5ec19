import { describe, expect, test } from 'vitest';

import { bothTzDatabases, bundledTz } from '../../test/support/tz-databases.ts';
import {
  dateOfBirthFault,
  externalIdFault,
  firstNameFault,
  nameFault,
  refuseUnborn,
  timezoneFault,
  timezoneHint,
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

  const nothing = ['', ' ', '\u00a0', '\u3000', '\u200b', '\u00ad', '\u034f', '\ufe0f', '\ufeff'];
  const fillers = ['\u3164', '\u115f', '\u1160', '\uffa0', '\u{16fe4}', '\u{e0041}', '\uffff'];
  const drawnBlank = ['\u2800', '\u{1d159}', '\u{13441}', '\u{13442}', ' \u2800\u200d\u3164'];
  test.for([...nothing, ...fillers, ...drawnBlank])(
    'may be blank as a last name only: %j',
    (blank) => {
      expect(nameFault(blank)).toBeNull();
      expect(firstNameFault(blank)).toMatch(/blank/);
    },
  );

  test.for(['\u2801', '\u{1d15a}', 'ᄀ', '\u{13440}A', 'A\u2800', '.', '\ue000', '\u0301'])(
    'is not blank if any of it can be seen: %j',
    (name) => {
      expect(firstNameFault(name)).toBeNull();
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

  test('has begun or not according to the local clock of the user', () => {
    expect(isUnborn('2026-11-24', 'Pacific/Kiritimati', NOON)).toBe(false);
    expect(isUnborn('2026-11-24', 'Asia/Tokyo', NOON)).toBe(true);
    expect(isUnborn('2026-11-23', 'Pacific/Pago_Pago', NOON)).toBe(false);
    expect(isUnborn('2026-11-23', 'Etc/GMT+12', NOON - 1)).toBe(true);
    expect(isUnborn('2026-11-23', 'Etc/GMT+12', NOON)).toBe(false);
  });

  test('is not judged in a zone that is not known here', () => {
    expect(isUnborn('2026-11-24', 'Mars/Olympus', NOON)).toBe(false);
  });
});

describe.each(bothTzDatabases)('a time zone, by %s', (_name, tz) => {
  test.for([
    'UTC',
    'GMT',
    'EST',
    'CET',
    'EST5EDT',
    'Japan',
    'GB-Eire',
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
    ['Europe/Bonn', /nearest: Europe\/[A-Z]/],
    ['Berlin', /nearest: Europe\/Berlin/],
    ['Europe/Berlin ', /nearest: Europe\/Berlin/],
    [' Europe/Berlin', /nearest: Europe\/Berlin/],
    ['Europe/Berlin\n', /nearest: Europe\/Berlin/],
    ['Europe/Berlin\u0000', /nearest: Europe\/Berlin/],
    ['Europe//Berlin', /nearest: Europe\/Berlin/],
    ['../Europe/Berlin', /nearest: Europe\/Berlin/],
    ['Europe/Bérlin', /nearest: Europe\/Berlin/],
    ['America/New York', /nearest: America\/New_York/],
    ['posix/Europe/Paris', /nearest: Europe\/Paris/],
    ['asia/tokyo', /nearest: Asia\/Tokyo/],
    ['Asia/TOKYO', /nearest: Asia\/Tokyo/],
    ['ASIA/CALCUTTA', /nearest: Asia\/Calcutta/],
    ['utc', /nearest: UTC/],
    ['utc+3', /nearest: UTC/],
    ['Utc', /nearest: UTC/],
    ['Mars/Olympus', /such as Europe\/Berlin$/],
    ['local', /such as Europe\/Berlin$/],
    ['+05:30', /such as Europe\/Berlin$/],
    ['Z', /such as Europe\/Berlin$/],
    ['', /such as Europe\/Berlin$/],
    ['x'.repeat(60_000), /such as Europe\/Berlin$/],
    ['BST', /IANA time zone known/],
    ['Etc/GMT+13', /IANA time zone known/],
    ['Etc/Unknown', /IANA time zone known/],
    ['SystemV/EST5', /IANA time zone known/],
  ] as const)('may not be %j, and the rule names the nearest', ([zone, rule]) => {
    expect(timezoneFault(zone, tz)).toMatch(/known to this installation, spelt as there/);
    expect(timezoneFault(zone, tz)).toMatch(rule);
  });

  test('may be any that Intl lists', () => {
    const refused = Intl.supportedValuesOf('timeZone').filter(
      (zone) => timezoneFault(zone, tz) !== null,
    );
    expect(refused).toEqual([]);
  });

  test.for(['EST', 'MST', 'HST', 'GMT', 'GMT0', 'UTC'])(
    'gets a hint if it is %s, which looks like a place but has no daylight saving',
    (zone) => {
      expect(timezoneHint(zone, NOON, tz)).toMatch(/no daylight saving/);
    },
  );

  test.for([
    'EST5EDT',
    'CET',
    'WET',
    'Asia/Tokyo',
    'Europe/Berlin',
    'Japan',
    'Mars/Olympus',
    'BST',
  ])('gets no hint if it is %s', (zone) => {
    expect(timezoneHint(zone, NOON, tz)).toBeNull();
  });
});
