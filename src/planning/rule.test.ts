import { describe, expect, it } from 'vitest';

import {
  HOUR_MS,
  KIRITIMATI,
  NEW_YORK,
  PAGO_PAGO,
  plan,
  row,
  inWords,
  TOKYO,
} from '../../test/planning/one-plan.ts';

/** 9:00 on 05-20 is at 13:00Z in New York and at 00:00Z in Tokyo. */
const NEXT_YEAR = '2027-05-20 at 2027-05-20T13:00Z';

describe('S1: sent in Tokyo, then moved to New York, where 9:00 is still to come', () => {
  const moved = {
    zone: TOKYO,
    changes: [['2026-05-20T10:00:00Z', { zone: NEW_YORK }]],
    settled: ['2026-05-20'],
    now: '2026-05-20T10:00:01Z',
  } as const;

  it('is done: next comes next year in New York', () => {
    const open = row('2027-05-20', '2027-05-20T00:00:00Z');
    const decision = plan({ ...moved, open, plannedAt: '2026-05-20T00:00:05Z' });
    expect(inWords(decision)).toBe(`keep, ${NEXT_YEAR}`);
  });

  it('is done even if the next year was not planned yet, whenever that is', () => {
    const again = { ...moved, plannedAt: '2025-05-20T00:00:05Z' };
    expect(inWords(plan(again))).toBe(`none, ${NEXT_YEAR}`);
    expect(inWords(plan({ ...again, now: '2026-05-20T14:00:00Z' }))).toBe(`none, ${NEXT_YEAR}`);
  });

  it('is owed as it fell due in Tokyo if it was not sent there', () => {
    const open = row('2026-05-20', '2026-05-20T00:00:00Z');
    const unsent = { ...moved, settled: [], open, plannedAt: '2025-05-20T00:00:05Z' };
    const expected = 'keep, owed 2026-05-20 at 2026-05-20T00:00Z';
    expect(inWords(plan(unsent))).toBe(expected);
    expect(inWords(plan({ ...unsent, now: '2026-05-20T14:00:00Z' }))).toBe(expected);
  });
});

describe('S2: not yet 9:00 in New York, moved to Tokyo, where it has passed', () => {
  const moved = {
    changes: [['2026-05-20T10:00:00Z', { zone: TOKYO }]],
    plannedAt: '2025-05-20T13:00:05Z',
    open: row('2026-05-20', '2026-05-20T13:00:00Z'),
    now: '2026-05-20T10:00:01Z',
  } as const;

  it('is owed: due at once', () => {
    expect(inWords(plan(moved))).toBe('keep, owed 2026-05-20 at 2026-05-20T00:00Z');
  });

  it('is SKIPPED if that is over the late limit', () => {
    const decision = plan({ ...moved, limitMs: 9 * HOUR_MS });
    expect(inWords(decision)).toBe('settle too_late, 2027-05-20 at 2027-05-20T00:00Z');
  });

  it('is owed if neither the creation nor the move was planned in time', () => {
    const created = '2026-05-19T12:00:00Z';
    const { changes } = moved;
    const wordsAt = (now: string) => inWords(plan({ created, changes, now }));
    expect(wordsAt('2026-05-20T12:30:00Z')).toBe('none, owed 2026-05-20 at 2026-05-20T00:00Z');
    expect(wordsAt('2026-05-23T00:00:00Z')).toBe(
      'none, 2026-05-20 too_late, 2027-05-20 at 2027-05-20T00:00Z',
    );
  });

  it('is planned with the inputs under which it fell due', () => {
    const { next } = plan(moved);
    expect(next).toMatchObject({ occurrence: { version: { timezone: TOKYO } } });
  });
});

describe('S3: sent in Apia, moved to Pago Pago, where the day is still to come', () => {
  it('is done', () => {
    const decision = plan({
      zone: 'Pacific/Apia',
      changes: [['2026-05-20T01:00:00Z', { zone: PAGO_PAGO }]],
      plannedAt: '2026-05-19T20:00:05Z',
      open: row('2027-05-20', '2027-05-19T20:00:00Z'),
      settled: ['2026-05-20'],
      now: '2026-05-20T01:00:01Z',
    });
    expect(inWords(decision)).toBe('keep, 2027-05-20 at 2027-05-20T20:00Z');
  });
});

