import type { Erasure } from '../erasure/erasure.ts';
import type { WorkflowRemover } from '../erasure/workflow-remover.ts';
import type { ErasureRequest, ErasureResult } from '../workflows/maintenance-contract.ts';
import { failingWithoutData } from './failure.ts';

export interface ErasureActivityDeps {
  readonly erasure: Erasure;
  readonly workflowRemover: WorkflowRemover;
  readonly logger?: Record<'info' | 'error', (fields: object, message: string) => void>;
}

/** Users in a batch: a moment's work for the database, and a second's for Temporal. */
const BATCH = 50;
/** Enough for some hundreds of users; well inside the activity's timeout. */
const TIME_MS = 20_000;
/**
 * What an erasure waits for (a delivery in flight, a worker, Temporal itself) comes within hours.
 */
const HANGS_AFTER_MS = 24 * 3_600_000;

/** The activity of the erasure workflow; safe to repeat, also by two at once. */
export function createErasureActivities(deps: ErasureActivityDeps) {
  return failingWithoutData({
    /** Erases deleted users until none or no time is left; skips those that must wait. */
    async erase(request: ErasureRequest): Promise<ErasureResult> {
      const result = await erase(deps, request);
      await log(deps, request, result);
      return result;
    },
  });
}

async function erase(
  { erasure, workflowRemover }: ErasureActivityDeps,
  { eraseAfterMs }: ErasureRequest,
): Promise<ErasureResult> {
  const erased = { fromDatabase: 0, fromTemporal: 0, runs: 0 };
  let deleting = false;
  const until = performance.now() + TIME_MS;
  const isTimeUp = () => performance.now() >= until;

  let count;
  do {
    if (isTimeUp()) return { erased, more: true, deleting };
    count = await erasure.eraseFromDatabase(eraseAfterMs, BATCH);
    erased.fromDatabase += count;
  } while (count === BATCH);

  for (;;) {
    if (isTimeUp()) return { erased, more: true, deleting };
    const users = await erasure.takeForTemporal(BATCH);
    if (users.length === 0) return { erased, more: false, deleting };
    const { runs, left } = await workflowRemover.remove(
      users.flatMap(({ workflows }) => workflows),
    );
    const gone = users.filter(({ workflows }) => workflows.every((id) => !left.has(id)));
    if (gone.length > 0) await erasure.markErasedFromTemporal(gone.map(({ userId }) => userId));
    erased.fromTemporal += gone.length;
    erased.runs += runs;
    deleting ||= [...left.values()].includes('deleting');
  }
}

async function log(
  { erasure, logger }: ErasureActivityDeps,
  { eraseAfterMs }: ErasureRequest,
  { erased }: ErasureResult,
): Promise<void> {
  const { waiting, oldestAgeMs, oldest } = await erasure.findState(eraseAfterMs);
  if (Object.values(erased).some((count) => count > 0)) {
    logger?.info({ ...erased, waiting }, 'erased deleted users');
  }
  if (oldestAgeMs > HANGS_AFTER_MS) {
    const about = { waiting, oldestAgeMs: Math.round(oldestAgeMs), ...oldest };
    logger?.error(about, 'a deleted user cannot be erased: see docs/privacy.md');
  }
}
