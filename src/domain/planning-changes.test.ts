import { describe, expect, it } from 'vitest';

import {
  at,
  HOUR_MS,
  KIRITIMATI,
  NEW_YORK,
  plan,
  row,
  settled,
  told,
  TOKYO,
} from '../../test/domain/planning-support.ts';
import { bundledLaw } from '../../test/support/zone-laws.ts';

describe('a corrected date of birth', () => {
  it.each([
    ['1990-12-31', '1990-01-01', 2026, [], 'remove, 2027 at 2027-01-01T14:00Z'],
    ['1990-01-01', '1990-12-31', 2027, [2026], 'keep, 2027 at 2027-12-31T14:00Z'],
    ['1990-01-01', '1990-12-31', 2027, [], 'remove, 2026 at 2026-12-31T14:00Z'],
  ])('from %s to %s in summer crosses the end of the year', (was, born, year, years, expected) => {
    const decision = plan({
      born,
      created: '2026-02-01T00:00:00Z',
      changed: '2026-07-01T00:00:00Z',
      open: row(year, NEW_YORK, was),
      final: years.map((final) => settled(final, NEW_YORK, was)),
      now: '2026-07-01T00:00:01Z',
    });
    expect(told(decision)).toBe(expected);
  });

  it('to a day whose 9:00 is this very ms has passed, as for someone created then', () => {
    const changed = '2026-05-20T13:00:00Z';
    const open = row(2026, NEW_YORK, '1990-12-01');
    expect(told(plan({ changed, open, now: changed }))).toBe('remove, 2027 at 2027-05-20T13:00Z');
  });

  it('with only another year of birth is the same day, so an owed greeting stays owed', () => {
    const decision = plan({
      born: '1980-05-20',
      changed: '2026-05-20T15:00:00Z',
      open: row(2026, NEW_YORK),
      now: '2026-05-20T15:00:01Z',
    });
    expect(told(decision)).toBe('keep, 2026 at 2026-05-20T13:00Z');
  });

  it('from 29 to 28 February is the same day in a common year', () => {
    const decision = plan({
      born: '2000-02-28',
      changed: '2026-02-28T15:00:00Z',
      open: row(2026, NEW_YORK, '2000-02-29'),
      now: '2026-02-28T15:00:01Z',
    });
    expect(told(decision)).toBe('keep, 2026 at 2026-02-28T14:00Z');
  });

  it('to this very year removes the row: the day of birth is not a birthday', () => {
    const decision = plan({
      born: '2026-05-20',
      changed: '2026-05-01T00:00:00Z',
      open: row(2026, NEW_YORK),
      now: '2026-05-01T00:00:01Z',
    });
    expect(told(decision)).toBe('remove, 2027 at 2027-05-20T13:00Z');
  });

  it('to this very year SKIPS a row that was tried', () => {
    const decision = plan({
      born: '2026-05-20',
      changed: '2026-05-20T14:00:00Z',
      open: row(2026, NEW_YORK, '1990-05-20', 1),
      now: '2026-05-20T14:00:01Z',
    });
    expect(told(decision)).toBe('skip date_changed, 2027 at 2027-05-20T13:00Z');
  });

  it('and back from this very year brings this year back', () => {
    const decision = plan({
      changed: '2026-05-01T00:00:00Z',
      open: row(2027, NEW_YORK, '2026-05-20'),
      now: '2026-05-01T00:00:01Z',
    });
    expect(told(decision)).toBe('remove, 2026 at 2026-05-20T13:00Z');
  });

  it('does not bring back a year that is settled, whatever its state', () => {
    const decision = plan({
      born: '1990-12-01',
      changed: '2026-07-01T00:00:00Z',
      open: row(2027, NEW_YORK),
      final: [settled(2025, NEW_YORK), settled(2026, NEW_YORK)],
      now: '2026-07-01T00:00:01Z',
    });
    expect(told(decision)).toBe('keep, 2027 at 2027-12-01T14:00Z');
  });
});

