import { describe, expect, it } from 'vitest';

import type { Due, HeldFacts } from '../domain/due.ts';
import { type AuditClass, type AuditTerms, classify } from './audit-class.ts';
import type { AuditRow } from './audit.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NINE = Date.UTC(2026, 4, 20, 7);
const DAY_AFTER = NINE + DAY;
const WEEK_AFTER = NINE + 7 * DAY;

const BERLIN: HeldFacts = {
  dateOfBirth: '1990-05-20',
  timezone: 'Europe/Berlin',
  from: Date.UTC(2020, 0, 1),
  until: null,
};
const DUE: Due = {
  year: 2026,
  localDate: '2026-05-20',
  fireAt: NINE,
  facts: BERLIN,
  isZoneKnown: true,
};
const PLANNED: AuditRow = {
  key: 'birthday:019a0000-0000-7000-8000-000000000000:2026',
  isOfDay: true,
  year: 2026,
  state: 'PENDING',
  reason: null,
  isBlocked: false,
  anchorDate: '1990-05-20',
  timezone: 'Europe/Berlin',
  localTime: '09:00',
  leapDayPolicy: 'feb28',
  localDate: '2026-05-20',
  fireAt: NINE,
  nextAttemptAt: null,
  retryAt: null,
  attempts: 0,
  deliveredAt: null,
  latenessMs: null,
  redeliveries: 0,
  isForced: false,
  deliveries: 0,
};
const SENT: Partial<AuditRow> = {
  state: 'COMPLETED',
  attempts: 1,
  deliveredAt: NINE + 40,
  latenessMs: 40,
};
const BLOCKED: Partial<AuditRow> = { isBlocked: true, fireAt: null, localDate: null };

interface Given {
  readonly now?: number;
  readonly history?: readonly HeldFacts[];
  /** Of the year before. */
  readonly open?: Partial<AuditRow>;
  readonly isDueByAllSettings?: boolean;
  readonly isZoneKnown?: boolean;
  readonly dueIn?: HeldFacts;
}

function classOf(row: Partial<AuditRow> | null, given: Given = {}): string {
  const { now = DAY_AFTER, history = [BERLIN], open, isDueByAllSettings = true } = given;
  const { isZoneKnown = true, dueIn = history[0] ?? BERLIN } = given;
  const terms: AuditTerms = {
    now,
    lateAfterMs: 5 * MINUTE,
    lateLimitMs: 48 * HOUR,
    giveUpAfterMs: 72 * HOUR,
  };
  const person = {
    due: { ...DUE, facts: dueIn, isZoneKnown },
    history,
    row: row && { ...PLANNED, ...row },
    open: open === undefined ? null : { ...PLANNED, year: 2025, ...open },
    isDueByAllSettings,
  };
  return told(classify(person, terms));
}

function told(found: AuditClass): string {
  if (found.kind === 'pending') return `pending ${found.stage}`;
  return found.kind === 'skipped' ? `skipped ${found.reason}` : found.kind;
}

const until = (at: number): HeldFacts => ({ ...BERLIN, until: at });
const then = (from: number, facts: Partial<HeldFacts>): HeldFacts => ({
  ...BERLIN,
  from,
  ...facts,
});
/** Born on 20 May until an instant, and on another day from then on. */
const corrected = (at: number, dateOfBirth: string) => [until(at), then(at, { dateOfBirth })];

describe('what became of somebody with a row', () => {
  it.each<[string, Partial<AuditRow>, Given]>([
    ['delivered', SENT, {}],
    ['delivered', { ...SENT, latenessMs: 5 * MINUTE }, {}],
    ['late', { ...SENT, latenessMs: 5 * MINUTE + 1 }, {}],
    ['failed', { state: 'FAILED', attempts: 9 }, {}],
    ['skipped too_late', { state: 'SKIPPED', reason: 'too_late' }, {}],
    ['pending toCome', {}, { now: NINE - HOUR }],
    ['pending toCome', {}, { now: NINE + MINUTE }],
    ['pending overdue', {}, { now: NINE + 2 * MINUTE }],
    ['pending overdue', {}, { now: NINE + 48 * HOUR }],
    ['unaccounted', {}, { now: NINE + 49 * HOUR }],
    ['blocked', BLOCKED, {}],
    ['delivered', SENT, { isZoneKnown: false }],
  ])('is %s: %j %j', (expected, row, given) => {
    expect(classOf(row, given)).toBe(expected);
  });

  it('that is armed or was tried is under way while somebody is at it', () => {
    const armed = { state: 'PROCESSING', nextAttemptAt: NINE } as const;
    expect(classOf(armed, { now: NINE })).toBe('pending underWay');
    expect(classOf(armed, { now: NINE + HOUR })).toBe('pending overdue');
    expect(classOf(armed, { now: WEEK_AFTER })).toBe('pending overdue');

    // Its next attempt is Temporal's.
    const tried = { state: 'PROCESSING', retryAt: NINE + HOUR, attempts: 4 } as const;
    expect(classOf(tried, { now: NINE + HOUR })).toBe('pending underWay');
    expect(classOf(tried, { now: NINE + 2 * HOUR })).toBe('pending overdue');
    expect(classOf(tried, { now: WEEK_AFTER })).toBe('unaccounted');
  });

  it('that was delivered stays so while it is sent again by force', () => {
    const again = { ...SENT, state: 'PROCESSING', redeliveries: 1, isForced: true } as const;
    expect(classOf(again)).toBe('delivered');
  });

  it('is unaccounted when the row says what cannot be', () => {
    expect(classOf({ ...SENT, attempts: 0 })).toBe('unaccounted');
    expect(classOf({ ...SENT, deliveredAt: null })).toBe('unaccounted');
    expect(classOf({ ...SENT, timezone: 'Asia/Tokyo' })).toBe('unaccounted');
    expect(classOf({ ...SENT, anchorDate: '1990-05-21' })).toBe('unaccounted');
    expect(classOf({ state: 'SKIPPED', reason: 'user_deleted' })).toBe('unaccounted');
    expect(classOf({ state: 'SKIPPED', reason: 'date_changed' })).toBe('unaccounted');
  });
});

