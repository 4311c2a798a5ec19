import type { Due, HeldFacts } from '../domain/due.ts';
import type { AuditRow } from './audit.ts';

/** Somebody who was due on the audited day, and what the ledger says of it. */
export interface DuePerson {
  /** The last, if a move of zone made it due more than once that day. */
  readonly due: Due;
  readonly history: readonly HeldFacts[];
  /** The row of the same user and year. */
  readonly row: AuditRow | null;
  /** The user's open row of an earlier year, which comes first. */
  readonly open: AuditRow | null;
  /** Whether it was also due by the other settings that rows of these days were planned under. */
  readonly isDueByAllSettings: boolean;
}

export interface AuditTerms {
  readonly now: number;
  /** `LATE_AFTER`, `LATE_LIMIT` and `GIVE_UP_AFTER`. */
  readonly lateAfterMs: number;
  readonly lateLimitMs: number;
  readonly giveUpAfterMs: number;
}

/** What became of somebody who was due: exactly one of these. docs/reliability.md has them in words. */
export type AuditClass =
  | { readonly kind: 'delivered' | 'late' | 'failed' }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'pending'; readonly stage: PendingStage }
  | { readonly kind: 'blocked' | 'deleted' | 'changedSince' | 'otherSettings' | 'unaccounted' };

/**
 * `toCome`: its instant is. `unplanned`: it is, and there is no row yet. `underWay`: being
 * sent, or waiting for its next attempt. `overdue`: past, still owed, and nobody is at it.
 */
export type PendingStage = 'toCome' | 'unplanned' | 'underWay' | 'overdue';

/** What relaying, planning and sending take at the most when all is well; clocks differ by less. */
export const GRACE_MS = 120_000;

/** What became of somebody who was due, by the ledger's row and the history. Pure, and total. */
export function classify(person: DuePerson, terms: AuditTerms): AuditClass {
  const { due, history, row } = person;
  if (row === null) return withoutRow(person, terms);
  // A row that says what was never true of the user proves nothing.
  if (!history.some((facts) => isOf(row, facts))) return UNACCOUNTED;
  const isAboutThis = row.localDate === due.localDate || isOf(row, due.facts);
  return isAboutThis ? byState(row, person, terms) : byOtherFacts(row, person, terms);
}

/** Whether a row was planned with these facts. */
export function isOf(row: AuditRow, facts: HeldFacts): boolean {
  return row.anchorDate === facts.dateOfBirth && row.timezone === facts.timezone;
}

const UNACCOUNTED: AuditClass = { kind: 'unaccounted' };

function withoutRow(
  { due, history, open, isDueByAllSettings }: DuePerson,
  terms: AuditTerms,
): AuditClass {
  if (!due.isZoneKnown || open?.isBlocked) return { kind: 'blocked' };
  if (due.fireAt > terms.now - GRACE_MS) {
    return pending(open === null ? 'unplanned' : 'toCome');
  }
  // Only what was still owed at the change goes without a trace.
  const owedUntil = due.fireAt + terms.lateLimitMs + GRACE_MS;
  const deletedAt = history.at(-1)?.until ?? null;
  if (deletedAt !== null && deletedAt <= owedUntil) return { kind: 'deleted' };
  const isDayChanged = history.some(
    ({ dateOfBirth, from }) =>
      dateOfBirth !== due.facts.dateOfBirth && from >= due.fireAt && from <= owedUntil,
  );
  if (isDayChanged) return { kind: 'changedSince' };
  return isDueByAllSettings ? UNACCOUNTED : { kind: 'otherSettings' };
}

/** The year's row is about another day of the user's: an occurrence has one row, which moves. */
function byOtherFacts(row: AuditRow, { due, history }: DuePerson, terms: AuditTerms): AuditClass {
  const isMovedOn = history.indexOf(due.facts) < history.findLastIndex((facts) => isOf(row, facts));
  if (isMovedOn || isSettled(row)) return { kind: 'changedSince' };
  // The plan does not know the change yet.
  if (row.isBlocked || !due.isZoneKnown) return { kind: 'blocked' };
  return owedSince(due.fireAt, terms);
}

function byState(row: AuditRow, { due, history }: DuePerson, terms: AuditTerms): AuditClass {
  const deletedAt = history.at(-1)?.until ?? null;
  if (row.state === 'COMPLETED' || row.deliveredAt !== null) {
    if (row.deliveredAt === null || row.attempts === 0) return UNACCOUNTED;
    return { kind: (row.latenessMs ?? 0) > terms.lateAfterMs ? 'late' : 'delivered' };
  }
  if (row.state === 'FAILED') return { kind: 'failed' };
  if (row.state === 'SKIPPED') {
    const { reason } = row;
    if (reason === 'user_deleted') return deletedAt === null ? UNACCOUNTED : { kind: 'deleted' };
    if (reason === 'date_changed' && !history.some(({ from }) => from > due.facts.from)) {
      return UNACCOUNTED;
    }
    return { kind: 'skipped', reason: reason ?? 'unknown' };
  }
  if (row.isBlocked || row.fireAt === null) return { kind: 'blocked' };
  if (deletedAt !== null && deletedAt <= due.fireAt + terms.lateLimitMs + GRACE_MS) {
    return { kind: 'deleted' };
  }
  return row.state === 'PENDING' ? owedSince(row.fireAt, terms) : underWay(row, row.fireAt, terms);
}

/** Planned for an instant, and not armed. */
function owedSince(fireAt: number, { now, lateLimitMs }: AuditTerms): AuditClass {
  if (fireAt > now - GRACE_MS) return pending('toCome');
  return fireAt + lateLimitMs + GRACE_MS > now ? pending('overdue') : UNACCOUNTED;
}

function underWay(row: AuditRow, fireAt: number, terms: AuditTerms): AuditClass {
  const next = row.nextAttemptAt ?? row.retryAt ?? fireAt;
  if (next > terms.now - GRACE_MS) return pending('underWay');
  // Any dispatcher takes it, once there is one, or settles it as too late.
  if (row.nextAttemptAt !== null) return pending('overdue');
  const settledBy = next + terms.lateLimitMs + terms.giveUpAfterMs;
  return settledBy > terms.now ? pending('overdue') : UNACCOUNTED;
}

/** Settled for good, if only before it was sent again. */
function isSettled({ state, redeliveries }: AuditRow): boolean {
  return (state !== 'PENDING' && state !== 'PROCESSING') || redeliveries > 0;
}

function pending(stage: PendingStage): AuditClass {
  return { kind: 'pending', stage };
}
