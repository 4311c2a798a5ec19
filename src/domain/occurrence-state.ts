/**
 * The life of an occurrence in the ledger:
 *
 *     PENDING → PROCESSING → COMPLETED | FAILED | SKIPPED
 *
 * and back, PROCESSING → PENDING, when a change of the user takes it back.
 */
export type OccurrenceState = 'PENDING' | 'PROCESSING' | 'COMPLETED' | 'FAILED' | 'SKIPPED';

/** Why an occurrence was SKIPPED. */
export type SkipReason = 'user_deleted' | 'too_late' | 'date_changed';
