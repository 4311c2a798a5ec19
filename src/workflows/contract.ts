/**
 * Everything that crosses the boundary of the occasion workflow: JSON-safe, one object each,
 * instants as epoch milliseconds. Ids and instants only: Temporal never holds a name or a year of
 * birth.
 */
import { defineQuery, defineSignal } from '@temporalio/workflow';

/** The input of deliver; the workflow's id is `<type>/<id>`. */
export interface Occasion {
  readonly type: string;
  readonly id: string;
}

/** The input of the occasion workflow; `earlier` only when it continues as new. */
export interface OccasionInput extends Occasion {
  readonly earlier?: EarlierRun;
}

/** What a run passes to the next when it continues as new. */
export interface EarlierRun {
  readonly answer: DeliverAnswer | null;
  /** Consecutive calls that changed nothing. */
  readonly fruitless: number;
  /** Why deliver must be called again, if it has not been since. */
  readonly changed: 'signal' | 'cancel' | null;
}

/** "Check again". Carries no data, so it may be repeated and reordered. */
export const changedSignal = defineSignal('changed');

export const statusQuery = defineQuery<OccasionStatus>('status');

export interface OccasionStatus {
  readonly waitingFor: 'instant' | 'delivery' | 'change' | 'nothing';
  /** In words, for operators. */
  readonly details: string;
  /** The last answer of deliver; null before the first. */
  readonly answer: DeliverAnswer | null;
}

/** The answer of deliver once everything due for the occasion is settled. */
export interface DeliverAnswer {
  /** The occasion has ended, and the workflow ends. */
  readonly ended: boolean;
  /** When to call again; a day later when the plan has no instant; null when ended. */
  readonly wakeAt: number | null;
  readonly next: { readonly occurrenceKey: string; readonly dueAt: number } | null;
  /** Why the plan has no instant, in words without personal data. */
  readonly blockedReason: string | null;
  /** The occurrence that was due, if one was settled since the last call. */
  readonly settled: SettledOccurrence | null;
}

export interface SettledOccurrence {
  readonly occurrenceKey: string;
  readonly outcome: 'delivered' | 'failed' | 'skipped';
  readonly reason: string | null;
  readonly dueAt: number | null;
  readonly attempts: number;
  readonly sentBy: 'dispatcher' | 'workflow' | null;
}
