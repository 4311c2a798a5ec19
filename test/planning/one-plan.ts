/** A plan as one line of text, for an occasion that is given in one. */
import { occurrenceKey } from '../../src/ledger/occurrence-key.ts';
import {
  fellDue,
  type InputsHistory,
  type InputsVersion,
  keptDateOf,
} from '../../src/planning/fell-due.ts';
import {
  decidePlan,
  type OpenRow,
  type PlanDecision,
  type PlanInput,
} from '../../src/planning/rule.ts';
import type { LeapDayPolicy, Recurrence } from '../../src/time/recurrence.ts';
import { bundledTz } from '../support/tz-databases.ts';

export const HOUR_MS = 3_600_000;
export const NEW_YORK = 'America/New_York';
export const TOKYO = 'Asia/Tokyo';
export const HONOLULU = 'Pacific/Honolulu';
export const KIRITIMATI = 'Pacific/Kiritimati';
export const PAGO_PAGO = 'Pacific/Pago_Pago';

export interface Inputs {
  readonly date?: string;
  readonly zone?: string;
  readonly time?: string;
  readonly policy?: LeapDayPolicy;
  readonly suspended?: boolean;
  readonly recurrence?: Recurrence;
  readonly rrule?: string | null;
  readonly offsetDays?: number;
}

/** A change of inputs, and when it was made. */
export type Change = readonly [at: string, to: Inputs];

export interface Occasion extends Inputs {
  /** `birthday` by default. */
  readonly type?: string;
  readonly created?: string;
  readonly changes?: readonly Change[];
  readonly ended?: string;
}

export interface Given extends Occasion {
  readonly plannedAt?: string;
  readonly open?: OpenRow | null;
  /** Nominal dates of final rows, the latest last. */
  readonly settled?: readonly string[];
  /** Further keys that are final, by a nominal date. */
  readonly final?: readonly string[];
  readonly now: string;
  /** By the process's clock; `now` by default. */
  readonly lateNow?: string;
  readonly limitMs?: number;
}

/** A birthday on 05-20 in New York, created in 2020, by default. */
export function plan(given: Given): PlanDecision {
  return decidePlan(inputOf(given));
}

export function inputOf(given: Given): PlanInput {
  const history = historyOf(given);
  const settled = given.settled ?? [];
  const version = history.versions.at(-1) as InputsVersion;
  const finalDates = [...settled, ...(given.final ?? [])];
  const keys = new Set(
    finalDates.map((date) => occurrenceKey(history.occasion, date, version.recurrence)),
  );
  const days = new Set(finalDates.map((nominalDate) => keptDateOf({ nominalDate, version })));
  return {
    ...history,
    endReason: 'user_deleted',
    plannedAt: given.plannedAt === undefined ? null : at(given.plannedAt),
    open: given.open ?? null,
    lastSettled: settled.at(-1) ?? null,
    finalDates: settled,
    isFinal: (one) => keys.has(one.key) || days.has(keptDateOf(one)),
    now: at(given.now),
    lateNow: at(given.lateNow ?? given.now),
    lateLimitMs: given.limitMs ?? 48 * HOUR_MS,
  };
}

export function historyOf(given: Occasion): InputsHistory {
  const createdAt = at(given.created ?? '2020-01-01T00:00:00Z');
  const recurrence = given.recurrence ?? 'birthday';
  const first: InputsVersion = {
    from: createdAt,
    date: '1990-05-20',
    recurrence,
    timezone: NEW_YORK,
    localTime: '09:00',
    leapDayPolicy: 'feb28',
    offsetDays: 0,
    suspended: false,
  };
  const versions = [versionAfter(first, given)];
  for (const [from, to] of given.changes ?? []) {
    versions.push({ ...versionAfter(versions.at(-1) ?? first, to), from: at(from) });
  }
  return {
    occasion: {
      type: given.type ?? (recurrence === 'birthday' ? 'birthday' : 'reminder'),
      id: 'b4c1',
    },
    createdAt,
    endedAt: given.ended === undefined ? null : at(given.ended),
    versions,
    tz: bundledTz,
  };
}

function versionAfter(before: InputsVersion, to: Inputs): InputsVersion {
  return {
    ...before,
    date: to.date ?? before.date,
    timezone: to.zone ?? before.timezone,
    localTime: to.time ?? before.localTime,
    leapDayPolicy: to.policy ?? before.leapDayPolicy,
    suspended: to.suspended ?? before.suspended,
    recurrence: to.recurrence ?? before.recurrence,
    rrule: to.rrule === undefined ? (before.rrule ?? null) : to.rrule,
    offsetDays: to.offsetDays ?? before.offsetDays,
  };
}

/** An open row, of a birthday unless `type` says otherwise. */
export function row(
  nominalDate: string,
  dueAt: string | null,
  {
    attempts = 0,
    first,
    type = 'birthday',
    recurrence = type === 'birthday' ? 'birthday' : 'daily',
  }: RowDetails = {},
): OpenRow {
  return {
    key: occurrenceKey({ type, id: 'b4c1' }, nominalDate, recurrence),
    nominalDate,
    dueAt: dueAt === null ? null : at(dueAt),
    attempts: first === undefined ? attempts : Math.max(attempts, 1),
    firstAttemptAt: first === undefined ? null : at(first),
  };
}

interface RowDetails {
  readonly attempts?: number;
  /** When it was first attempted since it fell due. */
  readonly first?: string;
  readonly type?: string;
  readonly recurrence?: Recurrence;
}

export function at(iso: string): number {
  return Date.parse(iso);
}

/** A decision in one line: the change of the row, what was missed, what is planned. */
export function inWords({ open, skipped, next }: PlanDecision): string {
  const ofRow = open.action === 'settle' ? `settle ${open.reason}` : open.action;
  const missed = skipped.map(({ nominalDate, reason }) => `, ${nominalDate} ${reason}`).join('');
  if (next.kind === 'none') return `${ofRow}${missed}, nothing`;
  if (next.kind === 'blocked') return `${ofRow}${missed}, blocked ${next.nominalDate}`;
  const { nominalDate, dueAt } = next.occurrence;
  return `${ofRow}${missed}, ${'at' in next.occurrence ? 'owed ' : ''}${nominalDate} at ${minute(dueAt)}`;
}

/** What fell due, `local date at instant`, and when if that was later. */
export function due(
  given: Occasion,
  after = '2020-01-01T00:00:00Z',
  until = '2030-01-01T00:00:00Z',
): string[] {
  return fellDue(historyOf(given), { after: at(after), until: at(until) }).map(
    ({ localDate, dueAt, at }) =>
      `${localDate} at ${minute(dueAt)}${at === dueAt ? '' : ` by ${minute(at)}`}`,
  );
}

export function minute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16)}Z`;
}
