import type { ErasureRequest, ErasureResult } from '../domain/erasure-messages.ts';
import type { EventType } from '../domain/event-type.ts';
import { type ErasureLedger, type WorkflowRemover, workflowsOf } from '../events/erasure.ts';
import { withoutData } from './failure.ts';

export interface ErasureActivityDeps {
  readonly erasures: ErasureLedger;
  readonly workflows: WorkflowRemover;
  readonly eventTypes: readonly EventType[];
  readonly logger?: { info(fields: object, message: string): void };
  /** Told when somebody who was deleted cannot be erased. */
  readonly raiseAlarm?: (fields: object, message: string) => void;
}

/** Of users: the database takes a moment for so many, and Temporal a second. */
const BATCH = 50;
/** Enough for some hundreds of users; well inside the activity's timeout. */
const TIME_MS = 20_000;
/** What erasing waits for (a delivery on the wire, a worker, Temporal itself) comes within hours. */
const HANGS_AFTER_MS = 24 * 3_600_000;

/** What the erasure workflow asks for; safe to repeat, also by two at once. */
export function createErasureActivities(deps: ErasureActivityDeps) {
  return {
    /** Erases who was deleted, until nobody or no time is left; those who must wait are left. */
    async erase(request: ErasureRequest): Promise<ErasureResult> {
      try {
        const result = await erase(deps, request);
        await tell(deps, request, result);
        return result;
      } catch (error) {
        throw withoutData(error);
      }
    },
  };
}

async function erase(
  { erasures, workflows, eventTypes }: ErasureActivityDeps,
  { eraseAfterMs }: ErasureRequest,
): Promise<ErasureResult> {
  const erased = { fromDatabase: 0, fromTemporal: 0, runs: 0 };
  let deleting = false;
  const until = performance.now() + TIME_MS;
  const isTimeUp = () => performance.now() >= until;

  let count;
  do {
    if (isTimeUp()) return { erased, more: true, deleting };
    count = await erasures.eraseFromDatabase(eraseAfterMs, BATCH);
    erased.fromDatabase += count;
  } while (count === BATCH);

  for (;;) {
    if (isTimeUp()) return { erased, more: true, deleting };
    const users = await erasures.takeForTemporal(BATCH);
    if (users.length === 0) return { erased, more: false, deleting };
    const ids = users.map((user) => workflowsOf(user, eventTypes));
    const { runs, left } = await workflows.remove({
      followers: ids.flatMap(({ followers }) => followers),
      redeliveries: ids.flatMap(({ redeliveries }) => redeliveries),
      refused: ids.flatMap(({ refused }) => refused),
    });
    const gone = users.filter((_user, at) =>
      Object.values(ids[at] ?? {}).every((some: readonly string[]) =>
        some.every((id) => !left.has(id)),
      ),
    );
    if (gone.length > 0) await erasures.markErasedFromTemporal(gone.map(({ userId }) => userId));
    erased.fromTemporal += gone.length;
    erased.runs += runs;
    deleting ||= [...left.values()].includes('deleting');
  }
}

async function tell(
  { erasures, logger, raiseAlarm }: ErasureActivityDeps,
  { eraseAfterMs }: ErasureRequest,
  { erased }: ErasureResult,
): Promise<void> {
  const { waiting, oldestAgeMs, oldest } = await erasures.findState(eraseAfterMs);
  if (Object.values(erased).some((count) => count > 0)) {
    logger?.info({ ...erased, waiting }, 'erased who was deleted');
  }
  if (oldestAgeMs > HANGS_AFTER_MS) {
    const about = { waiting, oldestAgeMs: Math.round(oldestAgeMs), ...oldest };
    raiseAlarm?.(about, 'a deleted user cannot be erased: see docs/privacy.md');
  }
}
