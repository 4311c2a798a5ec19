/** What became of one birthday, by the rule of time, the history and a row: without a database. */
import { describe, expect, it } from 'vitest';

import { bundledTz } from '../../test/support/tz-databases.ts';
import type { RecordedRules, RulesHistory } from '../planning/rules.ts';
import { auditOccasion } from './audit-occasion.ts';
import { type AuditedPeriod, createFindDues } from './history.ts';
import type { AuditRow } from './read-audit.ts';
import { createTally } from './report.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** In Berlin. */
const NINE = Date.UTC(2026, 4, 20, 7);
const DAY_AFTER = NINE + DAY;
const WEEK_AFTER = NINE + 7 * DAY;
const USER = '019a0000-0000-7000-8000-000000000000';

const BERLIN: AuditedPeriod = {
  recurrence: 'birthday',
  date: '1990-05-20',
  timezone: 'Europe/Berlin',
  from: Date.UTC(2020, 0, 1),
  until: null,
};
const NINE_O_CLOCK: RecordedRules = {
  localTime: '09:00',
  leapDayPolicy: 'feb28',
  tzVersion: bundledTz.version,
  from: -Infinity,
};
const PLANNED: AuditRow = {
  key: `birthday:${USER}:2026`,
  userId: USER,
  isOfDay: true,
  nominalDate: '2026-05-20',
  state: 'PENDING',
  reason: null,
  isBlocked: false,
  date: '1990-05-20',
  timezone: 'Europe/Berlin',
  localTime: '09:00',
  leapDayPolicy: 'feb28',
  localDate: '2026-05-20',
  dueAt: NINE,
  nextAttemptAt: NINE,
  attempts: 0,
  earlierAttempts: 0,
  deliveredAt: null,
  latenessMs: null,
  redeliveries: 0,
  isForced: false,
  deliveries: 0,
};
const SENT: Partial<AuditRow> = {
  state: 'COMPLETED',
  attempts: 1,
  nextAttemptAt: null,
  deliveredAt: NINE + 40,
  latenessMs: 40,
};
const BLOCKED: Partial<AuditRow> = {
  isBlocked: true,
  dueAt: null,
  localDate: null,
  nextAttemptAt: null,
};
const failed = (reason: string): Partial<AuditRow> => ({ state: 'FAILED', reason, attempts: 2 });
const skipped = (reason: string): Partial<AuditRow> => ({ state: 'SKIPPED', reason });

interface Given {
  readonly now?: number;
  readonly history?: readonly AuditedPeriod[];
  readonly rules?: RulesHistory;
  /** The open row of the year before. */
  readonly front?: Partial<AuditRow>;
  readonly day?: string;
}

/** The class of the one birthday that was due on the day; null when none was. */
function classOf(row: Partial<AuditRow> | null, given: Given = {}): string | null {
  const { now = DAY_AFTER, history = [BERLIN], rules = [NINE_O_CLOCK] as const, front } = given;
  const { day = '2026-05-20' } = given;
  const dayMs = Date.parse(day);
  const rows = [
    ...(row === null ? [] : [{ ...PLANNED, ...row }]),
    ...(front === undefined ? [] : [{ ...PLANNED, ...YEAR_BEFORE, ...front }]),
  ];
  const tally = createTally();
  auditOccasion(
    { type: 'birthday', id: USER, userId: USER, periods: history, deletedAt: null, rows },
    {
      date: day,
      findDues: createFindDues(bundledTz, {
        after: dayMs - 4 * DAY,
        until: dayMs + 6 * DAY,
      }),
      terms: {
        now,
        lateAfterMs: 5 * MINUTE,
        lateLimitMs: 48 * HOUR,
        giveUpAfterMs: 72 * HOUR,
      },
      tz: bundledTz,
      rules,
    },
    tally,
  );
  const {
    date: _,
    auditedAt: _at,
    settings: _settings,
    clean: _clean,
    due,
    ...classes
  } = tally.report({
    date: day,
    auditedAt: '',
    settings: { localTime: '09:00', leapDayPolicy: 'feb28', tzVersion: '' },
  });
  if (due === 0) return null;
  const {
    failed: f,
    skipped: s,
    pending,
    unaccounted,
    erased: _e,
    doubles: _d,
    unexpected: _u,
    ...rest
  } = classes;
  const { total: _t, ...stages } = pending;
  const named = {
    ...rest,
    ...prefixed('failed', f.byReason),
    ...prefixed('skipped', s.byReason),
    ...prefixed('pending', stages),
    unaccounted: unaccounted.count,
  };
  return Object.entries(named)
    .filter(([, count]) => count > 0)
    .map(([name]) => name)
    .join();
}

