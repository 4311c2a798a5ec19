import { describe, expect, it } from 'vitest';

import { bundledTz } from '../../test/support/tz-databases.ts';
import { explainOccurrence } from './explain.ts';
import { resolveNominalDate } from './occurrence.ts';

interface Given {
  readonly born: string;
  readonly zone: string;
  readonly year: number;
  readonly time?: string;
  readonly policy?: 'feb28' | 'mar1';
}

function explain({ born, zone, year, time = '09:00', policy = 'feb28' }: Given) {
  const inputs = { timezone: zone, leapDayPolicy: policy, localTime: time, offsetDays: 0 };
  return explainOccurrence(`${year}${born.slice(4)}`, inputs, bundledTz);
}

describe('an explained occurrence', () => {
  it('has what the rule says, as clocks show it', () => {
    const inputs = {
      timezone: 'Pacific/Chatham',
      leapDayPolicy: 'feb28',
      localTime: '09:00',
      offsetDays: 0,
    } as const;
    expect(explainOccurrence('2026-01-15', inputs, bundledTz)).toEqual({
      localDate: '2026-01-15',
      localTime: '09:00',
      dueAt: resolveNominalDate('2026-01-15', inputs, bundledTz).dueAt,
      utcOffset: '+13:45',
      explanation:
        'The birthday of 2026 is greeted at 09:00 on Thursday 15 January 2026 in Pacific/Chatham, ' +
        'which is 19:15 on Wednesday 14 January 2026 in UTC. Daylight saving time is in force: ' +
        'clocks there are at UTC+13:45, at other times of the year at UTC+12:45.',
    });
  });

  it.each([
    ['Pacific/Marquesas', 2026, '-09:30'],
    ['Asia/Kolkata', 2026, '+05:30'],
    ['UTC', 2026, '+00:00'],
    ['America/New_York', 1995, '-04:00'],
    ['Africa/Monrovia', 1971, '-00:44:30'],
  ])('in %s of %i is at UTC%s', (zone, year, utcOffset) => {
    expect(explain({ born: '1960-05-20', zone, year }).utcOffset).toBe(utcOffset);
  });
});

describe('a leap day', () => {
  it.each([
    [2027, 'feb28', '2027 has no 29 February, so a birthday on that day is kept on 28 February.'],
    [2027, 'mar1', '2027 has no 29 February, so a birthday on that day is kept on 1 March.'],
    [2028, 'mar1', '2028 is a leap year, so a birthday on 29 February is kept on that day.'],
  ] as const)('of %i under %s', (year, policy, sentence) => {
    const explained = explain({ born: '2000-02-29', zone: 'Europe/London', year, policy });
    expect(explained.explanation).toContain(sentence);
  });

  it('is not mentioned to anybody else', () => {
    const explained = explain({ born: '2000-02-28', zone: 'Europe/London', year: 2027 });
    expect(explained.explanation).not.toContain('29 February');
  });
});

describe('a local time that is moved', () => {
  it('by a jump of clocks is explained', () => {
    const explained = explain({
      born: '1990-03-08',
      zone: 'America/New_York',
      year: 2026,
      time: '02:30',
    });
    expect(explained.localTime).toBe('03:30');
    expect(explained.explanation).toContain(
      'Clocks go forward by 1 hour that day and never show 02:30, so the greeting moves to 03:30.',
    );
  });

  it('by half an hour is explained as such', () => {
    const explained = explain({
      born: '1990-10-04',
      zone: 'Australia/Lord_Howe',
      year: 2026,
      time: '02:15',
    });
    expect(explained.explanation).toContain('forward by 30 minutes');
  });

  it('is explained where clocks show it twice', () => {
    const explained = explain({
      born: '1990-11-01',
      zone: 'America/New_York',
      year: 2026,
      time: '01:30',
    });
    expect(explained.utcOffset).toBe('-04:00');
    expect(explained.explanation).toContain(
      'Clocks go back by 1 hour that day and show 01:30 twice; the first time counts.',
    );
  });

  it('with its whole day is explained with the day', () => {
    const explained = explain({ born: '1980-12-31', zone: 'Pacific/Kiritimati', year: 1994 });
    expect(explained).toMatchObject({ localDate: '1995-01-01', localTime: '09:00' });
    expect(explained.explanation).toContain(
      '31 December 1994 did not exist in Pacific/Kiritimati, so the greeting moves to the next day that did.',
    );
  });
});

describe('daylight saving time', () => {
  const inForce = 'Daylight saving time is in force';
  const notInForce = 'Daylight saving time is not in force';
  const none = 'without daylight saving time';

  it.each([
    ['America/New_York', '07-15', 2026, inForce],
    ['America/New_York', '01-15', 2026, notInForce],
    ['Australia/Sydney', '01-15', 2026, inForce],
    ['Australia/Sydney', '07-15', 2026, notInForce],
    ['Europe/Dublin', '07-15', 2026, inForce],
    ['Antarctica/Troll', '07-15', 2026, inForce],
    ['Asia/Tokyo', '07-15', 2026, none],
    ['Asia/Almaty', '02-15', 2024, none],
    ['America/Mexico_City', '07-15', 2022, inForce],
    ['America/Mexico_City', '07-15', 2023, none],
    ['Africa/Casablanca', '07-15', 2022, none],
    [
      'Africa/Casablanca',
      '04-15',
      2022,
      'Clocks there are set back for a few weeks, to UTC+00:00 instead of UTC+01:00.',
    ],
  ])('in %s on %s of %i', (zone, day, year, words) => {
    expect(explain({ born: `1980-${day}`, zone, year }).explanation).toContain(words);
  });

  it('is not mentioned to someone who lives by UTC', () => {
    expect(explain({ born: '1980-05-20', zone: 'UTC', year: 2026 }).explanation).toBe(
      'The birthday of 2026 is greeted at 09:00 on Wednesday 20 May 2026 in UTC.',
    );
  });
});
