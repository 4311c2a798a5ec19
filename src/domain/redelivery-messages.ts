/**
 * What a redelivery's workflows and the Event Scheduling Context tell each other: plain,
 * JSON-safe data, instants as epoch ms. Ids and instants only: it ends up in Temporal.
 */
import type { DeliveryResult } from './plan-messages.ts';

export interface RedeliveryRequest {
  readonly occurrenceKey: string;
  /**
   * Names this redelivery in the ledger. It is part of the workflow's input, so that a retry or
   * a reset of the workflow goes on with the same redelivery and never begins a second one.
   */
  readonly redeliveryId: string;
  /** Also if it was delivered. */
  readonly force: boolean;
}

/** Why an occurrence is not redelivered. */
export type RedeliveryRefusal =
  | 'unknown'
  /** It is planned, or being sent anyway. */
  | 'live'
  /** It was delivered, and nobody forces it. */
  | 'delivered'
  | 'user_deleted'
  /** It could never be planned, so there is nothing to send. */
  | 'no_instant';

export type RedeliveryBeginning =
  | { readonly kind: 'begun' }
  | { readonly kind: 'refused'; readonly reason: RedeliveryRefusal }
  /** What came of it last has not been told to the workflow that waits for it: in a moment. */
  | { readonly kind: 'not_yet' };

export type RedeliveryResult =
  | DeliveryResult
  | {
      readonly occurrenceKey: string;
      readonly outcome: 'refused';
      readonly reason: RedeliveryRefusal;
    };

/** Which occurrences a batch redelivers: FAILED and SKIPPED ones; null for any. */
export interface RedeliveryFilter {
  readonly state: 'FAILED' | 'SKIPPED' | null;
  readonly reason: string | null;
  /** Fire instants, half open: [from, to). */
  readonly from: number | null;
  readonly to: number | null;
  readonly eventType: string | null;
  readonly userId: string | null;
  /** The zone that it was planned in, as it was sent. */
  readonly timezone: string | null;
  /** Those that were settled by then: what fails again later is not of this batch. */
  readonly settledBy: number;
}

/** Where a page of a batch begins: after this occurrence. */
export interface RedeliveryCursor {
  readonly fireAt: number;
  readonly key: string;
}

export interface RedeliveryBatchRequest {
  readonly filter: RedeliveryFilter;
  /** Carried over when the workflow continues as new. */
  readonly progress?: { readonly after: RedeliveryCursor | null; readonly started: number };
}

/** How many redeliveries it started: one that was being redelivered already is not counted. */
export interface RedeliveryBatchResult {
  readonly started: number;
}

export interface RedeliveryPageRequest {
  readonly filter: RedeliveryFilter;
  readonly after: RedeliveryCursor | null;
  readonly limit: number;
}

/** In order of fire instant and key; empty when there are no more. */
export type RedeliveryPage = readonly RedeliveryCursor[];
