/**
 * Everything that crosses the border of a workflow: JSON-safe, one object each,
 * instants as epoch milliseconds. Ids, revisions, zones and instants only: Temporal
 * never holds a name or a year of birth.
 */
import { defineQuery, defineSignal } from '@temporalio/workflow';

import type { TracePoint } from '../domain/trace-point.ts';

export interface YearlyEventInput {
  readonly userId: string;
  /** The last revision this workflow has seen, carried over when it continues as new. */
  readonly revision?: number;
  /** Of the last message, carried over: later greetings link to it. */
  readonly trace?: TracePoint;
}

export interface RevisionMessage {
  readonly userId: string;
  readonly revision: number;
  /** Of what has led to this message, when traces are on. */
  readonly trace?: TracePoint;
}

/** The user was created, or their date or zone changed. */
export const userChangedSignal = defineSignal<[RevisionMessage]>('userChanged');
/** The user is gone. */
export const userDeletedSignal = defineSignal<[RevisionMessage]>('userDeleted');
/** Plan again whatever the revision: the reconciler's and the operator's lever. */
export const replanSignal = defineSignal('replan');

export const statusQuery = defineQuery<YearlyEventStatus>('status');

export interface YearlyEventStatus {
  readonly waitingFor: 'plan' | 'recheck' | 'arming' | 'delivery' | 'change' | 'nothing';
  /** What it waits for, in words. */
  readonly details: string;
  readonly revision: number | null;
  readonly occurrenceKey: string | null;
  /** ISO 8601, UTC. */
  readonly fireAt: string | null;
  readonly timezone: string | null;
  readonly blockedReason: string | null;
}

export type {
  DeliveryRequest,
  DeliveryResult,
  PlanRequest,
  PlanResult,
} from '../domain/plan-messages.ts';
export type { ErasureCounts, ErasureRequest } from '../domain/erasure-messages.ts';
export type { PruneCounts, PruneRequest } from '../domain/housekeeping-messages.ts';
export type {
  FindingCounts,
  FindingKind,
  ReconcileCounts,
  ReconcileReport,
  ReconcileRequest,
  ReconcileWaits,
} from '../domain/reconcile-messages.ts';
export type {
  RedeliveryBatchRequest,
  RedeliveryBatchResult,
  RedeliveryRequest,
  RedeliveryResult,
} from '../domain/redelivery-messages.ts';