function prefixed(prefix: string, counts: Readonly<Record<string, number>>) {
  return Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [`${prefix} ${name}`, count]),
  );
}

const YEAR_BEFORE = {
  key: `birthday:${USER}:2025`,
  isOfDay: false,
  nominalDate: '2025-05-20',
  localDate: '2025-05-20',
  dueAt: NINE - 365 * DAY,
  nextAttemptAt: NINE - 365 * DAY,
};

const until = (at: number): AuditedPeriod => ({ ...BERLIN, until: at });
const then = (from: number, inputs: Partial<AuditedPeriod>): AuditedPeriod => ({
  ...BERLIN,
  from,
  ...inputs,
});
/** Born on 20 May until an instant, and on another day from then on. */
const corrected = (at: number, date: string) => [until(at), then(at, { date })];

const rulesAt = (from: number, changed: Partial<RecordedRules>): RulesHistory => [
  NINE_O_CLOCK,
  { ...NINE_O_CLOCK, from, ...changed },
];

describe('a birthday with a row', () => {
  it.each<[string, Partial<AuditRow>, Given]>([
    ['delivered', SENT, {}],
    ['delivered', { ...SENT, latenessMs: 5 * MINUTE }, {}],
    ['late', { ...SENT, latenessMs: 5 * MINUTE + 1 }, {}],
    ['failed gave_up', failed('gave_up'), {}],
    ['failed superseded', failed('superseded'), {}],
    ['skipped too_late', skipped('too_late'), {}],
    ['skipped superseded', skipped('superseded'), {}],
    ['pending toCome', {}, { now: NINE - HOUR }],
    ['pending toCome', {}, { now: NINE + MINUTE }],
    ['pending overdue', {}, { now: NINE + 2 * MINUTE }],
    ['pending overdue', { nextAttemptAt: null }, { now: NINE + 2 * MINUTE }],
    ['pending overdue', {}, { now: NINE + 48 * HOUR }],
    ['unaccounted', {}, { now: NINE + 49 * HOUR }],
    ['blocked', BLOCKED, {}],
  ])('is %s: %j %j', (expected, row, given) => {
    expect(classOf(row, given)).toBe(expected);
  });

  it('that is leased or was attempted is under way until nothing looks at it', () => {
    const leased = { state: 'PROCESSING', nextAttemptAt: NINE + 25_000 } as const;
    expect(classOf(leased, { now: NINE })).toBe('pending underWay');
    expect(classOf(leased, { now: NINE + HOUR })).toBe('pending overdue');
    expect(classOf(leased, { now: WEEK_AFTER })).toBe('unaccounted');

    const attempted = { nextAttemptAt: NINE + HOUR, attempts: 4 } as const;
    expect(classOf(attempted, { now: NINE + HOUR })).toBe('pending underWay');
    expect(classOf(attempted, { now: NINE + 3 * DAY })).toBe('pending overdue');
    expect(classOf(attempted, { now: WEEK_AFTER })).toBe('unaccounted');
    // Attempts of an earlier due instant are none of this one.
    const moved = { ...attempted, earlierAttempts: 4, nextAttemptAt: NINE } as const;
    expect(classOf(moved, { now: NINE + 3 * DAY })).toBe('unaccounted');
  });

  it('that was delivered stays so while it is sent again by force', () => {
    const again = { ...SENT, state: 'PENDING', redeliveries: 1, isForced: true } as const;
    expect(classOf(again)).toBe('delivered');
  });

  it('that failed is under way while it is redelivered, however late', () => {
    const again = { nextAttemptAt: WEEK_AFTER, redeliveries: 1, attempts: 3, earlierAttempts: 3 };
    expect(classOf(again, { now: WEEK_AFTER })).toBe('pending underWay');
  });

  it('is unaccounted when the history says that the row cannot be true', () => {
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
    expect(classOf(null, { now: NINE - DAY })).toBe('pending unplanned');
    expect(classOf(null, { now: NINE + MINUTE })).toBe('pending unplanned');
    expect(classOf(null, { now: NINE + 2 * MINUTE })).toBe('unaccounted');
  });

  it('is to come while the one before it is open, and waits behind that once it is past', () => {
    expect(classOf(null, { now: NINE - 400 * DAY, front: {} })).toBe('pending toCome');
    const retried = { attempts: 9, nextAttemptAt: NINE + HOUR };
    expect(classOf(null, { now: NINE + HOUR, front: retried })).toBe('pending behind');
    // What nothing looks at any more hides nothing.
    expect(classOf(null, { now: NINE + HOUR, front: {} })).toBe('unaccounted');
  });

  it('is blocked when its zone is not known, or an earlier one is blocked', () => {
    expect(classOf(null, { history: [then(0, { timezone: 'Mars/Olympus_Mons' })] })).toBe(
      'blocked',
    );
    expect(classOf(null, { front: BLOCKED })).toBe('blocked');
  });
});