describe('S4: before 9:00 in Pago Pago, moved to Kiritimati, where it is the day after', () => {
  const moved = {
    zone: PAGO_PAGO,
    changes: [['2026-05-20T19:59:00Z', { zone: KIRITIMATI }]],
    plannedAt: '2025-05-20T20:00:05Z',
    open: row('2026-05-20', '2026-05-20T20:00:00Z'),
    now: '2026-05-20T19:59:01Z',
  } as const;

  it('is sent at once if it is not over the late limit', () => {
    expect(inWords(plan(moved))).toBe('keep, owed 2026-05-20 at 2026-05-19T19:00Z');
  });

  it('is SKIPPED with the reason if it is', () => {
    const decision = plan({ ...moved, limitMs: 24 * HOUR_MS });
    expect(inWords(decision)).toBe('settle too_late, 2027-05-20 at 2027-05-19T19:00Z');
    const dueAt = Date.parse('2026-05-19T19:00:00Z');
    expect(decision.open).toMatchObject({
      occurrence: { dueAt, version: { timezone: KIRITIMATI } },
    });
  });

  it('keeps the due instant of an attempt that was made', () => {
    const open = row('2026-05-20', '2026-05-20T20:00:00Z', { attempts: 1 });
    const suspended = { zone: KIRITIMATI, suspended: true };
    const changes = [['2026-05-20T19:59:00Z', suspended]] as const;
    const decision = plan({ ...moved, open, changes });
    expect(decision.open).toEqual({ action: 'settle', reason: 'suspended', occurrence: null });
  });

  it.each([
    ['1990-01-01', '2027-01-01', 48, 'keep, owed 2027-01-01 at 2026-12-31T19:00Z'],
    ['1990-12-31', '2026-12-31', 48, 'keep, owed 2026-12-31 at 2026-12-30T19:00Z'],
    ['1990-01-01', '2027-01-01', 1, 'settle too_late, 2028-01-01 at 2027-12-31T19:00Z'],
  ])('holds over New Year: %s', (date, day, limitHours, expected) => {
    const decision = plan({
      date,
      zone: PAGO_PAGO,
      changes: [[`${day}T19:59:00Z`, { zone: KIRITIMATI }]],
      plannedAt: '2026-02-01T00:00:00Z',
      open: row(day, `${day}T20:00:00Z`),
      now: `${day}T19:59:01Z`,
      limitMs: limitHours * HOUR_MS,
    });
    expect(inWords(decision)).toBe(expected);
  });

  it('does not send twice to a user who moves back over New Year', () => {
    const decision = plan({
      date: '1990-01-01',
      zone: KIRITIMATI,
      changes: [['2026-12-31T20:00:00Z', { zone: PAGO_PAGO }]],
      plannedAt: '2026-12-31T19:00:05Z',
      open: row('2028-01-01', '2027-12-31T19:00:00Z'),
      settled: ['2027-01-01'],
      now: '2026-12-31T20:00:00Z',
    });
    expect(inWords(decision)).toBe('keep, 2028-01-01 at 2028-01-01T20:00Z');
  });
});

describe('S5: sent, then the date of birth corrected to the day after', () => {
  it('is done for this year', () => {
    const corrected = {
      changes: [['2026-05-20T15:00:00Z', { date: '1990-05-21' }]],
      plannedAt: '2026-05-20T13:00:05Z',
      open: row('2027-05-20', '2027-05-20T13:00:00Z'),
      settled: ['2026-05-20'],
    } as const;
    const expected = 'keep, 2027-05-21 at 2027-05-21T13:00Z';
    expect(inWords(plan({ ...corrected, now: '2026-05-20T15:00:01Z' }))).toBe(expected);
    expect(inWords(plan({ ...corrected, now: '2026-05-21T15:00:00Z' }))).toBe(expected);
  });
});

