/**
 * The life of an occurrence in the ledger:
 *
 *     PENDING → PROCESSING → COMPLETED | FAILED | SKIPPED
 *
 * and back, PROCESSING → PENDING, when a change of the user takes it back. A redelivery is
 * FAILED | SKIPPED → PROCESSING, and by force COMPLETED → PROCESSING; that one ends COMPLETED
 * whatever comes of it, because what was delivered stays so. A 2xx that comes in after all
 * is FAILED | SKIPPED → COMPLETED.
 */
export type OccurrenceState = 'PENDING' | 'PROCESSING' | 'COMPLETED' | 'FAILED' | 'SKIPPED';

/** What can be sent again without force. */
export const SETTLED_WITHOUT_DELIVERY = ['FAILED', 'SKIPPED'] as const;

/** Why an occurrence was SKIPPED. */
export type SkipReason = 'user_deleted' | 'date_removed' | 'too_late' | 'date_changed';
