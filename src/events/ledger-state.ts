/** What is in the ledger at this moment, for whoever watches it: a query each. */
export interface LedgerState {
  /** Waiting for their instant or their next attempt, or on the wire. */
  armed(): Promise<number>;
  /** Claimed by a dispatcher: on the wire, or about to be. */
  claimed(): Promise<number>;
  /** Their time has come, and nobody has them in hand: armed or not. */
  backlog(): Promise<number>;
  /** Settled, or to be tried again, and the open activity does not know. */
  unreported(): Promise<number>;
  /** FAILED. */
  deadLetters(): Promise<number>;
  /** PENDING without an instant. */
  blocked(): Promise<number>;
}
