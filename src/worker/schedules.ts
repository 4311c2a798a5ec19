import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client';

import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import { createLoop } from '../platform/loop.ts';
import type { ErasureRequest, PruneRequest } from '../workflows/maintenance-contract.ts';

const MINUTE_MS = 60_000;
/** A Temporal store that was lost is rebuilt by a schedule, which was lost with it. */
const LOOK_EVERY_MS = 30_000;
const RETRY_AFTER_MS = 2_000;
/** A healthy server answers in milliseconds; without one, the calls have to end some time. */
const CALLS_TIMEOUT_MS = 10_000;

/**
 * Retention, every hour. Offsets from UTC are quarters of an hour: this is away from the instants
 * at which many are due.
 */
export function housekeepingSchedule(taskQueue: string, request: PruneRequest): ScheduleOptions {
  return scheduleOf(taskQueue, 'housekeeping', {
    everyMs: 60 * MINUTE_MS,
    offsetMs: 7 * MINUTE_MS,
    timeoutMs: 55 * MINUTE_MS,
    args: [request],
    summary: 'Removes what has been kept for its time',
  });
}

/**
 * Erasure, every five minutes, so that a deletion is followed within about ten. A run that finds
 * nobody is a workflow of three tasks.
 */
export function erasureSchedule(taskQueue: string, request: ErasureRequest): ScheduleOptions {
  return scheduleOf(taskQueue, 'erasure', {
    everyMs: 5 * MINUTE_MS,
    offsetMs: 2 * MINUTE_MS,
    timeoutMs: 60 * MINUTE_MS,
    args: [request],
    summary: 'Erases who was deleted',
  });
}

/**
 * The reconciler; by default at 3, 13, 23 … minutes past. Also at once when the schedule is new:
 * then the store may be, too, and the workflows of the one before do not run in it.
 */
export function reconcileSchedule(taskQueue: string, everyMs: number): ScheduleOptions {
  const schedule = scheduleOf(taskQueue, 'reconcile', {
    everyMs,
    offsetMs: Math.min(3 * MINUTE_MS, everyMs / 2),
    timeoutMs: 60 * MINUTE_MS,
    args: [],
    summary: 'Looks for what was missed, and has it planned again',
  });
  return { ...schedule, state: { triggerImmediately: true } };
}

interface Maintenance {
  readonly everyMs: number;
  readonly offsetMs: number;
  /** One that hangs for want of a worker makes way for the next. */
  readonly timeoutMs: number;
  readonly args: unknown[];
  readonly summary: string;
}

/** The task queue's name keeps the schedules of installations that share a namespace apart. */
function scheduleOf(taskQueue: string, workflowType: string, of: Maintenance): ScheduleOptions {
  return {
    scheduleId: `${taskQueue}/${workflowType}`,
    spec: { intervals: [{ every: of.everyMs, offset: of.offsetMs }] },
    action: {
      type: 'startWorkflow',
      workflowType,
      // The server adds the time, so that each run is found by it.
      workflowId: `${taskQueue}/${workflowType}`,
      taskQueue,
      args: of.args,
      workflowExecutionTimeout: of.timeoutMs,
      staticSummary: of.summary,
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
  const loops = schedules.map((schedule) => {
    const about = { schedule: schedule.scheduleId };
    let isEnsured = false;
    return createLoop(
      async () => {
        if (!isEnsured) await ensureSchedule(client, schedule);
        else if (await createMissingSchedule(client, schedule)) {
          logger.warn(about, 'the schedule was gone, and was created again');
        }
        isEnsured = true;
        return LOOK_EVERY_MS;
      },
      (error, failures) => {
        const level = failures === 1 ? 'warn' : 'debug';
        logger[level]({ ...about, error: describeError(error) }, 'waiting to see to the schedule');
        return isEnsured ? LOOK_EVERY_MS : RETRY_AFTER_MS;
      },
    );
  });
  for (const loop of loops) loop.start();
  return {
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
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
