import type { Claim, RecordedAttempt, ReleasedClaim } from '../events/ports.ts';

/** Told what becomes of claimed rows, to count it. It must not throw: nothing waits for it. */
export interface DeliveryObserver {
  /** A request has ended and was judged. */
  attempted(attempt: RecordedAttempt): void;
  /** What the attempt led to is in the ledger. */
  recorded(attempt: RecordedAttempt): void;
  released(claim: ReleasedClaim): void;
  givenBack(claim: Claim): void;
}

/** Nobody counts. */
export const UNOBSERVED: DeliveryObserver = {
  attempted() {},
  recorded() {},
  released() {},
  givenBack() {},
};
