import type { TzDatabase } from '../time/tz-database.ts';
import type { FellDue, InputsVersion } from '../planning/fell-due.ts';
import type { AuditedHistory } from './history.ts';
import type { AuditRow } from './read-audit.ts';

/** One occurrence that fell due on the audited day, and what the ledger says of it. */
export interface DueOccurrence {
  /** When it fell due on the audited day: the first time, if a move made it fall due again. */
  readonly due: FellDue;
  /** Each time that it fell due on this day or those around it, including `due`. */
  readonly dues: readonly FellDue[];
  readonly history: AuditedHistory;
  readonly row: AuditRow | null;
  /** The occasion's open row before it, which has to be settled first. */
  readonly front: AuditRow | null;
}

export interface AuditTerms {
  /** Epoch ms. */
  readonly now: number;
  /** `LATE_AFTER`, `LATE_LIMIT` and `GIVE_UP_AFTER`. */
  readonly lateAfterMs: number;
  readonly lateLimitMs: number;
  readonly giveUpAfterMs: number;
  /** In a zone that it does not know, an occurrence is due as in UTC. */
  readonly tz: TzDatabase;
  /** Nothing is sent to these now, however late. */
  readonly pausedDestinations: ReadonlySet<string>;
}

/**
 * The outcome of an occurrence: exactly one of these, which docs/reliability.md explains. `failed`
 * and `skipped` are followed by the reason.
 */
export type AuditClass =
  | 'delivered'
  | 'late'
  | 'blocked'
  | 'deleted'
  | 'changedSince'
  | 'unaccounted'
  | `${'failed' | 'skipped'}.${string}`
  | `pending.${'toCome' | 'unplanned' | 'behind' | 'underWay' | 'overdue'}`;

/** Planning and sending never take longer when all is well, and clocks differ by less. */
export const GRACE_MS = 120_000;

/** Finds the outcome of an occurrence from the ledger's row and the history of inputs. */
export function classify(occurrence: DueOccurrence, terms: AuditTerms): AuditClass {
  const { due, dues, history, row } = occurrence;
  if (row === null) return withoutRow(occurrence, terms);
  // The occasion never had these inputs: the row proves nothing.
  if (!history.periods.some((period) => isPlannedBy(row, period))) return 'unaccounted';
  const isAboutTheDay =
    row.localDate === due.localDate ||
    dues.some(({ localDate, version }) => localDate === due.localDate && isPlanOf(row, version));
  return isAboutTheDay ? byState(row, occurrence, terms) : byOtherDay(row, occurrence, terms);
}

/** As in a row, a period or a version. */
interface LooseSeries {
  readonly date: string;
  readonly recurrence: string;
  readonly rrule?: string | null;
}

type LooseInputs = LooseSeries & Pick<InputsVersion, 'offsetDays' | 'timezone'>;

/** Whether a row was planned with these dates in this zone. */
function isPlannedBy(row: AuditRow, version: LooseInputs): boolean {
  const isAlike = row.timezone === version.timezone && row.offsetDays === version.offsetDays;
  return isAlike && isSameSeries(row, version);
}

function isSameSeries(one: LooseSeries, other: LooseSeries): boolean {
  const isRule = (one.rrule ?? null) === (other.rrule ?? null);
  return isRule && one.date === other.date && one.recurrence === other.recurrence;
}

function isPlanOf(row: AuditRow, version: InputsVersion): boolean {
  const { localTime, leapDayPolicy } = version;
  const isByTheseRules = row.localTime === localTime && row.leapDayPolicy === leapDayPolicy;
  return isByTheseRules && isPlannedBy(row, version);
}

function withoutRow(occurrence: DueOccurrence, terms: AuditTerms): AuditClass {
  const { due, front, history } = occurrence;
  if (!isZoneKnown(due, terms) || front?.isBlocked) return 'blocked';
  if (due.at > terms.now - GRACE_MS) return front === null ? 'pending.unplanned' : 'pending.toCome';
  // Planning a deletion settles the existing rows, and writes none.
  if (isDeletedWhileOwed(due.at, history, terms)) return 'deleted';
  const isFrontAlive = front !== null && openRow(front, terms).startsWith('pending.');
  return isFrontAlive ? 'pending.behind' : 'unaccounted';
}

