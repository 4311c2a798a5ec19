/**
 * What a workflow asks of the Event Scheduling Context, and what it is told: plain,
 * JSON-safe data, instants as epoch ms. Ids and instants only: it ends up in Temporal.
 */
import type { TracePoint } from './trace-point.ts';

export interface PlanRequest {
  readonly eventType: string;
  readonly userId: string;
  /** The workflow's own time, epoch ms. */
  readonly now: number;
  /** Of the last message that was heard, when traces are on. */
  readonly trace?: TracePoint;
}

export type PlanResult =
  | {
      readonly kind: 'planned';
      readonly occurrenceKey: string;
      readonly timezone: string;
      readonly tzVersion: string;
      readonly fireAt: number;
      /** When the workflow wakes to arm the delivery, epoch ms; never after `fireAt`. */
      readonly armAt: number;
      /** When it plans once more before that, epoch ms; null when this plan is fresh enough. */
      readonly recheckAt: number | null;
    }
  /** A delivery of this user is on the wire at this moment: await its outcome, then plan again. */
  | { readonly kind: 'sending'; readonly occurrenceKey: string }
  /** The facts cannot be planned, such as a zone unknown here; an operator sees why in the ledger. */
  | { readonly kind: 'blocked'; readonly reason: string }
  /** The user does not exist (any more). */
  | { readonly kind: 'ended' };

export interface DeliveryRequest {
  readonly occurrenceKey: string;
  /** The instant the workflow believes in, epoch ms; another in the ledger means: plan again. */
  readonly fireAt: number;
}

/** How a delivery ended. Its attempts are in the ledger. */
export interface DeliveryResult {
  readonly occurrenceKey: string;
  readonly outcome: 'delivered' | 'failed' | 'skipped' | 'released';
}
