import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client';

import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import { createLoop } from '../platform/loop.ts';
import type { Settings } from '../platform/settings/settings.ts';
import type { ErasureRequest, PruneRequest, Retention } from '../workflows/maintenance-contract.ts';

const MINUTE_MS = 60_000;
/** A Temporal store that was lost is rebuilt by a schedule, which was lost with it. */
const LOOK_EVERY_MS = 30_000;
const RETRY_AFTER_MS = 2_000;
/** A healthy server answers in milliseconds; without one, the calls have to end some time. */
const CALLS_TIMEOUT_MS = 10_000;

/** One that hangs for want of a worker makes way for the next. */
const LONGEST_RUN_MS = 55 * MINUTE_MS;

/**
 * Retention, erasure and the reconciler. Offsets from UTC are quarters of an hour: these minutes are
 * away from the instants at which many are due.
 */
export function maintenanceSchedules(taskQueue: string, settings: Settings): ScheduleOptions[] {
  const keep: Retention = {
    attemptsMs: settings.RETAIN_ATTEMPTS,
    responseExcerptsMs: settings.RETAIN_RESPONSE_EXCERPTS,
    idempotencyKeysMs: settings.RETAIN_IDEMPOTENCY_KEYS,
    outboxMs: settings.RETAIN_OUTBOX,
    occurrencesMs: settings.RETAIN_OCCURRENCES,
  };
  const everyMs = settings.RECONCILE_EVERY;
  return [
    scheduleOf(taskQueue, {
      workflowType: 'housekeeping',
      everyMs: 60 * MINUTE_MS,
      offsetMs: 7 * MINUTE_MS,
      args: [{ keep } satisfies PruneRequest],
      staticSummary: 'Removes what has been kept for its time',
    }),
    // So that users are erased within ten minutes. A run that finds none costs three tasks.
    scheduleOf(taskQueue, {
      workflowType: 'erasure',
      everyMs: 5 * MINUTE_MS,
      offsetMs: 2 * MINUTE_MS,
      args: [{ eraseAfterMs: settings.ERASE_AFTER } satisfies ErasureRequest],
      staticSummary: 'Erases deleted users',
    }),
    {
      ...scheduleOf(taskQueue, {
        workflowType: 'reconcile',
        everyMs,
        offsetMs: Math.min(3 * MINUTE_MS, everyMs / 2),
        args: [],
        staticSummary: 'Looks for what was missed, and has it planned again',
      }),
      // When it is new, the store may be, too, and the workflows of the one before do not run in it.
      state: { triggerImmediately: true },
    },
  ];
}

interface Maintenance {
  readonly workflowType: string;
  readonly everyMs: number;
  readonly offsetMs: number;
  readonly args: unknown[];
  readonly staticSummary: string;
}

/** The task queue's name keeps the schedules of installations that share a namespace apart. */
function scheduleOf(
  taskQueue: string,
  { everyMs, offsetMs, ...action }: Maintenance,
): ScheduleOptions {
  const id = `${taskQueue}/${action.workflowType}`;
  return {
    scheduleId: id,
    spec: { intervals: [{ every: everyMs, offset: offsetMs }] },
    // The server adds the time to the workflow's id, so that each run is found by it.
    action: {
      type: 'startWorkflow',
      workflowId: id,
      taskQueue,
      workflowExecutionTimeout: LONGEST_RUN_MS,
      ...action,
    },
    // What was missed while the server was away is done by the next run.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: MINUTE_MS },
  };
}

/**
 * Creates or updates the schedules in the background, and creates them again should they be gone.
 * What an operator has changed meanwhile stays until the next start.
 */
export function startKeepingSchedules(
  client: Client,
  schedules: readonly ScheduleOptions[],
  logger: Logger,
): { stop(): Promise<void> } {
  const ensured = new Set<ScheduleOptions>();
  const loop = createLoop(
    async () => {
      for (const schedule of schedules) {
        if (!ensured.has(schedule)) await ensureSchedule(client, schedule);
        else if (await createMissingSchedule(client, schedule)) {
          const about = { schedule: schedule.scheduleId };
          logger.warn(about, 'the schedule was gone, and was created again');
        }
        ensured.add(schedule);
      }
      return LOOK_EVERY_MS;
    },
    (error, failures) => {
      const level = failures === 1 ? 'warn' : 'debug';
      logger[level]({ error: describeError(error) }, 'waiting to create or update the schedules');
      return ensured.size === schedules.length ? LOOK_EVERY_MS : RETRY_AFTER_MS;
    },
  );
  loop.start();
  return { stop: loop.stop };
}

/**
 * Brings a schedule to what this version and these settings want. Safe at every start, also of
 * several processes at once: they want the same. A paused one stays paused.
 */
export async function ensureSchedule(client: Client, wanted: ScheduleOptions): Promise<void> {
  if (await createMissingSchedule(client, wanted)) return;
  const { spec, action, policies } = wanted;
  await client.withDeadline(Date.now() + CALLS_TIMEOUT_MS, () =>
    client.schedule
      .getHandle(wanted.scheduleId)
      .update(({ state }) => ({ spec, action, ...(policies && { policies }), state })),
  );
}

/** Returns false if it exists, and leaves that as it is. */
async function createMissingSchedule(client: Client, wanted: ScheduleOptions): Promise<boolean> {
  try {
    await client.withDeadline(Date.now() + CALLS_TIMEOUT_MS, () => client.schedule.create(wanted));
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
  }
}
