import { expect, test } from 'vitest';

import type { AuditReport } from './report.ts';
import { auditTable } from './table.ts';

const NONE = { count: 0, first: [] };
/** Ten were due, and all of them were delivered. */
const DELIVERED: AuditReport = {
  date: '2027-05-20',
  auditedAt: '2027-05-22T00:00:00.000Z',
  settings: { localTime: '09:00', leapDayPolicy: 'feb28', tzVersion: '2026c' },
  clean: true,
  due: 10,
  delivered: 10,
  late: 0,
  failed: { total: 0, byReason: {} },
  skipped: { total: 0, byReason: {} },
  pending: { total: 0, toCome: 0, unplanned: 0, behind: 0, underWay: 0, overdue: 0 },
  blocked: 0,
  deleted: 0,
  erased: { total: 0, delivered: 0, failed: 0, skipped: 0 },
  changedSince: 0,
  unaccounted: NONE,
  doubles: NONE,
  unexpected: NONE,
  types: [],
};

const lastLine = (audit: AuditReport): string | undefined => auditTable(audit).split('\n').at(-2);

test('says that all are accounted for, and nothing else if all were delivered', () => {
  expect(lastLine(DELIVERED)).toBe('Everyone is accounted for.');
});

test('says how many of the accounted ones were not delivered, and why', () => {
  const audit = {
    ...DELIVERED,
    delivered: 1,
    failed: { total: 3, byReason: { gone: 3 } },
    skipped: { total: 1, byReason: { too_late: 1 } },
    pending: { ...DELIVERED.pending, total: 2, overdue: 2 },
    erased: { total: 3, delivered: 1, failed: 1, skipped: 1 },
  };
  expect(lastLine(audit)).toBe(
    'Everyone is accounted for. Not delivered: 8 (4 failed, 2 skipped, 2 overdue).',
  );
});

test('with one unaccounted says where to look', () => {
  const unaccounted = { count: 1, first: ['birthday:1:2027'] };
  const audit = { ...DELIVERED, delivered: 9, clean: false, unaccounted };
  expect(lastLine(audit)).toBe('See docs/reliability.md for what to do.');
});
