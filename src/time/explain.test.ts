import { describe, expect, it } from 'vitest';

import { bundledTz } from '../../test/support/tz-databases.ts';
import { type ExplainedOccasion, explainOccurrence } from './explain.ts';
import { resolveNominalDate } from './occurrence.ts';

interface Given {
  readonly born: string;
  readonly zone: string;
  readonly year: number;
  readonly time?: string;
  readonly policy?: 'feb28' | 'mar1';
}

const birthdayOf = (date: string) => ({ type: 'birthday', date, recurrence: 'birthday' }) as const;

function explain({ born, zone, year, time = '09:00', policy = 'feb28' }: Given) {
  const settings = { leapDayPolicy: policy, localTime: time, offsetDays: 0 };
  const inputs = { ...birthdayOf(born), ...settings, timezone: zone };
  return explainOccurrence(`${year}${born.slice(4)}`, inputs, bundledTz);
}

describe('an explained occurrence', () => {
  it('shows what the rule says, as clocks show it', () => {
    const inputs = {
      ...birthdayOf('1990-01-15'),
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
        'The birthday of 15 January 2026 is due at 09:00 on Thursday 15 January 2026 in Pacific/Chatham, ' +
        'which is 19:15 on Wednesday 14 January 2026 in UTC. ' +
        'It comes every year on 15 January, for the first time a year after the date. Daylight saving time is in force: ' +
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
    [2027, 'feb28', 'February 2027 has 28 days, so the 29th is kept on 28 February.'],
    [2027, 'mar1', 'February 2027 has 28 days, so the 29th is kept on 1 March.'],
    [2028, 'mar1', '2028 is a leap year and has 29 February.'],
  ] as const)('of %i under %s', (year, policy, sentence) => {
    const explained = explain({ born: '2000-02-29', zone: 'Europe/London', year, policy });
    expect(explained.explanation).toContain(sentence);
  });

  it('is not mentioned to others', () => {
    const explained = explain({ born: '2000-02-28', zone: 'Europe/London', year: 2027 });
    expect(explained.explanation).not.toContain('29 February');
  });
});

describe('a local time that is moved', () => {
  it('by a clock change is explained', () => {
    const explained = explain({
      born: '1990-03-08',
      zone: 'America/New_York',
      year: 2026,
      time: '02:30',
    });
    expect(explained.localTime).toBe('03:30');
    expect(explained.explanation).toContain(
      'Clocks go forward by 1 hour that day and never show 02:30, so it moves to 03:30.',
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

  it('together with its whole day is explained with the day', () => {
    const explained = explain({ born: '1980-12-31', zone: 'Pacific/Kiritimati', year: 1994 });
    expect(explained).toMatchObject({ localDate: '1995-01-01', localTime: '09:00' });
    expect(explained.explanation).toContain(
      '31 December 1994 did not exist in Pacific/Kiritimati, so it moves to the next day that did.',
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

  it('is not mentioned to someone who lives in UTC', () => {
    expect(explain({ born: '1980-05-20', zone: 'UTC', year: 2026 }).explanation).toBe(
      'The birthday of 20 May 2026 is due at 09:00 on Wednesday 20 May 2026 in UTC. ' +
        'It comes every year on 20 May, for the first time a year after the date.',
    );
  });
});

describe('an occasion', () => {
  const subscription = {
    type: 'subscription',
    date: '2027-01-31',
    timezone: 'UTC',
    localTime: '09:00',
    leapDayPolicy: 'feb28',
    offsetDays: 0,
  } as const;
  const explainBy = (nominalDate: string, fields: Partial<ExplainedOccasion>) =>
    explainOccurrence(nominalDate, { ...subscription, recurrence: 'monthly', ...fields }, bundledTz)
      .explanation;

  it('is explained with its recurrence, the day that moved and the offset', () => {
    expect(explainBy('2027-02-31', { offsetDays: 7 })).toBe(
      'The subscription of 31 February 2027 is due at 09:00 on Sunday 21 February 2027 in UTC. ' +
        'It comes every month on the 31st, from 31 January 2027 on. ' +
        'February 2027 has 28 days, so the 31st is kept on 28 February. ' +
        'It is due 7 days before 28 February 2027.',
    );
  });

  it('that follows a rule explains what the rule did', () => {
    const rrule = 'FREQ=MONTHLY;COUNT=3;SKIP=FORWARD';
    const explanation = explainBy('2027-02-31', { recurrence: 'rrule', rrule, offsetDays: 1 });
    expect(explanation).toBe(
      'The subscription of 31 February 2027 is due at 09:00 on Sunday 28 February 2027 in UTC. ' +
        'It comes every month on the 31st, 3 times in all, from 31 January 2027 on. ' +
        'February 2027 has 28 days, so the 31st is kept on 1 March, by SKIP=FORWARD. ' +
        'It is due 1 day before 1 March 2027.',
    );
  });

  it.each([
    ['once', null, 'once'],
    ['daily', null, 'every day, from 31 January 2027 on'],
    ['weekly', null, 'every week on Sunday, from 31 January 2027 on'],
    ['yearly', null, 'every year on 31 January, from 31 January 2027 on'],
    ['rrule', 'FREQ=DAILY;INTERVAL=3;COUNT=1', 'every 3 days, 1 time in all'],
    [
      'rrule',
      'FREQ=DAILY;BYMONTH=2,3;BYDAY=MO,FR',
      'every day in February and March on Monday and Friday',
    ],
    ['rrule', 'FREQ=WEEKLY', 'every week on Sunday'],
    [
      'rrule',
      'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU',
      'every 2 weeks (from Sunday on) on Tuesday and Sunday',
    ],
    [
      'rrule',
      'FREQ=MONTHLY;BYMONTHDAY=1,-1,-2',
      'every month on the 1st, the last day and the 2nd day from the end',
    ],
    ['rrule', 'FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR', 'every month on the 13th if it is a Friday'],
    [
      'rrule',
      'FREQ=MONTHLY;BYDAY=2TU,-1FR;UNTIL=20280229',
      'every month on the 2nd Tuesday and the last Friday, until 29 February 2028',
    ],
    [
      'rrule',
      'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1',
      'every month on Monday, Tuesday, Wednesday, Thursday and Friday, of these the 1st and last',
    ],
    ['rrule', 'FREQ=YEARLY', 'every year on 31 January'],
    ['rrule', 'FREQ=YEARLY;BYMONTH=3,6', 'every year in March and June on the 31st'],
    ['rrule', 'FREQ=YEARLY;BYDAY=20MO', 'every year on the 20th Monday'],
  ] as const)('by %s %s comes %s', (recurrence, rrule, words) => {
    expect(explainBy('2027-01-31', { recurrence, rrule })).toContain(`It comes ${words}`);
  });
});