describe('a birthday of a user who was deleted', () => {
  const history = [until(NINE + HOUR)];

  it('is that, if nothing was attempted before', () => {
    expect(classOf(skipped('user_deleted'), { history })).toBe('deleted');
    expect(classOf({}, { history })).toBe('deleted');
    expect(classOf(null, { history })).toBe('deleted');
  });

  it('is what it was, if it was settled or attempted', () => {
    expect(classOf(SENT, { history })).toBe('delivered');
    expect(classOf(failed('gone'), { history })).toBe('failed gone');
    expect(classOf(failed('user_deleted'), { history })).toBe('failed user_deleted');
  });

  it('is no excuse for one that was missed long before', () => {
    const late = [until(NINE + 3 * DAY)];
    expect(classOf(null, { history: late, now: WEEK_AFTER })).toBe('unaccounted');
    expect(classOf({}, { history: late, now: WEEK_AFTER })).toBe('unaccounted');
  });

  it('was not due when that came first', () => {
    expect(classOf(null, { history: [until(NINE)] })).toBeNull();
  });
});

describe('a birthday whose inputs changed', () => {
  const TO_JUNE = corrected(NINE + HOUR, '1990-06-20');
  const IN_JUNE = {
    date: '1990-06-20',
    nominalDate: '2026-06-20',
    localDate: '2026-06-20',
    dueAt: NINE + 31 * DAY,
    nextAttemptAt: NINE + 31 * DAY,
  };

  it('is counted on the day that it was moved to, whatever comes of it there', () => {
    for (const state of [{}, SENT, failed('refused'), { attempts: 2, earlierAttempts: 2 }]) {
      expect(classOf({ ...IN_JUNE, ...state }, { history: TO_JUNE })).toBe('changedSince');
      const there = { history: TO_JUNE, day: '2026-06-20', now: NINE };
      expect(classOf({ ...IN_JUNE, ...state }, there)).not.toBe('changedSince');
    }
  });

  it('is settled with that reason when its date was changed to one that was past', () => {
    const history = corrected(NINE + HOUR, '1990-03-20');
    expect(classOf(skipped('date_changed'), { history })).toBe('skipped date_changed');
    expect(classOf(failed('date_changed'), { history })).toBe('failed date_changed');
    expect(classOf(null, { history })).toBe('unaccounted');
  });

  it('was settled on another day before its date became this one', () => {
    const history = [{ ...until(NINE - DAY), date: '1990-03-20' }, then(NINE - DAY, {})];
    const inMarch = {
      date: '1990-03-20',
      nominalDate: '2026-03-20',
      localDate: '2026-03-20',
      dueAt: NINE - 61 * DAY,
    };
    expect(classOf({ ...inMarch, ...SENT }, { history })).toBe('changedSince');
    // A plan that does not know of the change.
    expect(classOf(inMarch, { history, now: NINE })).toBe('pending toCome');
    expect(classOf(inMarch, { history })).toBe('pending overdue');
    expect(classOf(inMarch, { history, now: WEEK_AFTER })).toBe('unaccounted');
  });

  it('is the row, in whichever zone of that day it was planned, and counted once', () => {
    const history = [
      { ...until(NINE + HOUR), timezone: 'Asia/Tokyo' },
      then(NINE + HOUR, { timezone: 'America/New_York' }),
    ];
    expect(classOf({ ...SENT, timezone: 'Asia/Tokyo' }, { history })).toBe('delivered');
    expect(classOf({ ...SENT, timezone: 'America/New_York' }, { history })).toBe('delivered');
    expect(classOf(null, { history, now: NINE + 90 * MINUTE })).toBe('unaccounted');
  });

  it('fell due at the move, if that put it behind', () => {
    // Nine o'clock in Tokyo was at midnight UTC; in New York it is at 13:00.
    const moved = Date.UTC(2026, 4, 20, 11);
    const history = [
      { ...until(moved), timezone: 'America/New_York' },
      then(moved, { timezone: 'Asia/Tokyo' }),
    ];
    expect(classOf(null, { history, now: moved + MINUTE })).toBe('pending unplanned');
    expect(classOf(null, { history, now: moved + 2 * MINUTE })).toBe('unaccounted');
    const row = { timezone: 'Asia/Tokyo', dueAt: Date.UTC(2026, 4, 20) };
    expect(classOf(row, { history, now: moved + MINUTE })).toBe('pending toCome');
    expect(classOf(row, { history, now: moved + 3 * MINUTE })).toBe('pending overdue');
  });
});

