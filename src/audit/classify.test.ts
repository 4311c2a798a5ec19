/** The class of a birthday whose inputs never changed, or whose user was deleted. */
import { describe, expect, it } from 'vitest';

import {
  classOf,
  DAY,
  failed,
  type Given,
  HOUR,
  MINUTE,
  NINE,
  SENT,
  skipped,
  since,
  until,
  WEEK_AFTER,
} from '../../test/support/audited-birthday.ts';
import type { AuditRow } from './read-audit.ts';

const BLOCKED: Partial<AuditRow> = {
  isBlocked: true,
  dueAt: null,
  localDate: null,
  nextAttemptAt: null,
};

describe('a birthday with a row', () => {
  it.each<[string, Partial<AuditRow>, Given]>([
    ['delivered', SENT, {}],
    ['delivered', { ...SENT, latenessMs: 5 * MINUTE }, {}],
    ['late', { ...SENT, latenessMs: 5 * MINUTE + 1 }, {}],
    ['failed.gave_up', failed('gave_up'), {}],
    ['failed.superseded', failed('superseded'), {}],
    ['skipped.too_late', skipped('too_late'), {}],
    ['skipped.superseded', skipped('superseded'), {}],
    ['pending.toCome', {}, { now: NINE - HOUR }],
    ['pending.toCome', {}, { now: NINE + MINUTE }],
    ['pending.overdue', {}, { now: NINE + 2 * MINUTE }],
    ['pending.overdue', { nextAttemptAt: null }, { now: NINE + 2 * MINUTE }],
    ['pending.overdue', {}, { now: NINE + 48 * HOUR }],
    ['unaccounted', {}, { now: NINE + 49 * HOUR }],
    ['blocked', BLOCKED, {}],
  ])('is %s: %j %j', (expected, row, given) => {
    expect(classOf(row, given)).toBe(expected);
  });

  it('that is leased or was attempted is under way until nothing processes it', () => {
    const leased = { state: 'PROCESSING', nextAttemptAt: NINE + 25_000 } as const;
    expect(classOf(leased, { now: NINE })).toBe('pending.underWay');
    expect(classOf(leased, { now: NINE + HOUR })).toBe('pending.overdue');
    expect(classOf(leased, { now: WEEK_AFTER })).toBe('unaccounted');

    const attempted = { nextAttemptAt: NINE + HOUR, attempts: 4 } as const;
    expect(classOf(attempted, { now: NINE + HOUR })).toBe('pending.underWay');
    expect(classOf(attempted, { now: NINE + 3 * DAY })).toBe('pending.overdue');
    expect(classOf(attempted, { now: WEEK_AFTER })).toBe('unaccounted');
    // Attempts of an earlier due instant do not belong to this one.
    const moved = { ...attempted, earlierAttempts: 4, nextAttemptAt: NINE } as const;
    expect(classOf(moved, { now: NINE + 3 * DAY })).toBe('unaccounted');
  });

  it('that was delivered stays delivered while it is sent again by force', () => {
    const again = { ...SENT, state: 'PENDING', redeliveries: 1, isForced: true } as const;
    expect(classOf(again)).toBe('delivered');
  });

  it('that failed is under way while it is redelivered, however late', () => {
    const again = { nextAttemptAt: WEEK_AFTER, redeliveries: 1, attempts: 3, earlierAttempts: 3 };
    expect(classOf(again, { now: WEEK_AFTER })).toBe('pending.underWay');
  });

  it('is unaccounted if the history contradicts the row', () => {
    expect(classOf({ ...SENT, timezone: 'Asia/Tokyo' })).toBe('unaccounted');
    expect(classOf({ ...SENT, date: '1990-05-21' })).toBe('unaccounted');
    for (const reason of ['user_deleted', 'date_changed', 'suspended']) {
      expect([reason, classOf(skipped(reason))]).toEqual([reason, 'unaccounted']);
      expect([reason, classOf(failed(reason))]).toEqual([reason, 'unaccounted']);
    }
  });
});

describe('a birthday without a row', () => {
  it('is to come, or unaccounted two minutes after the instant', () => {
    expect(classOf(null, { now: NINE - DAY })).toBe('pending.unplanned');
    expect(classOf(null, { now: NINE + MINUTE })).toBe('pending.unplanned');
    expect(classOf(null, { now: NINE + 2 * MINUTE })).toBe('unaccounted');
  });

  it('is to come while the previous one is open, and behind it once it is past', () => {
    expect(classOf(null, { now: NINE - 400 * DAY, front: {} })).toBe('pending.toCome');
    const retried = { attempts: 9, nextAttemptAt: NINE + HOUR };
    expect(classOf(null, { now: NINE + HOUR, front: retried })).toBe('pending.behind');
    // A row that nothing processes any more hides nothing.
    expect(classOf(null, { now: NINE + HOUR, front: {} })).toBe('unaccounted');
  });

  it('is blocked if its zone is unknown, or an earlier one is blocked', () => {
    expect(classOf(null, { history: [since(0, { timezone: 'Mars/Olympus_Mons' })] })).toBe(
      'blocked',
    );
    expect(classOf(null, { front: BLOCKED })).toBe('blocked');
  });
});

describe('a birthday of a user who was deleted', () => {
  const history = [until(NINE + HOUR)];

  it('is deleted, if nothing was attempted before', () => {
    expect(classOf(skipped('user_deleted'), { history })).toBe('deleted');
    expect(classOf({}, { history })).toBe('deleted');
    expect(classOf(null, { history })).toBe('deleted');
  });

  it('keeps its class, if it was settled or attempted', () => {
    expect(classOf(SENT, { history })).toBe('delivered');
    expect(classOf(failed('gone'), { history })).toBe('failed.gone');
    expect(classOf(failed('user_deleted'), { history })).toBe('failed.user_deleted');
  });

  it('does not excuse one that was missed long before', () => {
    const late = [until(NINE + 3 * DAY)];
    expect(classOf(null, { history: late, now: WEEK_AFTER })).toBe('unaccounted');
    expect(classOf({}, { history: late, now: WEEK_AFTER })).toBe('unaccounted');
  });

  it('was not due if the deletion came first', () => {
    expect(classOf(null, { history: [until(NINE)] })).toBeNull();
  });
});
