import { describe, expect, it } from 'vitest';

import { dueDatesAfter } from '../../src/time/occurrence.ts';
import { rruleFault } from '../../src/time/recurrence.ts';
import { bundledTz } from '../support/tz-databases.ts';
import { zoneNames } from './occurrence-properties.ts';
import agreed from './recurrence-cases.json' with { type: 'json' };

interface RecurrenceCase {
  readonly name: string;
  readonly date: string;
  readonly rrule: string;
  readonly skip?: 'BACKWARD' | 'FORWARD';
  readonly timezone: string;
  readonly deliveryTime: string;
  readonly after: string;
  readonly expect: readonly DueCase[];
  /** No more follow. */
  readonly complete: boolean;
}

interface DueCase {
  readonly date: string;
  readonly dueAt: string;
  /** If it is not the day on which it is kept. */
  readonly nominal?: string;
}

const cases = agreed.cases as readonly RecurrenceCase[];

/** Dates from two independent implementations of RFC 5545, instants from the tz database. */
describe('the agreed cases of recurrence rules', () => {
  it.each(cases)('$name, after $after', (given) => {
    const { date, timezone, deliveryTime: localTime, expect: expected, complete } = given;
    const series = { date, recurrence: 'rrule', rrule: ruleOf(given) } as const;
    const settings = { localTime, leapDayPolicy: 'feb28', offsetDays: 0 } as const;
    const inputs = { ...series, ...settings, timezone };
    const most = complete ? expected.length + 1 : expected.length;
    const found: Required<DueCase>[] = [];
    for (const due of dueDatesAfter(inputs, Date.parse(given.after), bundledTz)) {
      if (found.length === most) break;
      const dueAt = new Date(due.dueAt).toISOString().replace('.000', '');
      found.push({ date: due.localDate, dueAt, nominal: due.nominalDate });
    }
    expect(found).toEqual(
      expected.map(({ date, dueAt, nominal = date }) => ({ date, dueAt, nominal })),
    );
  });

  it('are refused if they never match, and only then', () => {
    for (const given of cases) {
      const { rrule, date, complete } = given;
      const neverMatches = complete && !/COUNT|UNTIL/.test(rrule);
      const fault = neverMatches ? 'must match some day: from the date on, it never does' : null;
      expect(rruleFault(ruleOf(given), date)).toBe(fault);
    }
    expect(cases).toHaveLength(152);
  });
});

const SETTINGS = { localTime: '09:00', leapDayPolicy: 'feb28', offsetDays: 0 } as const;

describe('in every zone', () => {
  const zones = zoneNames.filter((zone) => bundledTz.isKnown(zone));

  it('a rule of Sundays has only Sundays', () => {
    const rrule = 'FREQ=MONTHLY;BYMONTH=2;BYDAY=2SU,-2SU,-3SU';
    const series = { date: '2026-11-29', recurrence: 'rrule', rrule } as const;
    for (const timezone of zones) {
      const due = dueDatesAfter({ ...series, ...SETTINGS, timezone }, START, bundledTz);
      const days = Array.from({ length: 4 }, () => due.next().value?.localDate);
      expect({ timezone, days }).toEqual({
        timezone,
        days: ['2027-02-14', '2027-02-21', '2028-02-13', '2028-02-20'],
      });
    }
  });

  it.each([
    ['daily', null],
    ['rrule', 'FREQ=DAILY'],
  ] as const)(
    'a daily one (%s) has each day of a year once, always at the local time',
    (recurrence, rrule) => {
      const series = { date: '2020-01-01', recurrence, rrule };
      const days = Array.from({ length: 366 }, (_, index) =>
        new Date(Date.UTC(2027, 0, 1 + index)).toISOString().slice(0, 10),
      );
      for (const timezone of zones) {
        const due = dueDatesAfter(
          { ...series, ...SETTINGS, timezone },
          START,
          bundledTz,
          '2027-01-01',
        );
        const found = days.map(() => {
          const { localDate = '', dueAt = NaN } = due.next().value ?? {};
          const wall = new Date(dueAt + bundledTz.offsetAt(timezone, dueAt)).toISOString();
          return wall === `${localDate}T09:00:00.000Z` ? localDate : wall;
        });
        expect({ timezone, found }).toEqual({ timezone, found: days });
      }
    },
  );
});

const START = Date.UTC(2026, 10, 29);

function ruleOf({ rrule, skip }: RecurrenceCase): string {
  return skip === undefined ? rrule : `${rrule};SKIP=${skip}`;
}
