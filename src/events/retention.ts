/**
 * What the ledger does not keep for good. Implemented in src/persistence. Ages in ms, by the
 * database's clock; each call takes at most `limit`, the oldest first, and gives how many.
 */
export interface LedgerRetention {
  /** Removes attempts; of an occurrence that is open, or not reported yet, all are kept. */
  removeAttempts(olderThanMs: number, limit: number): Promise<number>;
  /** Erases what receivers answered: it is for people, and may quote what was sent. */
  eraseResponseExcerpts(olderThanMs: number, limit: number): Promise<number>;
}
