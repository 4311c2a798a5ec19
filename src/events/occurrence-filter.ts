import type { EventType } from '../domain/event-type.ts';
import type { OccurrenceState } from '../domain/occurrence-state.ts';

/** Which occurrences of the ledger are meant; null for any. Instants are epoch ms. */
export interface OccurrenceFilter {
  readonly state: OccurrenceState | null;
  /** Fire instants, half open: [from, to). With either, none without an instant is meant. */
  readonly from: number | null;
  readonly to: number | null;
  readonly eventType: EventType | null;
  readonly userId: string | null;
  /** The zone that it was planned in, as it was sent. */
  readonly timezone: string | null;
  /** COMPLETED late, or on time; one that is not delivered is neither. */
  readonly late: boolean | null;
  /** Cannot be planned. */
  readonly blocked: boolean | null;
}
