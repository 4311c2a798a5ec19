/**
 * The audit class of one birthday, from the rule of time, the history and a row: without a
 * database.
 */
import { auditOccasion } from '../../src/audit/audit-occasion.ts';
import { type AuditedPeriod, createFindDues } from '../../src/audit/history.ts';
import type { AuditRow } from '../../src/audit/read-audit.ts';
import type { RecordedRules, RulesHistory } from '../../src/planning/rules.ts';
import { bundledTz } from './tz-databases.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** Of 20 May, in Berlin. */
export const NINE = Date.UTC(2026, 4, 20, 7);
export const WEEK_AFTER = NINE + 7 * DAY;
const USER = '019a0000-0000-7000-8000-000000000000';

const BERLIN: AuditedPeriod = {
  recurrence: 'birthday',
  rrule: null,
  offsetDays: 0,
  localTime: null,
  suspended: false,
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
  recurrence: 'birthday',
  rrule: null,
  offsetDays: 0,
  destination: 'default',
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
const YEAR_BEFORE = {
  key: `birthday:${USER}:2025`,
  isOfDay: false,
  nominalDate: '2025-05-20',
  localDate: '2025-05-20',
  dueAt: NINE - 365 * DAY,
  nextAttemptAt: NINE - 365 * DAY,
};
export const SENT: Partial<AuditRow> = {
  state: 'COMPLETED',
  attempts: 1,
  nextAttemptAt: null,
  deliveredAt: NINE + 40,
  latenessMs: 40,
};
export const failed = (reason: string): Partial<AuditRow> => ({
  state: 'FAILED',
  reason,
  attempts: 2,
});
export const skipped = (reason: string): Partial<AuditRow> => ({ state: 'SKIPPED', reason });

export interface Given {
  readonly now?: number;
  readonly history?: readonly AuditedPeriod[];
  readonly rules?: RulesHistory;
  /** The open row of the year before. */
  readonly front?: Partial<AuditRow>;
  readonly day?: string;
  /** Its destination. */
  readonly isPaused?: boolean;
}

/** The class of the only birthday that was due on the day; null if none was. */
export function classOf(row: Partial<AuditRow> | null, given: Given = {}): string | null {
  const { now = NINE + DAY, history = [BERLIN], rules = [NINE_O_CLOCK] as const } = given;
  const { front, day: date = '2026-05-20', isPaused = false } = given;
  const dayMs = Date.parse(date);
  const rows = [
    ...(row === null ? [] : [{ ...PLANNED, ...row }]),
    ...(front === undefined ? [] : [{ ...PLANNED, ...YEAR_BEFORE, ...front }]),
  ];
  const findings = auditOccasion(
    { type: 'birthday', id: USER, userId: USER, periods: history, deletedAt: null, rows },
    {
      date,
      findDues: createFindDues(bundledTz, { after: dayMs - 4 * DAY, until: dayMs + 6 * DAY }),
      now,
      lateAfterMs: 5 * MINUTE,
      lateLimitMs: 48 * HOUR,
      giveUpAfterMs: 72 * HOUR,
      tz: bundledTz,
      pausedDestinations: new Set(isPaused ? ['default'] : []),
      rules,
    },
  );
  const found = [...findings].map(({ name }) => name).filter((name) => !NO_CLASS.has(name));
  return found.length === 0 ? null : found.join();
}

const NO_CLASS: ReadonlySet<string> = new Set(['doubles', 'unexpected']);

/** In force until an instant. */
export const until = (at: number): AuditedPeriod => ({ ...BERLIN, until: at });
/** In force from an instant on. */
export const since = (from: number, inputs: Partial<AuditedPeriod>): AuditedPeriod => ({
  ...BERLIN,
  from,
  ...inputs,
});

export const rulesAt = (from: number, changed: Partial<RecordedRules>): RulesHistory => [
  NINE_O_CLOCK,
  { ...NINE_O_CLOCK, from, ...changed },
];
