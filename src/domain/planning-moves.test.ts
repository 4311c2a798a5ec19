import { describe, expect, it } from 'vitest';

import {
  HOUR_MS,
  KIRITIMATI,
  NEW_YORK,
  PAGO_PAGO,
  plan,
  row,
  settled,
  told,
  TOKYO,
} from '../../test/domain/planning-support.ts';

describe('S1: sent in Tokyo, then moved to New York, where 9:00 is still to come', () => {
  it('is done: next year in New York', () => {
    const decision = plan({
      changed: '2026-05-20T10:00:00Z',
      open: row(2027, TOKYO),
      final: [settled(2026, TOKYO)],
      now: '2026-05-20T10:00:01Z',
    });
    expect(told(decision)).toBe('keep, 2027 at 2027-05-20T13:00Z');
  });

  it('is done also when the next year was not planned yet', () => {
    const decision = plan({
      changed: '2026-05-20T10:00:00Z',
      final: [settled(2026, TOKYO)],
      now: '2026-05-20T10:00:01Z',
    });
    expect(told(decision)).toBe('none, 2027 at 2027-05-20T13:00Z');
  });
});

describe('S2: not yet 9:00 in New York, moved to Tokyo, where it has passed', () => {
  const moved = {
    zone: TOKYO,
    changed: '2026-05-20T10:00:00Z',
    open: row(2026, NEW_YORK),
    now: '2026-05-20T10:00:01Z',
  };

  it('is owed: due at once', () => {
    expect(told(plan(moved))).toBe('keep, 2026 at 2026-05-20T00:00Z');
  });

  it('is SKIPPED when that is over the late limit', () => {
    const decision = plan({ ...moved, lateLimitMs: 9 * HOUR_MS });
    expect(told(decision)).toBe('skip too_late, 2027 at 2027-05-20T00:00Z');
  });
});

describe('S3: sent in Apia, moved to Pago Pago, where the day is still to come', () => {
  it('is done', () => {
    const decision = plan({
      zone: PAGO_PAGO,
      changed: '2026-05-20T01:00:00Z',
      open: row(2027, 'Pacific/Apia'),
      final: [settled(2026, 'Pacific/Apia')],
      now: '2026-05-20T01:00:01Z',
    });
    expect(told(decision)).toBe('keep, 2027 at 2027-05-20T20:00Z');
  });
});

describe('S4: before 9:00 in Pago Pago, moved to Kiritimati, where it is the day after', () => {
  it('is sent at once when it is not over the late limit', () => {
    const decision = plan({
      zone: KIRITIMATI,
      changed: '2026-05-20T19:59:00Z',
      open: row(2026, PAGO_PAGO),
      now: '2026-05-20T19:59:01Z',
    });
    expect(told(decision)).toBe('keep, 2026 at 2026-05-19T19:00Z');
  });

  it('is SKIPPED with the reason when it is', () => {
    const decision = plan({
      zone: KIRITIMATI,
      changed: '2026-05-20T19:59:00Z',
      open: row(2026, PAGO_PAGO),
      now: '2026-05-20T19:59:01Z',
      lateLimitMs: 24 * HOUR_MS,
    });
    expect(told(decision)).toBe('skip too_late, 2027 at 2027-05-19T19:00Z');
  });

  it.each([
    ['1990-01-01', 2027, '2027-01-01T19:59:00Z', 'keep, 2027 at 2026-12-31T19:00Z'],
    ['1990-12-31', 2026, '2026-12-31T19:59:00Z', 'keep, 2026 at 2026-12-30T19:00Z'],
  ])('holds over New Year for a birthday on %s', (born, year, now, expected) => {
    const open = row(year, PAGO_PAGO, born);
    expect(told(plan({ born, zone: KIRITIMATI, changed: now, open, now }))).toBe(expected);
  });

  it('SKIPS over New Year too, and goes on to the next year', () => {
    const [born, now] = ['1990-01-01', '2027-01-01T19:59:00Z'];
    const open = row(2027, PAGO_PAGO, born);
    const decision = plan({
      born,
      zone: KIRITIMATI,
      changed: now,
      open,
      now,
      lateLimitMs: HOUR_MS,
    });
    expect(told(decision)).toBe('skip too_late, 2028 at 2027-12-31T19:00Z');
  });

  it('does not send twice to someone who moves back over New Year', () => {
    const decision = plan({
      born: '1990-01-01',
      zone: PAGO_PAGO,
      changed: '2026-12-31T20:00:00Z',
      open: row(2028, KIRITIMATI, '1990-01-01'),
      final: [settled(2027, KIRITIMATI, '1990-01-01')],
      now: '2026-12-31T20:00:00Z',
    });
    expect(told(decision)).toBe('keep, 2028 at 2028-01-01T20:00Z');
  });
});
