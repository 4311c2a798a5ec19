import { describe, expect, it } from 'vitest';

import { bundledLaw } from '../../test/support/zone-laws.ts';
import { createResolve, duesInYear, type HeldFacts } from './due.ts';
import type { LeapDayPolicy } from './rules.ts';

type State = readonly [born: string, zone: string, from: string];

const NEW_YORK = 'America/New_York';
const TOKYO = 'Asia/Tokyo';
const APIA = 'Pacific/Apia';
const PAGO_PAGO = 'Pacific/Pago_Pago';
const KIRITIMATI = 'Pacific/Kiritimati';
const BORN = '1990-05-20';

/** `local date at instant`, once for each state in which it came due. */
function due(
  states: readonly State[],
  { year = 2026, until, leapDay = 'feb28' }: Given = {},
): string[] {
  const history = states.map(([dateOfBirth, timezone, from], index): HeldFacts => {
    const end = states[index + 1]?.[2] ?? until;
    return {
      dateOfBirth,
      timezone,
      from: Date.parse(from),
      until: end === undefined ? null : Date.parse(end),
    };
  });
  const resolve = createResolve({ leapDayPolicy: leapDay, localTime: '09:00', law: bundledLaw });
  return duesInYear(history, year, resolve).map(
    ({ localDate, fireAt }) => `${localDate} at ${new Date(fireAt).toISOString().slice(0, 16)}Z`,
  );
}

interface Given {
  readonly year?: number;
  readonly until?: string;
  readonly leapDay?: LeapDayPolicy;
}

describe('who came due, from the history alone', () => {
  const TODAY_IN_NEW_YORK = '2026-05-20 at 2026-05-20T13:00Z';

  it('is whoever was there before 9:00 of the day, and not who came at it or after', () => {
    expect(due([[BORN, NEW_YORK, '2026-05-20T12:59:59.999Z']])).toEqual([TODAY_IN_NEW_YORK]);
    expect(due([[BORN, NEW_YORK, '2026-05-20T13:00:00Z']])).toEqual([]);
    expect(due([[BORN, NEW_YORK, '2026-05-20T13:01:00Z']])).toEqual([]);
  });

  it('is nobody who was deleted by then', () => {
    const states = [[BORN, NEW_YORK, '2020-01-01T00:00Z']] as const;
    expect(due(states, { until: '2026-05-20T12:59Z' })).toEqual([]);
    expect(due(states, { until: '2026-05-20T13:00Z' })).toEqual([]);
    expect(due(states, { until: '2026-05-20T13:00:01Z' })).toEqual([TODAY_IN_NEW_YORK]);
  });

  it('is nobody in the year of birth or before', () => {
    const states = [[BORN, NEW_YORK, '1980-01-01T00:00Z']] as const;
    expect(due(states, { year: 1990 })).toEqual([]);
    expect(due(states, { year: 1989 })).toEqual([]);
    expect(due(states, { year: 1991 })).toHaveLength(1);
  });
});

describe('who moved', () => {
  const since = '2020-01-01T00:00Z';

  it('on the day, and has it again, was due both times (S1, S3)', () => {
    expect(
      due([
        [BORN, TOKYO, since],
        [BORN, NEW_YORK, '2026-05-20T10:00Z'],
      ]),
    ).toEqual(['2026-05-20 at 2026-05-20T00:00Z', '2026-05-20 at 2026-05-20T13:00Z']);
    expect(
      due([
        [BORN, APIA, since],
        [BORN, PAGO_PAGO, '2026-05-20T10:00Z'],
      ]),
    ).toHaveLength(2);
  });

  it('to where 9:00 has passed is owed (S2), also when it is the day after there (S4)', () => {
    expect(
      due([
        [BORN, NEW_YORK, since],
        [BORN, TOKYO, '2026-05-20T12:00Z'],
      ]),
    ).toEqual(['2026-05-20 at 2026-05-20T00:00Z']);
    expect(
      due([
        ['1990-01-01', PAGO_PAGO, since],
        ['1990-01-01', KIRITIMATI, '2026-01-01T19:30Z'],
      ]),
    ).toEqual(['2026-01-01 at 2025-12-31T19:00Z']);
  });

  it('to where 9:00 has passed is not owed what was never to come', () => {
    expect(
      due([
        [BORN, TOKYO, '2026-05-20T00:30Z'],
        [BORN, KIRITIMATI, '2026-05-20T01:00Z'],
      ]),
    ).toEqual([]);
  });

  it('to where it is to come, after creation was too late for it, is due there', () => {
    expect(
      due([
        [BORN, TOKYO, '2026-05-20T00:30Z'],
        [BORN, NEW_YORK, '2026-05-20T01:00Z'],
      ]),
    ).toEqual(['2026-05-20 at 2026-05-20T13:00Z']);
  });
});