function byState(row: AuditRow, occurrence: DueOccurrence, terms: AuditTerms): AuditClass {
  const { due, history } = occurrence;
  // Also one that is being redelivered by force.
  if (row.deliveredAt !== null) {
    return (row.latenessMs ?? 0) > terms.lateAfterMs ? 'late' : 'delivered';
  }
  if (row.state === 'FAILED' || row.state === 'SKIPPED') {
    const reason = row.reason ?? 'unknown';
    if (!isReasonTrue(reason, due, history)) return 'unaccounted';
    if (row.state === 'FAILED') return `failed.${reason}`;
    return reason.endsWith('_deleted') ? 'deleted' : `skipped.${reason}`;
  }
  if (row.isBlocked) return 'blocked';
  if (isDeletedWhileOwed(due.at, history, terms)) return 'deleted';
  return openRow(row, terms, due.at);
}

/** An occurrence has one row, which moves with its date: this one is about another day. */
function byOtherDay(row: AuditRow, occurrence: DueOccurrence, terms: AuditTerms): AuditClass {
  const { due, dues, history } = occurrence;
  // It fell due on that day too, and the audit of that day has it.
  const isOfAnotherDue = dues.some(
    ({ localDate, nominalDate }) => localDate === row.localDate && nominalDate === due.nominalDate,
  );
  const isMovedOn = history.versions.some(
    (version) => version.from > due.version.from && isPlanOf(row, version),
  );
  if (isOfAnotherDue || isMovedOn || isSettled(row)) return 'changedSince';
  // The plan does not know of the change yet.
  if (row.isBlocked || !isZoneKnown(due, terms)) return 'blocked';
  return owedSince(due.dueAt, terms, due.at);
}

/**
 * Whether the history confirms the reason that a row was settled for. The receiver's are believed.
 */
function isReasonTrue(
  reason: string,
  due: FellDue,
  { versions, endedAt }: AuditedHistory,
): boolean {
  switch (reason) {
    case 'user_deleted':
    case 'occasion_deleted':
      return endedAt !== null;
    case 'suspended':
      return versions.some(({ suspended }) => suspended);
    case 'date_changed':
      return versions.some(
        (version) => version.from > due.version.from && !isSameSeries(version, due.version),
      );
    default:
      return true;
  }
}

/** A PENDING or PROCESSING row; `fellDueAt` is when it fell due, if not at its instant. */
function openRow(row: AuditRow, terms: AuditTerms, fellDueAt = -Infinity): AuditClass {
  const { state, dueAt, nextAttemptAt, attempts, earlierAttempts, redeliveries } = row;
  if (dueAt === null) return 'blocked';
  const isAttempted = attempts > earlierAttempts || redeliveries > 0;
  const next = nextAttemptAt ?? dueAt;
  if ((isAttempted || state === 'PROCESSING') && next > terms.now - GRACE_MS) {
    return 'pending.underWay';
  }
  const isPaused = terms.pausedDestinations.has(row.destination);
  if (!isAttempted) {
    const owed = owedSince(dueAt, terms, fellDueAt);
    return isPaused && owed === 'unaccounted' ? 'pending.overdue' : owed;
  }
  if (isPaused) return 'pending.overdue';
  const settledBy = next + terms.lateLimitMs + terms.giveUpAfterMs;
  return settledBy > terms.now ? 'pending.overdue' : 'unaccounted';
}

/** Not attempted: after LATE_LIMIT, the next process that reads it settles it. */
function owedSince(dueAt: number, terms: AuditTerms, fellDueAt: number): AuditClass {
  const { now, lateLimitMs } = terms;
  const at = Math.max(dueAt, fellDueAt);
  if (at > now - GRACE_MS) return 'pending.toCome';
  return at + lateLimitMs + GRACE_MS > now ? 'pending.overdue' : 'unaccounted';
}

function isZoneKnown({ version }: FellDue, { tz }: AuditTerms): boolean {
  return tz.isKnown(version.timezone);
}

function isDeletedWhileOwed(
  at: number,
  { endedAt }: AuditedHistory,
  { lateLimitMs }: AuditTerms,
): boolean {
  return endedAt !== null && endedAt <= at + lateLimitMs + GRACE_MS;
}

/** A redelivery was settled before. */
function isSettled({ state, redeliveries }: AuditRow): boolean {
  return (state !== 'PENDING' && state !== 'PROCESSING') || redeliveries > 0;
}
