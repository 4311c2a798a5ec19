/** What the erasure workflow and its activity tell each other: numbers only. */

export interface ErasureRequest {
  /** How long after their deletion users are erased. */
  readonly eraseAfterMs: number;
}

export interface ErasureCounts {
  /** Users of whom nothing is left in the database. */
  readonly fromDatabase: number;
  /** Users of whom nothing is left in Temporal either. */
  readonly fromTemporal: number;
  /** Runs of workflows that Temporal was told to delete. */
  readonly runs: number;
}

export interface ErasureResult {
  readonly erased: ErasureCounts;
  /** It stopped for its time was up: there is more. */
  readonly more: boolean;
  /** Temporal deletes in its own time: that it has done so is still to be seen. */
  readonly deleting: boolean;
}