describe('S6: the date of birth changed seconds before 9:00', () => {
  const open = row('2026-05-20', '2026-05-20T13:00:00Z');
  const corrected = (date: string, now = '2026-05-20T12:59:59Z') =>
    plan({
      changes: [['2026-05-20T12:59:58Z', { date }]],
      plannedAt: '2025-05-20T13:00:05Z',
      open,
      now,
    });

  it('moves to a future day', () => {
    expect(inWords(corrected('1990-09-01'))).toBe('keep, 2026-09-01 at 2026-09-01T13:00Z');
  });

  it('is removed if the new day has passed, even if that is planned after 9:00', () => {
    const expected = 'remove, 2027-05-19 at 2027-05-19T13:00Z';
    expect(inWords(corrected('1990-05-19'))).toBe(expected);
    expect(inWords(corrected('1990-05-19', '2026-05-20T13:00:30Z'))).toBe(expected);
  });

  const tried = row('2026-05-20', '2026-05-20T13:00:00Z', { first: '2026-05-20T13:00:00Z' });
  const correctedLate = (date: string) =>
    plan({
      changes: [['2026-05-20T13:00:05Z', { date }]],
      plannedAt: '2025-05-20T13:00:05Z',
      open: tried,
      now: '2026-05-20T13:00:06Z',
    });

  it('ends as date_changed once it fell due, and the new day has passed', () => {
    expect(inWords(correctedLate('1990-05-19'))).toBe(
      'settle date_changed, 2027-05-19 at 2027-05-19T13:00Z',
    );
  });

  it('keeps its key if it was attempted and the new day is to come', () => {
    expect(inWords(correctedLate('1990-05-21'))).toBe('keep, 2026-05-21 at 2026-05-21T13:00Z');
  });
});

describe('S7: a leapling, and the policy switched', () => {
  const date = '2000-02-29';

  it('is done if it was sent on 28 February, for 1 March too', () => {
    const switched = {
      date,
      changes: [['2026-02-28T20:00:00Z', { policy: 'mar1' }]],
      plannedAt: '2026-02-28T14:00:05Z',
      open: row('2027-02-29', '2027-02-28T14:00:00Z'),
      settled: ['2026-02-29'],
    } as const;
    const expected = 'keep, 2027-02-29 at 2027-03-01T14:00Z';
    expect(inWords(plan({ ...switched, now: '2026-02-28T20:00:01Z' }))).toBe(expected);
    expect(inWords(plan({ ...switched, now: '2026-03-01T20:00:00Z' }))).toBe(expected);
  });

  it('moves the open row to 1 March', () => {
    const decision = plan({
      date,
      changes: [['2026-02-20T00:00:00Z', { policy: 'mar1' }]],
      plannedAt: '2025-03-01T00:00:00Z',
      open: row('2026-02-29', '2026-02-28T14:00:00Z'),
      now: '2026-02-20T00:00:01Z',
    });
    expect(inWords(decision)).toBe('keep, 2026-02-29 at 2026-03-01T14:00Z');
  });

  it('is owed at once if the switch moves it into the past', () => {
    const decision = plan({
      date,
      policy: 'mar1',
      changes: [['2026-02-28T20:00:00Z', { policy: 'feb28' }]],
      plannedAt: '2025-03-02T00:00:00Z',
      open: row('2026-02-29', '2026-03-01T14:00:00Z'),
      now: '2026-02-28T20:00:01Z',
    });
    expect(inWords(decision)).toBe('keep, owed 2026-02-29 at 2026-02-28T14:00Z');
  });

  it('comes back to 29 February in a leap year', () => {
    const decision = plan({ date, settled: ['2027-02-29'], now: '2027-03-02T00:00:00Z' });
    expect(inWords(decision)).toMatch(/^none, .*2028-02-29 at 2028-02-29T14:00Z$/);
  });

  it('takes the day that the new policy still brings, but owes none that passed under the old one', () => {
    const created = '2026-02-28T20:00:00Z';
    const open = row('2027-02-29', '2027-02-28T14:00:00Z');
    const switched = (from: string) =>
      plan({
        date,
        created,
        changes: [[from, { policy: 'mar1' }]],
        plannedAt: created,
        open,
        now: from.replace(':00Z', ':01Z'),
      });
    expect(inWords(switched('2026-02-28T21:00:00Z'))).toBe(
      'remove, 2026-02-29 at 2026-03-01T14:00Z',
    );
    expect(inWords(switched('2026-03-02T12:00:00Z'))).toBe('keep, 2027-02-29 at 2027-03-01T14:00Z');
  });
});

