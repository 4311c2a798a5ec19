/**
 * What redelivery needs from the outside. The ledger is implemented in src/persistence, the
 * workflows in src/temporal. Instants are epoch ms.
 */
import type { OccurrenceState } from '../domain/occurrence-state.ts';
import type {
  RedeliveryFilter,
  RedeliveryPage,
  RedeliveryPageRequest,
  RedeliveryRefusal,
  RedeliveryRequest,
} from '../domain/redelivery-messages.ts';
import type { ArmResult } from './ports.ts';

/** The ledger's side. Each change is one conditional statement, so that a race has one winner. */
export interface RedeliveryLedger {
  find(key: string): Promise<RedeliveryCandidate | null>;
  /**
   * FAILED or SKIPPED (by force, COMPLETED too) → PROCESSING, due now and behind those on time,
   * with a give-up clock of its own. Only if its user exists and what came of it last has been
   * told; false otherwise. Never twice for one redelivery id.
   */
  begin(request: RedeliveryRequest, now: number): Promise<boolean>;
  /** Takes over from a redelivery whose workflow is gone; false when that one has it no longer. */
  adopt(key: string, from: string, to: string): Promise<boolean>;
  /** Keeps the token by which the activity that awaits this redelivery's outcome is completed. */
  awaitOutcome(request: AwaitedRedelivery): Promise<ArmResult>;
  /** How many a batch with this filter would redeliver now. */
  count(filter: RedeliveryFilter): Promise<number>;
  findPage(request: RedeliveryPageRequest): Promise<RedeliveryPage>;
}

export interface AwaitedRedelivery {
  readonly occurrenceKey: string;
  readonly redeliveryId: string;
  readonly taskToken: Uint8Array;
  readonly now: number;
}

/** What decides whether an occurrence may be redelivered. */
export interface RedeliveryCandidate {
  readonly key: string;
  readonly state: OccurrenceState;
  readonly fireAt: number | null;
  /** The last redelivery; while the row is PROCESSING, the one that has it. */
  readonly redeliveryId: string | null;
  readonly userExists: boolean;
}

/** The workflows' side. Both give the workflow's id and reject with `SchedulerAwayError` while it is away. */
export interface Redeliveries {
  /** @throws RedeliveryRunningError */
  start(request: RedeliveryRequest): Promise<string>;
  startBatch(batchId: string, filter: RedeliveryFilter, matching: number): Promise<string>;
}

/** Thrown when the occurrence is being redelivered already: of two requests, one wins. */
export class RedeliveryRunningError extends Error {
  override readonly name = 'RedeliveryRunningError';
  readonly code = 'redelivery-running';
}

/** Thrown when an occurrence, as it stands, is not to be sent again; the code says why. */
export class NotRedeliverableError extends Error {
  override readonly name = 'NotRedeliverableError';
  readonly code: `occurrence-${'live' | 'delivered' | 'unplanned'}` | 'user-deleted';

  constructor(code: NotRedeliverableError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Why an occurrence, as it stands, is not redelivered; null when it may be. One that is being
 * redelivered passes: whether its workflow still lives is the workflow's id to say.
 */
export function whyNotRedeliver(
  candidate: RedeliveryCandidate | null,
  force: boolean,
): RedeliveryRefusal | null {
  if (candidate === null) return 'unknown';
  const { state, redeliveryId, userExists, fireAt } = candidate;
  if (state === 'PENDING' || (state === 'PROCESSING' && redeliveryId === null)) return 'live';
  if (state === 'COMPLETED' && !force) return 'delivered';
  if (!userExists) return 'user_deleted';
  return fireAt === null ? 'no_instant' : null;
}
