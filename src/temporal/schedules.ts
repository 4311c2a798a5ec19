import {
  ScheduleAlreadyRunning,
  type Client,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client';

import type { Retention } from '../workflows/maintenance-contract.ts';

const MINUTE = 60_000;

/**
 * Brings a schedule to what this version and these settings want. Safe to do at every start,
 * by several at once: they want the same. One that an operator has paused stays paused.
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

/** False when there is one, which stays as it is. */
export async function createMissingSchedule(
  client: Client,
  wanted: ScheduleOptions,
): Promise<boolean> {
  try {
    await client.withDeadline(Date.now() + CALLS_TIMEOUT_MS, () => client.schedule.create(wanted));
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
  }
}

/**
 * The reconciler, every `everyMs`, and at once when the schedule is new: then the store is, too,
 * and who was followed in another one is not followed in this.
 */
export function reconcileSchedule(taskQueue: string, everyMs: number): ScheduleOptions {
  return {
    scheduleId: `${taskQueue}/reconcile`,
    // By default at 3, 13, 23 … minutes past: a little after the instants at which many are due.
    spec: { intervals: [{ every: everyMs, offset: Math.min(3 * MINUTE, everyMs / 2) }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'reconcile',
      workflowId: `${taskQueue}/reconcile`,
      taskQueue,
      args: [],
      // Of a round; one that hangs makes way for the next. Rounds go on while there is more.
      workflowRunTimeout: 60 * MINUTE,
      staticSummary: 'Looks for what was missed, and has it planned again',
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: MINUTE },
    state: { triggerImmediately: true },
  };
}

/** A healthy server answers in milliseconds; with none, the calls have to end some time. */
const CALLS_TIMEOUT_MS = 10_000;

/**
 * Erasure, every five minutes: a deletion is followed within about ten. A look that finds nobody
 * costs a workflow of three tasks.
 */
export function erasureSchedule(taskQueue: string, eraseAfterMs: number): ScheduleOptions {
  return {
    scheduleId: `${taskQueue}/erasure`,
    spec: { intervals: [{ every: 5 * MINUTE, offset: 2 * MINUTE }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'erasure',
      workflowId: `${taskQueue}/erasure`,
      taskQueue,
      args: [{ eraseAfterMs }],
      // One that hangs for want of a worker makes way for the next.
      workflowExecutionTimeout: 60 * MINUTE,
      staticSummary: 'Erases who was deleted',
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: MINUTE },
  };
}

/**
 * Housekeeping, every hour. Two installations that share a namespace have task queues of
 * their own, so the queue's name keeps their schedules and workflows apart.
 */
export function housekeepingSchedule(taskQueue: string, keep: Retention): ScheduleOptions {
  return {
    scheduleId: `${taskQueue}/housekeeping`,
    // Offsets from UTC are quarters of an hour: this is away from the instants at which many are due.
    spec: { intervals: [{ every: 60 * MINUTE, offset: 7 * MINUTE }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'housekeeping',
      // The server adds the time, so that each run is found by its hour.
      workflowId: `${taskQueue}/housekeeping`,
      taskQueue,
      args: [{ keep }],
      // One that hangs for want of a worker makes way for the next.
      workflowExecutionTimeout: 55 * MINUTE,
      staticSummary: 'Removes what has been kept for its time',
    },
    policies: {
      overlap: ScheduleOverlapPolicy.SKIP,
      // What was missed while the server was away is done by the next one.
      catchupWindow: MINUTE,
    },
  };
}
