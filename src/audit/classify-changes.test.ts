/** The class of a birthday whose inputs, or the rules, have changed. */
import { describe, expect, it } from 'vitest';

import {
  classOf,
  DAY,
  failed,
  HOUR,
  MINUTE,
  NINE,
  rulesAt,
  SENT,
  skipped,
  since,
  until,
  WEEK_AFTER,
} from '../../test/support/audited-birthday.ts';

/** Born on 20 May until an instant, and on another day from then on. */
const corrected = (at: number, date: string) => [until(at), since(at, { date })];

describe('a birthday whose inputs changed', () => {
  const TO_JUNE = corrected(NINE + HOUR, '1990-06-20');
  const IN_JUNE = {
    date: '1990-06-20',
    nominalDate: '2026-06-20',
    localDate: '2026-06-20',
    dueAt: NINE + 31 * DAY,
    nextAttemptAt: NINE + 31 * DAY,
  };

  it('is counted on the day that it was moved to, whatever its outcome there', () => {
    for (const state of [{}, SENT, failed('refused'), { attempts: 2, earlierAttempts: 2 }]) {
      expect(classOf({ ...IN_JUNE, ...state }, { history: TO_JUNE })).toBe('changedSince');
      const there = { history: TO_JUNE, day: '2026-06-20', now: NINE };
      expect(classOf({ ...IN_JUNE, ...state }, there)).not.toBe('changedSince');
    }
  });

  it('is settled with that reason if its date was changed to one in the past', () => {
    const history = corrected(NINE + HOUR, '1990-03-20');
    expect(classOf(skipped('date_changed'), { history })).toBe('skipped.date_changed');
    expect(classOf(failed('date_changed'), { history })).toBe('failed.date_changed');
    expect(classOf(null, { history })).toBe('unaccounted');
  });

  it('was settled on another day before its date became this one', () => {
    const history = [{ ...until(NINE - DAY), date: '1990-03-20' }, since(NINE - DAY, {})];
    const inMarch = {
      date: '1990-03-20',
      nominalDate: '2026-03-20',
      localDate: '2026-03-20',
      dueAt: NINE - 61 * DAY,
    };
    expect(classOf({ ...inMarch, ...SENT }, { history })).toBe('changedSince');
    // A plan made before the change.
    expect(classOf(inMarch, { history, now: NINE })).toBe('pending.toCome');
    expect(classOf(inMarch, { history })).toBe('pending.overdue');
    expect(classOf(inMarch, { history, now: WEEK_AFTER })).toBe('unaccounted');
  });

  it('is the row, in whichever zone it was planned that day, and counted once', () => {
    const history = [
      { ...until(NINE + HOUR), timezone: 'Asia/Tokyo' },
      since(NINE + HOUR, { timezone: 'America/New_York' }),
    ];
    expect(classOf({ ...SENT, timezone: 'Asia/Tokyo' }, { history })).toBe('delivered');
    expect(classOf({ ...SENT, timezone: 'America/New_York' }, { history })).toBe('delivered');
    expect(classOf(null, { history, now: NINE + 90 * MINUTE })).toBe('unaccounted');
  });

  it('fell due at the move, if that moved its instant into the past', () => {
    // Nine o'clock in Tokyo was at midnight UTC; in New York it is at 13:00.
    const moved = Date.UTC(2026, 4, 20, 11);
    const history = [
      { ...until(moved), timezone: 'America/New_York' },
      since(moved, { timezone: 'Asia/Tokyo' }),
    ];
    expect(classOf(null, { history, now: moved + MINUTE })).toBe('pending.unplanned');
    expect(classOf(null, { history, now: moved + 2 * MINUTE })).toBe('unaccounted');
    const row = { timezone: 'Asia/Tokyo', dueAt: Date.UTC(2026, 4, 20) };
    expect(classOf(row, { history, now: moved + MINUTE })).toBe('pending.toCome');
    expect(classOf(row, { history, now: moved + 3 * MINUTE })).toBe('pending.overdue');
  });
});

describe('a birthday under rules that changed', () => {
  it('falls due by the rules of its time', () => {
    const evening = Date.UTC(2026, 4, 20, 16);
    const created = [since(NINE + HOUR, {})];
    // Created after nine, when that was the local time.
    expect(classOf(null, { history: created })).toBeNull();
    const sixInTheEvening = { localTime: '18:00' };
    const before = rulesAt(NINE - DAY, sixInTheEvening);
    expect(classOf(null, { history: created, rules: before, now: evening })).toBe(
      'pending.unplanned',
    );
    // A later change owes nothing for a day that is over.
    const after = rulesAt(NINE + 2 * DAY, sixInTheEvening);
    expect(classOf(null, { history: created, rules: after })).toBeNull();
  });

  it('that was in the future and is past under the new local time is owed from then on', () => {
    const changed = NINE - HOUR;
    const rules = rulesAt(changed, { localTime: '07:00' });
    expect(classOf(null, { rules, now: changed + MINUTE })).toBe('pending.unplanned');
    expect(classOf(null, { rules, now: changed + 2 * MINUTE })).toBe('unaccounted');
    const row = { localTime: '07:00', dueAt: NINE - 2 * HOUR };
    expect(classOf({ ...row, ...SENT }, { rules })).toBe('delivered');
  });

  it('counts as done on the day on which it was sent, and as moved on the other (S7)', () => {
    const born = { date: '1992-02-29' };
    const history = [since(0, born)];
    const rules = rulesAt(Date.UTC(2026, 1, 28, 12), { leapDayPolicy: 'mar1' });
    const sent = { ...SENT, ...born, nominalDate: '2026-02-29', localDate: '2026-02-28' };
    const given = { history, rules, now: WEEK_AFTER };
    expect(classOf(sent, { ...given, day: '2026-02-28' })).toBe('delivered');
    expect(classOf(sent, { ...given, day: '2026-03-01' })).toBe('changedSince');
    expect(classOf(null, { ...given, day: '2026-02-28' })).toBe('unaccounted');
  });
});