describe('a birthday under rules that changed', () => {
  it('falls due by the rules of its time', () => {
    const evening = Date.UTC(2026, 4, 20, 16);
    const created = [then(NINE + HOUR, {})];
    // Created after nine, when that was the local time.
    expect(classOf(null, { history: created })).toBeNull();
    const sixInTheEvening = { localTime: '18:00' };
    const before = rulesAt(NINE - DAY, sixInTheEvening);
    expect(classOf(null, { history: created, rules: before, now: evening })).toBe(
      'pending unplanned',
    );
    // A later change owes nothing of a day that was over.
    const after = rulesAt(NINE + 2 * DAY, sixInTheEvening);
    expect(classOf(null, { history: created, rules: after })).toBeNull();
  });

  it('that was still to come and is past by the new local time is owed from then on', () => {
    const changed = NINE - HOUR;
    const rules = rulesAt(changed, { localTime: '07:00' });
    expect(classOf(null, { rules, now: changed + MINUTE })).toBe('pending unplanned');
    expect(classOf(null, { rules, now: changed + 2 * MINUTE })).toBe('unaccounted');
    const row = { localTime: '07:00', dueAt: NINE - 2 * HOUR };
    expect(classOf({ ...row, ...SENT }, { rules })).toBe('delivered');
  });

  it('is done on the day on which it was sent, and only moved on the other (S7)', () => {
    const born = { date: '1992-02-29' };
    const history = [then(0, born)];
    const rules = rulesAt(Date.UTC(2026, 1, 28, 12), { leapDayPolicy: 'mar1' });
    const sent = { ...SENT, ...born, nominalDate: '2026-02-29', localDate: '2026-02-28' };
    const given = { history, rules, now: WEEK_AFTER };
    expect(classOf(sent, { ...given, day: '2026-02-28' })).toBe('delivered');
    expect(classOf(sent, { ...given, day: '2026-03-01' })).toBe('changedSince');
    expect(classOf(null, { ...given, day: '2026-02-28' })).toBe('unaccounted');
  });
});
