import type { EndedClaim, Lease, RecordedAttempt } from '../ledger/types.ts';

/** Counts what becomes of claimed rows. Must not throw: nothing waits for it. */
export interface DeliveryObserver {
  /** A request has ended and was judged. */
  attempted(attempt: RecordedAttempt): void;
  /** What the attempt led to is in the ledger. */
  recorded(attempt: RecordedAttempt): void;
  /** The row waits for its plan. */
  released(lease: Lease): void;
  /** The row was settled without an attempt. */
  ended(claim: EndedClaim): void;
  /** The row is due again. */
  returned(lease: Lease): void;
}

/** Counts nothing. */
export const UNOBSERVED: DeliveryObserver = {
  attempted() {},
  recorded() {},
  released() {},
  ended() {},
  returned() {},
};
