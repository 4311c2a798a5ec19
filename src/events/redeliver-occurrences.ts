import { v7 as uuidv7 } from 'uuid';

import type { RedeliveryFilter } from '../domain/redelivery-messages.ts';
import type { RedeliverDeps } from './redeliver-occurrence.ts';

export interface StartedBatch {
  /** Null when none was started: a dry run, or nothing matches. */
  readonly workflowId: string | null;
  readonly matching: number;
}

/**
 * Has all FAILED and SKIPPED occurrences of a filter sent again, whose users exist, by one
 * workflow that starts a redelivery for each. Never those that were delivered.
 *
 * @throws SchedulerAwayError
 */
export async function redeliverOccurrences(
  { redeliveryLedger, redeliveries, clock, logger }: RedeliverDeps,
  { dryRun, ...asked }: Omit<RedeliveryFilter, 'settledBy'> & { readonly dryRun: boolean },
): Promise<StartedBatch> {
  const filter: RedeliveryFilter = { ...asked, settledBy: clock() };
  const matching = await redeliveryLedger.count(filter);
  if (dryRun || matching === 0) return { workflowId: null, matching };
  const workflowId = await redeliveries.startBatch(uuidv7(), filter, matching);
  logger.info({ filter, matching, workflowId }, 'redeliveries asked for');
  return { workflowId, matching };
}
