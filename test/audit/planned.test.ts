/** A birthday that changes on its day, planned by the real planner and then audited. */
import { expect, test } from 'vitest';

import { counted, DAY, HOUR, MINUTE, useAuditFixture } from '../support/audit-fixture.ts';

const fixture = useAuditFixture();

const BERLIN = { dateOfBirth: '1990-05-20', timezone: 'Europe/Berlin' };
const SPRING = Date.UTC(2026, 3, 1);
/** On 20 May in Berlin. */
const NINE_O_CLOCK = Date.UTC(2026, 4, 20, 7);
const DECEMBER = Date.UTC(2026, 11, 1, 8);
const LATER = DECEMBER + 5 * DAY;

const keyOf = (userId: string) => `birthday:${userId}:2026`;

async function auditOf(date: string, now = LATER) {
  const report = await fixture.audit(date, now);
  return { ...counted(report), ...report.failed.byReason };
}

test('deleted before it was attempted, and after', async () => {
  const owed = await fixture.add(BERLIN, SPRING);
  await fixture.remove(owed, NINE_O_CLOCK + HOUR);
  const attempted = await fixture.add(BERLIN, SPRING);
  await fixture.attempt(keyOf(attempted), NINE_O_CLOCK);
  await fixture.remove(attempted, NINE_O_CLOCK + HOUR);
  expect(await auditOf('2026-05-20')).toEqual({ due: 2, failed: 1, user_deleted: 1, deleted: 1 });
});

test('attempted, then corrected to a past day, and to a future one', async () => {
  const userId = await fixture.add(BERLIN, SPRING);
  await fixture.attempt(keyOf(userId), NINE_O_CLOCK);
  await fixture.change(userId, { dateOfBirth: '1990-03-01' }, NINE_O_CLOCK + HOUR);
  expect(await auditOf('2026-05-20')).toEqual({ due: 1, failed: 1, date_changed: 1 });
  expect(await auditOf('2026-03-01')).toEqual({});

  await fixture.change(userId, { dateOfBirth: '1990-12-01' }, NINE_O_CLOCK + 2 * HOUR);
  expect(await auditOf('2026-05-20')).toEqual({ due: 1, changedSince: 1 });
  expect(await auditOf('2026-12-01', NINE_O_CLOCK + DAY)).toEqual({ due: 1, toCome: 1 });
  await fixture.settle(keyOf(userId), 'COMPLETED', DECEMBER);
  expect(await auditOf('2026-12-01')).toEqual({ due: 1, delivered: 1 });
});

test('skipped, and delivered when a corrected date fell due later', async () => {
  const userId = await fixture.add(BERLIN, SPRING);
  await fixture.plan(userId, NINE_O_CLOCK + 3 * DAY);
  expect(await auditOf('2026-05-20')).toEqual({ due: 1, too_late: 1 });
  await fixture.change(userId, { dateOfBirth: '1990-12-01' }, NINE_O_CLOCK + 4 * DAY);
  await fixture.settle(keyOf(userId), 'COMPLETED', DECEMBER + 10 * MINUTE);
  expect(await auditOf('2026-05-20')).toEqual({ due: 1, changedSince: 1 });
  expect(await auditOf('2026-12-01')).toEqual({ due: 1, late: 1 });
});

test("superseded by the next year's, because nothing ran for a year", async () => {
  const userId = await fixture.add(BERLIN, SPRING);
  await fixture.attempt(keyOf(userId), NINE_O_CLOCK);
  const yearLater = Date.UTC(2027, 4, 20, 8);
  expect(await auditOf('2027-05-20', yearLater - 30 * MINUTE)).toMatchObject({ due: 1 });
  await fixture.plan(userId, yearLater);
  expect(await auditOf('2026-05-20', yearLater)).toEqual({ due: 1, failed: 1, superseded: 1 });
  expect(await auditOf('2027-05-20', yearLater)).toEqual({ due: 1, overdue: 1 });
});

test('moved into the past on its day by a new local time, and sent at that change', async () => {
  const change = NINE_O_CLOCK - HOUR;
  const userId = await fixture.add(BERLIN, SPRING);
  const other = await fixture.add(BERLIN, change + MINUTE);
  await fixture.addRules({ localTime: '07:30' }, change);
  await fixture.plan(userId, change);
  expect(await fixture.openOf(userId)).toMatchObject({
    key: keyOf(userId),
    dueAt: NINE_O_CLOCK - 90 * MINUTE,
  });
  await fixture.settle(keyOf(userId), 'COMPLETED', change);
  // Created after it: not due this year.
  await fixture.plan(other, change + 2 * MINUTE);
  expect(await auditOf('2026-05-20')).toEqual({ due: 1, late: 1 });
});
