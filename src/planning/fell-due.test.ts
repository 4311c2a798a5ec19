import { describe, expect, it } from 'vitest';

import {
  at,
  due,
  historyOf,
  KIRITIMATI,
  NEW_YORK,
  PAGO_PAGO,
  TOKYO,
} from '../../test/planning/one-plan.ts';
import { fellDue } from './fell-due.ts';

const APIA = 'Pacific/Apia';

describe('a birthday falls due', () => {
  const window = ['2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'] as const;

  it('for users who existed before 9:00 of the day, not for those created at 9:00 or later', () => {
    const created = (created: string) => due({ created }, ...window);
    expect(created('2026-05-20T12:59:59.999Z')).toEqual(['2026-05-20 at 2026-05-20T13:00Z']);
    expect(created('2026-05-20T13:00:00Z')).toEqual([]);
    expect(created('2026-05-20T13:01:00Z')).toEqual([]);
  });

  it('not for users who were deleted before it', () => {
    const ended = (ended: string) => due({ ended }, ...window);
    expect(ended('2026-05-20T12:59:00Z')).toEqual([]);
    expect(ended('2026-05-20T13:00:00Z')).toEqual([]);
    expect(ended('2026-05-20T13:00:01Z')).toHaveLength(1);
  });

  it('first a year after the date of birth; an anniversary on its date', () => {
    const born = { date: '2025-05-20', created: '2024-01-01T00:00:00Z' };
    const until = '2027-01-01T00:00:00Z';
    expect(due(born, born.created, until)).toEqual(['2026-05-20 at 2026-05-20T13:00Z']);
    expect(due({ ...born, recurrence: 'yearly' }, born.created, until)).toEqual([
      '2025-05-20 at 2025-05-20T13:00Z',
      '2026-05-20 at 2026-05-20T13:00Z',
    ]);
  });

  it('once a year, in a window that excludes its beginning and includes its end', () => {
    const [first, second] = ['2026-05-20T13:00:00Z', '2027-05-20T13:00:00Z'];
    expect(due({}, first, second)).toEqual(['2027-05-20 at 2027-05-20T13:00Z']);
    expect(due({}, '2026-05-20T12:59:59.999Z', '2027-05-20T12:59:59.999Z')).toEqual([
      '2026-05-20 at 2026-05-20T13:00Z',
    ]);
  });

  it('with its key and the inputs of that time', () => {
    const history = historyOf({ changes: [['2026-05-20T12:00:00Z', { zone: TOKYO }]] });
    const window = { after: at('2026-05-20T00:00:00Z'), until: at('2026-05-21T00:00:00Z') };
    expect(fellDue(history, window)).toMatchObject([
      {
        key: 'birthday:b4c1:2026',
        nominalDate: '2026-05-20',
        localDate: '2026-05-20',
        at: at('2026-05-20T12:00:00Z'),
        version: { timezone: TOKYO },
      },
    ]);
  });
});

describe('after a move', () => {
  const moved = (zone: string, at: string, to: string, created = '2020-06-01T00:00:00Z') =>
    due(
      { zone, created, changes: [[at, { zone: to }]] },
      '2026-01-01T00:00:00Z',
      '2027-01-01T00:00:00Z',
    );

  it('on the day, to where it is still to come, it falls due both times (S1, S3)', () => {
    expect(moved(TOKYO, '2026-05-20T10:00:00Z', NEW_YORK)).toEqual([
      '2026-05-20 at 2026-05-20T00:00Z',
      '2026-05-20 at 2026-05-20T13:00Z',
    ]);
    expect(moved(APIA, '2026-05-20T10:00:00Z', PAGO_PAGO)).toHaveLength(2);
  });

  it('to where 9:00 has passed it falls due at the move (S2), the day after there too (S4)', () => {
    expect(moved(NEW_YORK, '2026-05-20T12:00:00Z', TOKYO)).toEqual([
      '2026-05-20 at 2026-05-20T00:00Z by 2026-05-20T12:00Z',
    ]);
    expect(moved(PAGO_PAGO, '2026-05-20T19:59:00Z', KIRITIMATI)).toEqual([
      '2026-05-20 at 2026-05-19T19:00Z by 2026-05-20T19:59Z',
    ]);
  });

  it('to where 9:00 has passed, it does not if it was never going to', () => {
    expect(moved(TOKYO, '2026-05-20T01:00:00Z', KIRITIMATI, '2026-05-20T00:30:00Z')).toEqual([]);
  });

  it('to where it is still to come, it does, even after a creation that was too late for it', () => {
    expect(moved(TOKYO, '2026-05-20T01:00:00Z', NEW_YORK, '2026-05-20T00:30:00Z')).toEqual([
      '2026-05-20 at 2026-05-20T13:00Z',
    ]);
  });

  it('at the very instant, it falls due once, by the old zone or the new one', () => {
    expect(moved(NEW_YORK, '2026-05-20T13:00:00Z', TOKYO)).toEqual([
      '2026-05-20 at 2026-05-20T00:00Z by 2026-05-20T13:00Z',
    ]);
    expect(moved(NEW_YORK, '2026-05-20T00:00:00Z', TOKYO)).toEqual([
      '2026-05-20 at 2026-05-20T00:00Z',
    ]);
  });
});

