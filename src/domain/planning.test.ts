import { describe, expect, it } from 'vitest';

import {
  KIRITIMATI,
  NEW_YORK,
  plan,
  row,
  settled,
  told,
} from '../../test/domain/planning-support.ts';
import { bundledLaw } from '../../test/support/zone-laws.ts';
import type { DateRules } from './rules.ts';

describe('S5: sent, then the date of birth corrected to the day after', () => {
  it('is done for this year', () => {
    const decision = plan({
      born: '1990-05-21',
      changed: '2026-05-20T15:00:00Z',
      open: row(2027, NEW_YORK),
      final: [settled(2026, NEW_YORK)],
      now: '2026-05-20T15:00:01Z',
    });
    expect(told(decision)).toBe('keep, 2027 at 2027-05-21T13:00Z');
  });
});

describe('S6: the date of birth changed while the delivery is armed', () => {
  const armed = { changed: '2026-05-20T12:59:58Z', now: '2026-05-20T12:59:59Z' };

  it('moves to a day to come', () => {
    const decision = plan({ ...armed, born: '1990-09-01', open: row(2026, NEW_YORK) });
    expect(told(decision)).toBe('keep, 2026 at 2026-09-01T13:00Z');
  });

  it('is removed when the new day has passed: never owed', () => {
    const decision = plan({ ...armed, born: '1990-05-19', open: row(2026, NEW_YORK) });
    expect(told(decision)).toBe('remove, 2027 at 2027-05-19T13:00Z');
  });

  it('is SKIPPED, not removed, once it was tried', () => {
    const open = row(2026, NEW_YORK, '1990-05-20', 2);
    const decision = plan({
      born: '1990-05-19',
      changed: '2026-05-20T13:00:05Z',
      open,
      now: '2026-05-20T13:00:06Z',
    });
    expect(told(decision)).toBe('skip date_changed, 2027 at 2027-05-19T13:00Z');
  });

  it('keeps its key when it was tried and the new day is to come', () => {
    const open = row(2026, NEW_YORK, '1990-05-20', 2);
    const decision = plan({
      born: '1990-05-21',
      changed: '2026-05-20T13:00:05Z',
      open,
      now: '2026-05-20T13:00:06Z',
    });
    expect(told(decision)).toBe('keep, 2026 at 2026-05-21T13:00Z');
  });
});

describe('S7: a leapling, and the leap-day rule switched', () => {
  const born = '2000-02-29';
  const mar1: DateRules = { leapDayPolicy: 'mar1', localTime: '09:00', law: bundledLaw };

  it('is done when it was sent on 28 February', () => {
    const decision = plan({
      born,
      open: row(2027, NEW_YORK, born),
      final: [settled(2026, NEW_YORK, born)],
      now: '2026-02-28T20:00:00Z',
      rules: mar1,
    });
    expect(told(decision)).toBe('keep, 2027 at 2027-03-01T14:00Z');
  });

  it('moves the open row to 1 March', () => {
    const open = row(2026, NEW_YORK, born);
    const decision = plan({ born, open, now: '2026-02-20T00:00:00Z', rules: mar1 });
    expect(told(decision)).toBe('keep, 2026 at 2026-03-01T14:00Z');
  });

  it('owes it at once when the switch makes it past', () => {
    const open = row(2026, NEW_YORK, born, 0, mar1);
    const decision = plan({ born, open, now: '2026-02-28T20:00:00Z' });
    expect(told(decision)).toBe('keep, 2026 at 2026-02-28T14:00Z');
  });

  it('comes back to 29 February in a leap year', () => {
    const final = [settled(2027, NEW_YORK, born)];
    expect(told(plan({ born, final, now: '2027-03-02T00:00:00Z' }))).toBe(
      'none, 2028 at 2028-02-29T14:00Z',
    );
  });

  it('owes nobody a day that was not theirs by the rule of that time', () => {
    const decision = plan({
      born,
      created: '2026-02-28T20:00:00Z',
      open: row(2027, NEW_YORK, born),
      now: '2026-03-02T12:00:00Z',
      rules: mar1,
    });
    expect(told(decision)).toBe('keep, 2027 at 2027-03-01T14:00Z');
  });

  it('takes the day that the new rule still brings', () => {
    const decision = plan({
      born,
      created: '2026-02-28T20:00:00Z',
      open: row(2027, NEW_YORK, born),
      now: '2026-02-28T21:00:00Z',
      rules: mar1,
    });
    expect(told(decision)).toBe('remove, 2026 at 2026-03-01T14:00Z');
  });
});

describe('S8: 1 January in Kiritimati', () => {
  const new_year = { born: '1990-01-01', zone: KIRITIMATI };

  it('is of the new year, and fires in the old one of UTC', () => {
    const final = [settled(2026, KIRITIMATI, '1990-01-01')];
    const decision = plan({ ...new_year, final, now: '2026-06-01T00:00:00Z' });
    expect(told(decision)).toBe('none, 2027 at 2026-12-31T19:00Z');
  });

  it('comes next a year later', () => {
    const final = [settled(2027, KIRITIMATI, '1990-01-01')];
    const decision = plan({ ...new_year, final, now: '2026-12-31T19:00:02Z' });
    expect(told(decision)).toBe('none, 2028 at 2027-12-31T19:00Z');
  });
});

