import { describe, expect, it } from 'vitest';

import { NEW_YORK, plan, row, settled, told } from '../../test/domain/planning-support.ts';
import type { OpenRow } from './planning.ts';

describe('facts that cannot be planned', () => {
  const unknown = { zone: 'Mars/Olympus', now: '2026-03-01T00:00:00Z' };

  it('give a blocked row for the year that is likely, with the reason', () => {
    const decision = plan({ ...unknown, created: '2026-01-01T00:00:00Z' });
    expect(told(decision)).toBe('none, blocked 2026');
    expect(decision.next).toHaveProperty(
      'reason',
      'The time zone "Mars/Olympus" is not in the tz database of this installation.',
    );
  });

  it('do not take a settled year', () => {
    const created = '2026-01-01T00:00:00Z';
    const final = [settled(2026, NEW_YORK)];
    expect(told(plan({ ...unknown, created, final }))).toBe('none, blocked 2027');
    expect(told(plan({ ...unknown, born: '1990-02-30', created, final }))).toBe(
      'none, blocked 2027',
    );
  });

  it('block the open row and keep it, also one that was tried', () => {
    expect(told(plan({ ...unknown, open: row(2026, NEW_YORK) }))).toBe('keep, blocked 2026');
    const tried = row(2026, NEW_YORK, '1990-05-20', 1);
    expect(told(plan({ ...unknown, open: tried }))).toBe('keep, blocked 2026');
  });

  it('are planned anew when they can be', () => {
    const blocked: OpenRow = { ...row(2026, NEW_YORK), fireAt: null };
    const created = '2026-01-01T00:00:00Z';
    const toldAt = (now: string) => told(plan({ created, open: blocked, now }));
    expect(toldAt('2026-03-01T00:00:00Z')).toBe('keep, 2026 at 2026-05-20T13:00Z');
    expect(toldAt('2026-05-21T00:00:00Z')).toBe('keep, 2026 at 2026-05-20T13:00Z');
    expect(toldAt('2026-06-01T00:00:00Z')).toBe('skip too_late, 2027 at 2027-05-20T13:00Z');
  });

  it('leave no row behind for a year that turns out to be another', () => {
    const blocked: OpenRow = { ...row(2026, NEW_YORK), fireAt: null };
    const decision = plan({
      created: '2026-05-20T13:00:00Z',
      open: blocked,
      now: '2026-05-20T14:00:00Z',
    });
    expect(told(decision)).toBe('remove, 2027 at 2027-05-20T13:00Z');
  });

  it('go on with a tried row when they can be planned again', () => {
    const blocked: OpenRow = { ...row(2026, NEW_YORK, '1990-05-20', 2), fireAt: null };
    const decision = plan({ open: blocked, now: '2026-06-01T00:00:00Z' });
    expect(told(decision)).toBe('keep, 2026 at 2026-05-20T13:00Z');
  });
});
