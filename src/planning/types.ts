import type { OccasionRef, OwnedOccasion } from '../ledger/types.ts';

/** Plans occasions in batches; see planner.ts. Instants are epoch ms. */
export interface Planner {
  /**
   * Plans each occasion once: settles what is over, writes what comes next into the ledger, and
   * when the occasion's workflow is to wake. Safe to repeat. One that fails holds up no other.
   * Rejects only if nothing can be planned, as when the database is away.
   */
  plan(occasions: readonly OccasionRef[]): Promise<readonly PlanOutcome[]>;
  /** All occasions of these users: those that there are, and those that have ended. */
  findOccasions(userIds: readonly string[]): Promise<readonly OwnedOccasion[]>;
}

export type PlanOutcome = OccasionRef &
  (
    | {
        readonly kind: 'planned';
        readonly occurrenceKey: string;
        readonly dueAt: number;
        readonly wakeAt: number;
      }
    /** There is no instant; the ledger says why. */
    | { readonly kind: 'blocked'; readonly reason: string }
    /** Nothing of it is to come: deleted, or the last occurrence is settled. */
    | { readonly kind: 'ended' }
    /** Its row is leased, being sent; to be planned once that lease has ended. */
    | { readonly kind: 'deferred'; readonly until: number }
    | { readonly kind: 'failed'; readonly error: unknown }
  );