describe('S9: created on the birthday', () => {
  it.each([
    ['08:59', '2026-05-20T12:59:00Z', 'none, 2026 at 2026-05-20T13:00Z'],
    ['09:00', '2026-05-20T13:00:00Z', 'none, 2027 at 2027-05-20T13:00Z'],
    ['09:01', '2026-05-20T13:01:00Z', 'none, 2027 at 2027-05-20T13:00Z'],
  ])('at %s local', (_local, created, expected) => {
    expect(told(plan({ created, now: created }))).toBe(expected);
  });

  it('at 08:59, planned only at 09:05: owed', () => {
    const decision = plan({ created: '2026-05-20T12:59:00Z', now: '2026-05-20T13:05:00Z' });
    expect(told(decision)).toBe('none, 2026 at 2026-05-20T13:00Z');
  });

  it('at 08:59, planned only three days later: recorded as missed', () => {
    const decision = plan({ created: '2026-05-20T12:59:00Z', now: '2026-05-23T13:05:00Z' });
    expect(told(decision)).toBe('none missed 2026, 2027 at 2027-05-20T13:00Z');
  });

  it('is not greeted on the day of birth', () => {
    const decision = plan({
      born: '2026-05-20',
      created: '2026-05-20T05:00:00Z',
      now: '2026-05-20T05:00:00Z',
    });
    expect(told(decision)).toBe('none, 2027 at 2027-05-20T13:00Z');
  });
});

describe('S12: everything was down', () => {
  it('for 25 h: sent late', () => {
    const decision = plan({ open: row(2026, NEW_YORK), now: '2026-05-21T14:00:00Z' });
    expect(told(decision)).toBe('keep, 2026 at 2026-05-20T13:00Z');
  });

  it('for 48 h, to the ms: sent late', () => {
    const decision = plan({ open: row(2026, NEW_YORK), now: '2026-05-22T13:00:00Z' });
    expect(told(decision)).toBe('keep, 2026 at 2026-05-20T13:00Z');
  });

  it('for 3 days: SKIPPED, and next year planned', () => {
    const decision = plan({ open: row(2026, NEW_YORK), now: '2026-05-23T13:00:00Z' });
    expect(told(decision)).toBe('skip too_late, 2027 at 2027-05-20T13:00Z');
  });

  it('for 3 days after a first attempt: still owed, because the limit gates only the first', () => {
    const open = row(2026, NEW_YORK, '1990-05-20', 1);
    const decision = plan({ open, now: '2026-05-23T13:00:00Z' });
    expect(told(decision)).toBe('keep, 2026 at 2026-05-20T13:00Z');
  });

  it('for three years: each is recorded, and the next planned', () => {
    const decision = plan({ open: row(2024, NEW_YORK), now: '2026-06-01T00:00:00Z' });
    expect(told(decision)).toBe('skip too_late missed 2025 missed 2026, 2027 at 2027-05-20T13:00Z');
  });

  it('for two years, up to the day after: the last is owed', () => {
    const decision = plan({ open: row(2025, NEW_YORK), now: '2026-05-21T00:00:00Z' });
    expect(told(decision)).toBe('skip too_late, 2026 at 2026-05-20T13:00Z');
  });

  it('without an open row: after the last settled year', () => {
    const decision = plan({ final: [settled(2024, NEW_YORK)], now: '2026-05-21T00:00:00Z' });
    expect(told(decision)).toBe('none missed 2025, 2026 at 2026-05-20T13:00Z');
  });
});

describe('S15: corrected 12-01 → 03-01 → 12-01 in summer', () => {
  it('is greeted on 12-01 of this year', () => {
    const [december, march] = ['1990-12-01', '1990-03-01'];
    const first = plan({
      born: march,
      changed: '2026-07-01T00:00:00Z',
      open: row(2026, NEW_YORK, december),
      now: '2026-07-01T00:00:01Z',
    });
    expect(told(first)).toBe('remove, 2027 at 2027-03-01T14:00Z');
    const second = plan({
      born: december,
      changed: '2026-07-02T00:00:00Z',
      open: row(2027, NEW_YORK, march),
      now: '2026-07-02T00:00:01Z',
    });
    expect(told(second)).toBe('remove, 2026 at 2026-12-01T14:00Z');
  });

  it('is greeted late when the last correction was planned only after that day', () => {
    const decision = plan({
      born: '1990-12-01',
      changed: '2026-07-02T00:00:00Z',
      open: row(2027, NEW_YORK, '1990-03-01'),
      now: '2026-12-02T14:00:00Z',
    });
    expect(told(decision)).toBe('remove, 2026 at 2026-12-01T14:00Z');
  });

  it('records this year as missed when it was planned a week after', () => {
    const decision = plan({
      born: '1990-12-01',
      changed: '2026-07-02T00:00:00Z',
      open: row(2027, NEW_YORK, '1990-03-01'),
      now: '2026-12-09T14:00:00Z',
    });
    expect(told(decision)).toBe('keep missed 2026, 2027 at 2027-12-01T14:00Z');
  });
});
