import { randomUUID } from 'node:crypto';

import { redeliveryWorkflowId, workflowId } from '../domain/occurrence-key.ts';
import type { RepairResult } from '../domain/reconcile-messages.ts';
import { paced } from './paced.ts';
import type { Finding, FollowerEngine, ReconcileLedger } from './reconciliation.ts';
import { type Redeliveries, RedeliveryRunningError } from './redelivery.ts';
import { MessageRefusedError, type Scheduler } from './scheduling.ts';

export interface RepairDeps {
  readonly ledger: Pick<ReconcileLedger, 'findToTry' | 'markTried'>;
  readonly engine: Pick<FollowerEngine, 'look' | 'releaseDeliveries'>;
  readonly scheduler: Pick<Scheduler, 'replan'>;
  readonly redeliveries: Pick<Redeliveries, 'start'>;
  readonly logger?: { info(fields: object, message: string): void };
}

/** Ten seconds' worth. */
const PAGE = 500;
/** What one Temporal server of two cores plans besides its daily work. */
const PACE = { perSecond: 50, atOnce: 10 };

/**
 * Tells a page of followers to plan again; the message starts those that are gone. A row that
 * is redelivered is taken over by a redelivery of its own. What an operator holds is left
 * alone. Rejects while the engine is away; what was told by then is kept.
 */
export function createRepair(deps: RepairDeps): (stopping: AbortSignal) => Promise<RepairResult> {
  const { ledger, engine, scheduler, redeliveries, logger } = deps;

  /** Gives why nothing was done, or null. */
  async function attempt(finding: Finding): Promise<string | null> {
    const { subject, kind, eventType, userId, waitsForEngine } = finding;
    if (eventType === null || userId === null) return 'an operator has to look at it';
    if (kind === 'stalled_redelivery') return takeOver(subject);
    const id = workflowId(eventType, userId);
    if (waitsForEngine) {
      const { held, words } = await engine.look(id);
      if (held) return words;
    }
    // A worker that was killed before it armed has left a delivery that only Temporal knows of.
    if (kind === 'unplanned' || kind === 'unattempted') await engine.releaseDeliveries(id);
    await scheduler.replan(eventType, userId);
    return null;
  }

  async function takeOver(occurrenceKey: string): Promise<string | null> {
    try {
      await redeliveries.start({ occurrenceKey, redeliveryId: randomUUID(), force: false });
      return null;
    } catch (error) {
      if (!(error instanceof RedeliveryRunningError)) throw error;
      return (await engine.look(redeliveryWorkflowId(occurrenceKey))).words;
    }
  }

  async function tryOne(finding: Finding): Promise<{ subject: string; note: string | null }> {
    try {
      return { subject: finding.subject, note: await attempt(finding) };
    } catch (error) {
      if (!(error instanceof MessageRefusedError)) throw error;
      return { subject: finding.subject, note: 'Temporal refused the message' };
    }
  }

  return async (stopping) => {
    const page = await ledger.findToTry(PAGE);
    const tried = await paced(page, PACE, stopping, async (batch) => {
      const results = await Promise.allSettled(batch.map(tryOne));
      await ledger.markTried(
        results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
      );
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    });
    if (tried > 0) logger?.info({ tried }, 'reconciler: followers were told to plan again');
    return { tried };
  };
}
