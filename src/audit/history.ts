import { DAY_MS } from '../time/calendar-date.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { occurrenceKey } from '../ledger/occurrence-key.ts';
import type { OccasionRef } from '../ledger/types.ts';
import {
  type FellDue,
  fellDue,
  type InputsHistory,
  type InputsVersion,
  type Window,
} from '../planning/fell-due.ts';
import type { AuditedOccasion } from './read-audit.ts';
import { mergeVersions, type Period, type RulesHistory } from '../planning/rules.ts';

/** The inputs of one occasion from an instant until another; null: they are still in force. */
export interface AuditedPeriod extends Period {
  readonly until: number | null;
}

/** The life of an occasion, as far as it decides dates. Without periods, it never existed. */
export interface AuditedHistory extends Pick<InputsHistory, 'versions' | 'createdAt' | 'endedAt'> {
  /** As written, including those that were in force for no time because a clock was set back. */
  readonly periods: readonly AuditedPeriod[];
}

/** Merges the periods of an occasion with the rules that were in force. */
export function mergeHistory(
  { periods, deletedAt }: Pick<AuditedOccasion, 'periods' | 'deletedAt'>,
  rules: RulesHistory,
): AuditedHistory {
  return {
    periods,
    versions: mergeVersions(periods, rules),
    createdAt: periods[0]?.from ?? Infinity,
    endedAt: periods.at(-1)?.until ?? deletedAt,
  };
}

export type FindDues = ReturnType<typeof createFindDues>;

/**
 * Finds everything that fell due for an occasion in a window, the earliest first. In a zone that is
 * unknown here it falls due as in UTC, unless the same key fell due in a known one. The rule is
 * evaluated once for all occasions that had the same inputs throughout the window: on the fullest
 * day there are hundreds of thousands.
 */
export function createFindDues(tz: TzDatabase, window: Window) {
  const known = new Map<string, readonly FellDue[]>();

  return (occasion: OccasionRef, history: AuditedHistory): readonly FellDue[] => {
    const version = history.versions.at(-1);
    const isConstant =
      version !== undefined &&
      Math.max(version.from, history.createdAt) <= window.after &&
      (history.endedAt === null || history.endedAt > window.until);
    if (!isConstant) return duesOf({ occasion, ...history, tz }, widened(window, history.versions));

    const group = groupOf(version);
    let dues = known.get(group);
    if (dues === undefined) {
      dues = duesOf({ occasion, ...history, versions: [version], tz }, window);
      known.set(group, dues);
    }
    return dues.map(({ nominalDate, localDate, dueAt, at }) => {
      const key = occurrenceKey(occasion, nominalDate, version.recurrence);
      return { key, nominalDate, localDate, dueAt, at, version };
    });
  };
}

/** Everything that decides when it falls due. */
function groupOf(version: InputsVersion): string {
  const { recurrence, rrule, date, offsetDays, timezone, localTime, leapDayPolicy } = version;
  const series = `${recurrence} ${rrule ?? ''} ${date} ${offsetDays}`;
  return `${series} ${timezone} ${localTime} ${leapDayPolicy}`;
}

/**
 * An occurrence due days before its date may fall due later, or have done so, under another offset.
 */
function widened({ after, until }: Window, versions: readonly InputsVersion[]): Window {
  const offsets = versions.map(({ offsetDays }) => offsetDays);
  const spreadMs = offsets.length < 2 ? 0 : (Math.max(...offsets) - Math.min(...offsets)) * DAY_MS;
  return { after: after - spreadMs, until: until + spreadMs };
}

function duesOf(history: InputsHistory, window: Window): readonly FellDue[] {
  const { versions, tz } = history;
  const dues = fellDue(history, window);
  const isUnknown = ({ timezone }: InputsVersion): boolean => !tz.isKnown(timezone);
  if (!versions.some(isUnknown)) return dues;

  const keys = new Set(dues.map(({ key }) => key));
  const asInUtc = versions.map((version) =>
    isUnknown(version) ? { ...version, timezone: 'UTC' } : version,
  );
  const blocked = fellDue({ ...history, versions: asInUtc }, window).flatMap((due): FellDue[] => {
    const version = versions[asInUtc.indexOf(due.version)];
    if (keys.has(due.key) || version === undefined || !isUnknown(version)) return [];
    return [{ ...due, version }];
  });
  return [...dues, ...blocked].toSorted((one, other) => one.at - other.at);
}