describe('what became of somebody without one', () => {
  it('is to come, or unaccounted two minutes after the instant', () => {
    expect(classOf(null, { now: NINE - DAY })).toBe('pending unplanned');
    expect(classOf(null, { now: NINE + MINUTE })).toBe('pending unplanned');
    expect(classOf(null, { now: NINE + 2 * MINUTE })).toBe('unaccounted');
    expect(classOf(null, { now: NINE + 2 * MINUTE, open: {} })).toBe('unaccounted');
  });

  it('is to come when another year comes first', () => {
    expect(classOf(null, { now: NINE - 400 * DAY, open: {} })).toBe('pending toCome');
  });

  it('is blocked when its zone is not known, or an earlier year is blocked', () => {
    expect(classOf(null, { isZoneKnown: false })).toBe('blocked');
    expect(classOf(null, { open: BLOCKED })).toBe('blocked');
  });

  it('is not held against settings under which the day was not planned', () => {
    expect(classOf(null, { isDueByAllSettings: false })).toBe('otherSettings');
  });
});

describe('what became of somebody who was deleted', () => {
  it('is that, if nothing was settled before', () => {
    const history = [until(NINE + HOUR)];
    expect(classOf({ state: 'SKIPPED', reason: 'user_deleted' }, { history })).toBe('deleted');
    expect(classOf({}, { history })).toBe('deleted');
    expect(classOf(null, { history })).toBe('deleted');
  });

  it('is what it was, if it was settled', () => {
    const history = [until(NINE + HOUR)];
    expect(classOf(SENT, { history })).toBe('delivered');
    expect(classOf({ state: 'FAILED' }, { history })).toBe('failed');
  });

  it('is no excuse for a birthday that was missed long before', () => {
    const history = [until(NINE + 3 * DAY)];
    expect(classOf(null, { history, now: WEEK_AFTER })).toBe('unaccounted');
    expect(classOf({}, { history, now: WEEK_AFTER })).toBe('unaccounted');
  });
});

describe('what became of somebody who changed', () => {
  const TO_JUNE = corrected(NINE + HOUR, '1990-06-20');
  const IN_JUNE = { anchorDate: '1990-06-20', localDate: '2026-06-20', fireAt: NINE + 31 * DAY };

  it('is that the year has another day, whatever came of it there', () => {
    for (const state of [{}, SENT, { state: 'FAILED' }] as const) {
      expect(classOf({ ...IN_JUNE, ...state }, { history: TO_JUNE })).toBe('changedSince');
    }
  });

  it('is that the year was settled before its day became this one', () => {
    const dueIn = then(NINE - DAY, {});
    const history = [{ ...until(NINE - DAY), dateOfBirth: '1990-03-20' }, dueIn];
    const inMarch = { anchorDate: '1990-03-20', localDate: '2026-03-20', fireAt: NINE - 61 * DAY };
    expect(classOf({ ...inMarch, ...SENT }, { history, dueIn })).toBe('changedSince');
    // A plan that does not know of the change.
    expect(classOf(inMarch, { history, dueIn, now: NINE })).toBe('pending toCome');
    expect(classOf(inMarch, { history, dueIn })).toBe('pending overdue');
    expect(classOf(inMarch, { history, dueIn, now: WEEK_AFTER })).toBe('unaccounted');
  });

  it('is that it was dropped, if it was still owed when the day was changed', () => {
    expect(classOf(null, { history: corrected(NINE + HOUR, '1990-03-20') })).toBe('changedSince');
    const monthLater = corrected(NINE + 30 * DAY, '1990-03-20');
    expect(classOf(null, { history: monthLater })).toBe('unaccounted');
    const moved = [until(NINE + HOUR), then(NINE + HOUR, { timezone: 'Asia/Tokyo' })];
    expect(classOf(null, { history: moved })).toBe('unaccounted');
  });

  it('is the row, in whichever zone of that day it was planned', () => {
    const history = [until(NINE + HOUR), then(NINE + HOUR, { timezone: 'Asia/Tokyo' })];
    expect(classOf({ ...SENT, timezone: 'Asia/Tokyo' }, { history })).toBe('delivered');
    expect(classOf(SENT, { history, dueIn: history[1] as HeldFacts })).toBe('delivered');
  });

  it('is SKIPPED with the reason when it was tried, if there was such a change', () => {
    const skipped = { state: 'SKIPPED', reason: 'date_changed', attempts: 2 } as const;
    expect(classOf(skipped, { history: TO_JUNE })).toBe('skipped date_changed');
  });
});
