/**
 * What the User Context does not keep for good. Implemented in src/persistence. Ages in ms, by
 * the database's clock; each call takes at most `limit`, the oldest first, and gives how many.
 */
export interface UserRetention {
  /** Removes relayed events; those that wait or are set aside stay. */
  removeRelayed(olderThanMs: number, limit: number): Promise<number>;
  /** Removes `Idempotency-Key`s: a request that comes again later is a new one. */
  removeIdempotencyKeys(olderThanMs: number, limit: number): Promise<number>;
}