describe('changes that were planned late, because Temporal was down', () => {
  it('owes a corrected day that passed only after the correction', () => {
    const decision = plan({
      born: '1990-05-25',
      changed: '2026-05-01T00:00:00Z',
      open: row(2026, NEW_YORK),
      now: '2026-05-26T00:00:00Z',
    });
    expect(told(decision)).toBe('keep, 2026 at 2026-05-25T13:00Z');
  });

  it('goes on with a tried row whose corrected day passed meanwhile', () => {
    const decision = plan({
      born: '1990-05-21',
      changed: '2026-05-20T15:00:00Z',
      open: row(2026, NEW_YORK, '1990-05-20', 3),
      now: '2026-05-25T00:00:00Z',
    });
    expect(told(decision)).toBe('keep, 2026 at 2026-05-21T13:00Z');
  });

  it('sees only the last of several zones', () => {
    const decision = plan({
      zone: TOKYO,
      changed: '2026-05-19T10:00:00Z',
      open: row(2026, KIRITIMATI),
      now: '2026-05-20T10:00:00Z',
    });
    expect(told(decision)).toBe('keep, 2026 at 2026-05-20T00:00Z');
  });

  it('owes a day that a move brought back to someone created after 9:00 of it', () => {
    const moved = {
      zone: 'Pacific/Honolulu',
      created: '2026-05-20T14:00:00Z',
      changed: '2026-05-20T14:30:00Z',
      open: row(2027, NEW_YORK),
    };
    const expected = 'remove, 2026 at 2026-05-20T19:00Z';
    expect(told(plan({ ...moved, now: '2026-05-20T14:30:01Z' }))).toBe(expected);
    expect(told(plan({ ...moved, now: '2026-05-21T00:00:00Z' }))).toBe(expected);
  });

  it('plans a new user by the last of their facts', () => {
    const decision = plan({
      born: '1990-08-01',
      zone: TOKYO,
      created: '2026-05-20T12:00:00Z',
      changed: '2026-05-20T12:30:00Z',
      now: '2026-05-21T00:00:00Z',
    });
    expect(told(decision)).toBe('none, 2026 at 2026-08-01T00:00Z');
  });

  it('removes the row when date and zone both changed and the day had passed', () => {
    const decision = plan({
      born: '1990-04-01',
      zone: TOKYO,
      changed: '2026-04-20T00:00:00Z',
      open: row(2026, NEW_YORK),
      now: '2026-05-21T00:00:00Z',
    });
    expect(told(decision)).toBe('remove, 2027 at 2027-04-01T00:00Z');
  });
});

describe('settled years', () => {
  it('are never planned again, and the last of them is where planning starts', () => {
    const final = [2021, 2022, 2023, 2024, 2025].map((year) => settled(year, NEW_YORK));
    expect(told(plan({ final, now: '2025-05-20T13:00:05Z' }))).toBe(
      'none, 2026 at 2026-05-20T13:00Z',
    );
  });

  it('without an instant count by their year only', () => {
    const final = [{ year: 2026, fireAt: null }];
    const decision = plan({ created: '2026-01-01T00:00:00Z', final, now: '2026-03-01T00:00:00Z' });
    expect(told(decision)).toBe('none, 2027 at 2027-05-20T13:00Z');
  });

  it('do not hide what comes before an instant that they never reached', () => {
    const final = [{ year: 2027, fireAt: at('2027-05-20T13:00:00Z') }];
    const decision = plan({ created: '2026-01-01T00:00:00Z', final, now: '2026-03-01T00:00:00Z' });
    expect(told(decision)).toBe('none, 2026 at 2026-05-20T13:00Z');
  });

  it('lost from the ledger are not made up for while the open row stands', () => {
    const decision = plan({ open: row(2026, NEW_YORK), now: '2026-03-01T00:00:00Z' });
    expect(told(decision)).toBe('keep, 2026 at 2026-05-20T13:00Z');
  });
});

describe('a plan made again', () => {
  it('changes nothing, and follows a change of zone law or local time', () => {
    const open = row(2026, NEW_YORK);
    const now = '2026-03-01T00:00:00Z';
    expect(told(plan({ open, now }))).toBe('keep, 2026 at 2026-05-20T13:00Z');
    const evening = { leapDayPolicy: 'feb28', localTime: '18:30', law: bundledLaw } as const;
    expect(told(plan({ open, now, rules: evening }))).toBe('keep, 2026 at 2026-05-20T22:30Z');
    const byOldLaw = { ...open, fireAt: (open.fireAt ?? 0) + HOUR_MS };
    expect(told(plan({ open: byOldLaw, now }))).toBe('keep, 2026 at 2026-05-20T13:00Z');
  });
});
