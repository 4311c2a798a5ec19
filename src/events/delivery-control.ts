/** An operator's hold on all deliveries, and what waits. Implemented in src/persistence. */
import type { SlowDown } from '../domain/destination-pace.ts';
import { lengthFault, textFault } from '../domain/text.ts';

export interface DeliveryControl {
  /**
   * Nothing is sent by any dispatcher, as soon as it has heard of it, until it is resumed. Paused twice,
   * it keeps the first instant; a reason takes the place of the one before.
   */
  pause(reason: string | null): Promise<void>;
  /** Ends a pause, and a slow-down too: it is sent again at once. */
  resume(): Promise<void>;
  findDestination(): Promise<DestinationState>;
  countWaiting(): Promise<WaitingDeliveries>;
}

/** How the destination is sent to. Instants are epoch ms. */
export interface DestinationState {
  /** Since when nothing is sent; null when it is not paused. */
  readonly pausedAt: number | null;
  readonly pauseReason: string | null;
  /** The receiver asked for less (429, 503). */
  readonly slowDown: Pick<SlowDown, 'since' | 'until' | 'perSecond'> | null;
}

/** The armed occurrences. Those that Temporal holds for a later attempt are not among them. */
export interface WaitingDeliveries {
  /** Their time has come. */
  readonly due: number;
  /** Armed for an instant to come, or for their next attempt. */
  readonly toCome: number;
  /** Claimed by a dispatcher. */
  readonly sending: number;
  /** Past LATE_LIMIT without an attempt: SKIPPED, not sent, when their turn comes. */
  readonly tooLate: number;
  /** When the first of the others passes it, if it is not attempted before; epoch ms. */
  readonly firstTooLateAt: number | null;
}

export const PAUSE_REASON_MAX = 200;

/** The rule that a reason for a pause breaks, in words that follow the field's name, or null. */
export function pauseReasonFault(reason: string): string | null {
  if (reason.trim() === '') return 'must not be blank; null or leaving it out means none';
  return lengthFault(reason, PAUSE_REASON_MAX) ?? textFault(reason);
}
