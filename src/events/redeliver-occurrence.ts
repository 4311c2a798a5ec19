import { v7 as uuidv7 } from 'uuid';

import { isOccurrenceKey } from '../domain/occurrence-key.ts';
import type { OccurrenceState } from '../domain/occurrence-state.ts';
import type { RedeliveryRefusal } from '../domain/redelivery-messages.ts';
import { OccurrenceNotFoundError } from './errors.ts';
import {
  NotRedeliverableError,
  type Redeliveries,
  type RedeliveryLedger,
  whyNotRedeliver,
} from './redelivery.ts';

export interface RedeliverDeps {
  readonly redeliveryLedger: RedeliveryLedger;
  readonly redeliveries: Redeliveries;
  /** Epoch ms. */
  readonly clock: () => number;
  readonly logger: { info(fields: object, message: string): void };
}

/**
 * Has one occurrence sent again, by a workflow of its own, and gives that workflow's id.
 * Nothing is changed here: the workflow asks the ledger once more when it begins.
 *
 * @throws OccurrenceNotFoundError, NotRedeliverableError, RedeliveryRunningError, SchedulerAwayError
 */
export async function redeliverOccurrence(
  { redeliveryLedger, redeliveries, logger }: Omit<RedeliverDeps, 'clock'>,
  { key, force }: { readonly key: string; readonly force: boolean },
): Promise<{ readonly workflowId: string }> {
  const occurrence = isOccurrenceKey(key) ? await redeliveryLedger.find(key) : null;
  const refusal = whyNotRedeliver(occurrence, force);
  if (occurrence === null || refusal === 'unknown') throw new OccurrenceNotFoundError();
  const { state } = occurrence;
  if (refusal !== null) throw refused(refusal, state);
  const request = { occurrenceKey: key, redeliveryId: uuidv7(), force };
  const workflowId = await redeliveries.start(request);
  logger.info({ occurrenceKey: key, state, force, workflowId }, 'redelivery asked for');
  return { workflowId };
}

function refused(
  refusal: Exclude<RedeliveryRefusal, 'unknown'>,
  state: OccurrenceState,
): NotRedeliverableError {
  switch (refusal) {
    case 'live':
      return new NotRedeliverableError(
        'occurrence-live',
        `It is ${state}: it is going to be delivered anyway.`,
      );
    case 'delivered':
      return new NotRedeliverableError(
        'occurrence-delivered',
        'It was delivered. To send it once more all the same, say "force": true.',
      );
    case 'user_deleted':
      return new NotRedeliverableError(
        'user-deleted',
        'Its user was deleted: there is nobody to greet.',
      );
    case 'no_instant':
      return new NotRedeliverableError(
        'occurrence-unplanned',
        'It could never be planned: it has no instant.',
      );
  }
}