describe('S8: 1 January in Kiritimati', () => {
  const newYear = { date: '1990-01-01', zone: KIRITIMATI, plannedAt: '2026-01-01T00:00:00Z' };

  it('belongs to the new year, and is due in the old one in UTC', () => {
    const decision = plan({ ...newYear, settled: ['2026-01-01'], now: '2026-06-01T00:00:00Z' });
    expect(inWords(decision)).toBe('none, 2027-01-01 at 2026-12-31T19:00Z');
  });

  it('comes next a year later', () => {
    const decision = plan({ ...newYear, settled: ['2027-01-01'], now: '2026-12-31T19:00:02Z' });
    expect(inWords(decision)).toBe('none, 2028-01-01 at 2027-12-31T19:00Z');
  });
});

describe('S9: created on the birthday', () => {
  it.each([
    ['08:59', '2026-05-20T12:59:00Z', 'none, 2026-05-20 at 2026-05-20T13:00Z'],
    ['09:00', '2026-05-20T13:00:00Z', `none, ${NEXT_YEAR}`],
    ['09:01', '2026-05-20T13:01:00Z', `none, ${NEXT_YEAR}`],
  ])('at %s local', (_local, created, expected) => {
    expect(inWords(plan({ created, now: created }))).toBe(expected);
  });

  it('at 08:59, planned only at 09:05: owed', () => {
    const decision = plan({ created: '2026-05-20T12:59:00Z', now: '2026-05-20T13:05:00Z' });
    expect(inWords(decision)).toBe('none, owed 2026-05-20 at 2026-05-20T13:00Z');
  });

  it('at 09:00, planned only at 09:05: next year', () => {
    const decision = plan({ created: '2026-05-20T13:00:00Z', now: '2026-05-20T13:05:00Z' });
    expect(inWords(decision)).toBe(`none, ${NEXT_YEAR}`);
  });

  it('at 08:59, planned only three days later: recorded as missed', () => {
    const decision = plan({ created: '2026-05-20T12:59:00Z', now: '2026-05-23T13:05:00Z' });
    expect(inWords(decision)).toBe(`none, 2026-05-20 too_late, ${NEXT_YEAR}`);
  });

  it('is not greeted on the day of birth', () => {
    const created = '2026-05-20T05:00:00Z';
    expect(inWords(plan({ date: '2026-05-20', created, now: created }))).toBe(`none, ${NEXT_YEAR}`);
  });
});

