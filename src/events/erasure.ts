/**
 * Erasing who was deleted, from both stores: docs/adr/0013-erasure.md. The ledger is implemented
 * in one file of src/persistence, the engine in src/temporal. All of it is safe to repeat.
 */
import type { EventType } from '../domain/event-type.ts';
import { redeliveryWorkflowId, workflowId } from '../domain/occurrence-key.ts';

export interface ErasureLedger {
  /**
   * Erases users from the database who were deleted so long ago and whom nothing waits for any
   * more, in one transaction: at most `limit`, the longest deleted first. Gives how many.
   */
  eraseFromDatabase(eraseAfterMs: number, limit: number): Promise<number>;
  /**
   * Of those, some whom Temporal may still know, each at most once in ten seconds: those who were
   * not asked for the longest time.
   */
  takeForTemporal(limit: number): Promise<ErasedUser[]>;
  markErasedFromTemporal(userIds: readonly string[]): Promise<void>;
  findState(eraseAfterMs: number): Promise<ErasureState>;
}

export interface ErasedUser {
  readonly userId: string;
  readonly occurrences: readonly ErasedOccurrence[];
}

export interface ErasedOccurrence {
  readonly key: string;
  readonly eventType: EventType;
  readonly redeliveries: number;
}

/** Who should have been erased and is not. */
export interface ErasureState {
  readonly waiting: number;
  /** How long the one who waits longest has been due; 0 when nobody waits. */
  readonly oldestAgeMs: number;
  /** That one, and where they are still to be found. */
  readonly oldest: { readonly userId: string; readonly store: 'database' | 'temporal' } | null;
}

export interface WorkflowRemover {
  /**
   * Deletes all runs of workflows that have ended, and says what it found of each workflow. What
   * was deleted is `deleting` until, by a later call, it is gone. A follower that runs is told to
   * plan again, which ends it when its user is gone.
   */
  remove(workflows: UserWorkflows): Promise<Removal>;
}

/** Ids of workflows. */
export interface UserWorkflows {
  readonly followers: readonly string[];
  readonly redeliveries: readonly string[];
  /** Redeliveries that may have been refused: looked for in Temporal's lists alone, which lag a little. */
  readonly refused: readonly string[];
}

export interface Removal {
  /** Runs that it was told to delete. */
  readonly runs: number;
  /** By workflow id; what is not here is gone. */
  readonly left: ReadonlyMap<string, 'running' | 'deleting'>;
}

/** The ids of all workflows that a user can ever have had. */
export function workflowsOf(
  { userId, occurrences }: ErasedUser,
  eventTypes: readonly EventType[],
): UserWorkflows {
  // Types that are no longer there, too.
  const types = new Set([...eventTypes, ...occurrences.map(({ eventType }) => eventType)]);
  return {
    followers: [...types].map((type) => workflowId(type, userId)),
    redeliveries: redeliveriesOf(occurrences.filter(({ redeliveries }) => redeliveries > 0)),
    // They leave no trace in the ledger.
    refused: redeliveriesOf(occurrences.filter(({ redeliveries }) => redeliveries === 0)),
  };
}

function redeliveriesOf(occurrences: readonly ErasedOccurrence[]): string[] {
  return occurrences.map(({ key }) => redeliveryWorkflowId(key));
}
