/**
 * Everything that crosses the border of the occasion workflow: JSON-safe, one object each,
 * instants as epoch milliseconds. Ids and instants only: Temporal never holds a name or a year
 * of birth.
 */
import { defineQuery, defineSignal } from '@temporalio/workflow';

/** The input of deliver; the workflow's id is `<type>/<id>`. */
export interface Occasion {
  readonly type: string;
  readonly id: string;
}

/** The input of the occasion workflow; whoever starts one gives the occasion alone. */
export interface OccasionInput extends Occasion {
  readonly earlier?: EarlierRun;
}

/** What a run hands on to the next when it continues as new. */
export interface EarlierRun {
  readonly answer: DeliverAnswer | null;
  /** How many calls in a row have changed nothing. */
  readonly fruitless: number;
  /** Why deliver is to look again, if it has not been called since. */
  readonly changed: 'signal' | 'cancel' | null;
}

/** Look again: carries nothing, may be repeated or reordered at will. */
export const changedSignal = defineSignal('changed');

export const statusQuery = defineQuery<OccasionStatus>('status');

export interface OccasionStatus {
  readonly waitingFor: 'instant' | 'delivery' | 'change' | 'nothing';
  /** What it waits for, in words. */
  readonly details: string;
  /** What deliver answered last; null before it has. */
  readonly answer: DeliverAnswer | null;
}

/** What deliver answers once all that is due of the occasion is settled. */
export interface DeliverAnswer {
  /** Nothing is to come: the workflow ends. */
  readonly ended: boolean;
  /** When to call again: a day later when the plan has no instant; null when ended. */
  readonly wakeAt: number | null;
  readonly next: { readonly occurrenceKey: string; readonly dueAt: number } | null;
  /** Why the plan has no instant, in words without data of the user. */
  readonly blockedReason: string | null;
  /** What became of the occurrence that was due, if one was settled since the last call. */
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