describe('S12: everything was down', () => {
  const open = row('2026-05-20', '2026-05-20T13:00:00Z');
  const plannedAt = '2025-05-20T13:00:05Z';

  it.each([
    ['for 25 h: sent late', '2026-05-21T14:00:00Z'],
    ['for 48 h, to the ms: sent late', '2026-05-22T13:00:00Z'],
  ])('%s', (_name, now) => {
    const expected = 'keep, owed 2026-05-20 at 2026-05-20T13:00Z';
    expect(inWords(plan({ open, plannedAt, now }))).toBe(expected);
    expect(inWords(plan({ open, plannedAt: '2026-05-20T13:00:05Z', now }))).toBe(expected);
  });

  it('for 3 days: SKIPPED, and next year planned', () => {
    const now = '2026-05-23T13:00:00Z';
    expect(inWords(plan({ open, plannedAt, now }))).toBe(`settle too_late, ${NEXT_YEAR}`);
  });

  it('is not too late just because one clock is ahead', () => {
    const ahead = { open, plannedAt, now: '2026-05-22T13:00:01Z' };
    const expected = 'keep, owed 2026-05-20 at 2026-05-20T13:00Z';
    expect(inWords(plan({ ...ahead, lateNow: '2026-05-20T13:00:01Z' }))).toBe(expected);
    expect(inWords(plan(ahead))).toBe(`settle too_late, ${NEXT_YEAR}`);
  });

  it('for 3 days after a first attempt: still owed, because the limit is for the first', () => {
    const tried = row('2026-05-20', '2026-05-20T13:00:00Z', { first: '2026-05-20T13:00:01Z' });
    const decision = plan({ open: tried, plannedAt, now: '2026-05-23T13:00:00Z' });
    expect(inWords(decision)).toBe('keep, owed 2026-05-20 at 2026-05-20T13:00Z');
  });

  it('for 3 days after attempts of an earlier due instant: too late', () => {
    const moved = row('2026-05-20', '2026-05-20T13:00:00Z', { attempts: 2 });
    const decision = plan({ open: moved, plannedAt, now: '2026-05-23T13:00:00Z' });
    expect(inWords(decision)).toBe(`settle too_late, ${NEXT_YEAR}`);
  });

  it('for three years: each is recorded, and the next planned', () => {
    const decision = plan({
      open: row('2024-05-20', '2024-05-20T13:00:00Z'),
      plannedAt: '2023-05-20T13:00:05Z',
      now: '2026-06-01T00:00:00Z',
    });
    expect(inWords(decision)).toBe(
      `settle too_late, 2025-05-20 too_late, 2026-05-20 too_late, ${NEXT_YEAR}`,
    );
  });

  it('for two years, until the day after: the last is owed', () => {
    const decision = plan({
      open: row('2025-05-20', '2025-05-20T13:00:00Z'),
      plannedAt: '2024-05-20T13:00:05Z',
      now: '2026-05-21T00:00:00Z',
    });
    expect(inWords(decision)).toBe('settle too_late, owed 2026-05-20 at 2026-05-20T13:00Z');
  });

  it('for two days of a daily reminder: the last day is owed, the first is superseded', () => {
    const daily = { recurrence: 'daily', date: '2026-01-01' } as const;
    const decision = plan({
      ...daily,
      open: row('2026-05-19', '2026-05-19T13:00:00Z', { type: 'reminder' }),
      plannedAt: '2026-05-18T13:00:05Z',
      settled: ['2026-05-18'],
      now: '2026-05-21T14:00:00Z',
    });
    expect(inWords(decision)).toBe(
      'settle superseded, 2026-05-20 superseded, owed 2026-05-21 at 2026-05-21T13:00Z',
    );
    expect(decision.next).toMatchObject({ supersededAt: Date.parse('2026-05-22T13:00:00Z') });
  });
});

describe('S15: corrected 12-01 → 03-01 → 12-01 in summer', () => {
  const march = ['2026-07-01T00:00:00Z', { date: '1990-03-01' }] as const;
  const december = ['2026-07-02T00:00:00Z', { date: '1990-12-01' }] as const;
  const date = '1990-12-01';
  const plannedAt = '2025-12-01T14:00:05Z';

  it('is greeted on 12-01 of this year', () => {
    const first = plan({
      date,
      changes: [march],
      plannedAt,
      open: row('2026-12-01', '2026-12-01T14:00:00Z'),
      now: '2026-07-01T00:00:01Z',
    });
    expect(inWords(first)).toBe('remove, 2027-03-01 at 2027-03-01T14:00Z');
    const second = plan({
      date,
      changes: [march, december],
      plannedAt: '2026-07-01T00:00:01Z',
      open: row('2027-03-01', '2027-03-01T14:00:00Z'),
      now: '2026-07-02T00:00:01Z',
    });
    expect(inWords(second)).toBe('remove, 2026-12-01 at 2026-12-01T14:00Z');
  });

  it('is greeted on that day even if both corrections are planned at once', () => {
    const decision = plan({
      date,
      changes: [march, december],
      plannedAt,
      open: row('2026-12-01', '2026-12-01T14:00:00Z'),
      now: '2026-07-03T00:00:00Z',
    });
    expect(inWords(decision)).toBe('keep, 2026-12-01 at 2026-12-01T14:00Z');
  });

  const plannedInBetween = {
    date,
    changes: [march, december],
    plannedAt: '2026-07-01T00:00:01Z',
    open: row('2027-03-01', '2027-03-01T14:00:00Z'),
  };

  it('is greeted late if the last correction was planned only after that day', () => {
    const decision = plan({ ...plannedInBetween, now: '2026-12-02T14:00:00Z' });
    expect(inWords(decision)).toBe('remove, owed 2026-12-01 at 2026-12-01T14:00Z');
  });

  it('records this year as missed if it was planned a week later', () => {
    const decision = plan({ ...plannedInBetween, now: '2026-12-09T14:00:00Z' });
    expect(inWords(decision)).toBe('keep, 2026-12-01 too_late, 2027-12-01 at 2027-12-01T14:00Z');
  });
});