describe('whose date was corrected', () => {
  it('to a day that is past is not due for it', () => {
    expect(
      due([
        ['1990-12-01', NEW_YORK, '2020-01-01T00:00Z'],
        ['1990-03-01', NEW_YORK, '2026-07-01T00:00Z'],
      ]),
    ).toEqual([]);
  });

  it('and back again is due on the first day (S15)', () => {
    expect(
      due([
        ['1990-12-01', NEW_YORK, '2020-01-01T00:00Z'],
        ['1990-03-01', NEW_YORK, '2026-07-01T00:00Z'],
        ['1990-12-01', NEW_YORK, '2026-07-02T00:00Z'],
      ]),
    ).toEqual(['2026-12-01 at 2026-12-01T14:00Z']);
  });

  it('after it was due has both days (S5)', () => {
    expect(
      due([
        [BORN, NEW_YORK, '2020-01-01T00:00Z'],
        ['1990-05-21', NEW_YORK, '2026-05-20T15:00Z'],
      ]),
    ).toEqual(['2026-05-20 at 2026-05-20T13:00Z', '2026-05-21 at 2026-05-21T13:00Z']);
  });

  it('only in its year, on the day itself, is owed as before', () => {
    expect(
      due([
        [BORN, NEW_YORK, '2020-01-01T00:00Z'],
        ['1991-05-20', TOKYO, '2026-05-20T12:00Z'],
      ]),
    ).toEqual(['2026-05-20 at 2026-05-20T00:00Z']);
  });
});

describe('the day', () => {
  it('of a leapling is by the leap-day rule in common years, and the 29th in leap years', () => {
    const leapling = born('1992-02-29');
    expect(dayOf(due(leapling, { year: 2027 }))).toEqual(['2027-02-28']);
    expect(dayOf(due(leapling, { year: 2027, leapDay: 'mar1' }))).toEqual(['2027-03-01']);
    for (const leapDay of ['feb28', 'mar1'] as const) {
      expect(dayOf(due(leapling, { year: 2028, leapDay }))).toEqual(['2028-02-29']);
    }
  });

  it('that was skipped is the next, in the same nominal year', () => {
    expect(due(born('1990-12-30', APIA), { year: 2011 })).toEqual([
      '2011-12-31 at 2011-12-30T19:00Z',
    ]);
    const states = [['1990-12-31', KIRITIMATI, '1991-01-01T00:00Z']] as const;
    expect(dayOf(due(states, { year: 1994 }))).toEqual(['1995-01-01']);
  });

  it('in a zone that is not known is told as in UTC, and said to be so', () => {
    const history = [{ dateOfBirth: BORN, timezone: 'Mars/Olympus_Mons', from: 0, until: null }];
    const resolve = createResolve({ leapDayPolicy: 'feb28', localTime: '09:00', law: bundledLaw });
    expect(duesInYear(history, 2026, resolve)).toMatchObject([
      { localDate: '2026-05-20', fireAt: Date.UTC(2026, 4, 20, 9), isZoneKnown: false },
    ]);
  });
});

function born(dateOfBirth: string, zone = NEW_YORK): State[] {
  return [[dateOfBirth, zone, '2000-01-01T00:00Z']];
}

function dayOf(told: readonly string[]): string[] {
  return told.map((line) => line.slice(0, 10));
}