describe('after a correction of the date', () => {
  it('to a day that is past, nothing falls due', () => {
    const changes = [['2026-07-01T00:00:00Z', { date: '1990-03-01' }]] as const;
    expect(
      due({ date: '1990-12-01', changes }, '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'),
    ).toEqual([]);
  });

  it('and back again, the first day falls due (S15)', () => {
    const changes = [
      ['2026-07-01T00:00:00Z', { date: '1990-03-01' }],
      ['2026-07-02T00:00:00Z', { date: '1990-12-01' }],
    ] as const;
    expect(
      due({ date: '1990-12-01', changes }, '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'),
    ).toEqual(['2026-12-01 at 2026-12-01T14:00Z']);
  });

  it('after it fell due, both days have fallen due (S5)', () => {
    const changes = [['2026-05-20T15:00:00Z', { date: '1990-05-21' }]] as const;
    expect(due({ changes }, '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z')).toEqual([
      '2026-05-20 at 2026-05-20T13:00Z',
      '2026-05-21 at 2026-05-21T13:00Z',
    ]);
  });

  it('of the year alone, a move on the same day makes it due as before', () => {
    const changes = [['2026-05-20T12:00:00Z', { date: '1991-05-20', zone: TOKYO }]] as const;
    expect(due({ changes }, '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z')).toEqual([
      '2026-05-20 at 2026-05-20T00:00Z by 2026-05-20T12:00Z',
    ]);
  });

  it('to the day on which a leap day is kept, a move makes it due under its new name', () => {
    const history = historyOf({
      date: '1992-02-29',
      recurrence: 'yearly',
      changes: [['2026-02-28T12:00:00Z', { date: '1992-02-28', zone: TOKYO }]],
    });
    const window = { after: at('2026-02-01T00:00:00Z'), until: at('2026-04-01T00:00:00Z') };
    expect(fellDue(history, window)).toMatchObject([
      { nominalDate: '2026-02-28', dueAt: at('2026-02-28T00:00:00Z') },
    ]);
  });
});

describe('the day', () => {
  it('of a leapling follows the policy in common years, and is the 29th in leap years', () => {
    const day = (year: number, policy: 'feb28' | 'mar1') =>
      due({ date: '1992-02-29', policy }, `${year}-01-01T00:00:00Z`, `${year}-12-31T00:00:00Z`);
    expect(day(2027, 'feb28')).toEqual(['2027-02-28 at 2027-02-28T14:00Z']);
    expect(day(2027, 'mar1')).toEqual(['2027-03-01 at 2027-03-01T14:00Z']);
    expect(day(2028, 'feb28')).toEqual(day(2028, 'mar1'));
  });

  it('that the calendar skipped is the next one, of the same nominal date', () => {
    const born = { date: '1990-12-30', zone: APIA, created: '2011-01-01T00:00:00Z' };
    expect(due(born, born.created, '2012-06-01T00:00:00Z')).toEqual([
      '2011-12-31 at 2011-12-30T19:00Z',
    ]);
  });

  it('of a daily recurrence is one for each local day', () => {
    const daily = { recurrence: 'daily', zone: APIA, created: '2011-12-28T00:00:00Z' } as const;
    expect(due(daily, daily.created, '2012-01-01T00:00:00Z')).toEqual([
      '2011-12-28 at 2011-12-28T19:00Z',
      '2011-12-29 at 2011-12-29T19:00Z',
      '2011-12-31 at 2011-12-30T19:00Z',
      '2012-01-01 at 2011-12-31T19:00Z',
    ]);
  });
});

describe('a long life', () => {
  it('of a daily recurrence is listed in order, each key once', () => {
    const found = fellDue(historyOf({ recurrence: 'daily', created: '1990-06-01T00:00:00Z' }), {
      after: at('1990-06-01T00:00:00Z'),
      until: at('2020-06-01T00:00:00Z'),
    });
    expect(found).toHaveLength(10_958);
    expect(new Set(found.map(({ key }) => key)).size).toBe(found.length);
    const instants = found.map(({ at }) => at);
    expect(instants).toEqual(instants.toSorted((one, other) => one - other));
  });

  it('costs no more for a day in it after centuries', () => {
    let asked = 0;
    const history = historyOf({ date: '1600-05-20', created: '1970-01-01T00:00:00Z' });
    const tz = {
      ...history.tz,
      offsetAt(zone: string, instant: number) {
        asked += 1;
        return history.tz.offsetAt(zone, instant);
      },
    };
    const day = { after: at('2026-05-20T00:00:00Z'), until: at('2026-05-21T00:00:00Z') };
    expect(fellDue({ ...history, tz }, day)).toHaveLength(1);
    expect(asked).toBeLessThan(10);
  });
});
