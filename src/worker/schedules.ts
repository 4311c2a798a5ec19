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
/** A lost Temporal store is rebuilt by a schedule, which was lost with it. */
const LOOK_EVERY_MS = 30_000;
const RETRY_AFTER_MS = 2_000;
/** A healthy server answers in milliseconds; without one, the calls have to end at some point. */
const CALLS_TIMEOUT_MS = 10_000;

/** A run that hangs for want of a worker makes way for the next. */
const LONGEST_RUN_MS = 55 * MINUTE_MS;

/**
 * Retention, erasure and the reconciler. Offsets from UTC are multiples of a quarter of an hour:
 * these minutes stay clear of the instants at which many are due.
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
      staticSummary: 'Removes what has passed its retention time',
    }),
    // Often enough to erase users within ten minutes. A run that finds none costs three tasks.
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
      // If the schedule is new, the store may be too, and then the previous store's workflows do
      // not run in it.
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
    // The server appends the time to the workflow's id, so that each run can be found by it.
    action: {
      type: 'startWorkflow',
      workflowId: id,
      taskQueue,
      workflowExecutionTimeout: LONGEST_RUN_MS,
      ...action,
    },
    // Runs missed while the server was down are made up by the next one.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: MINUTE_MS },
  };
}

/**
 * Creates or updates the schedules in the background, and creates them again if they disappear. An
 * operator's changes stay until the next start.
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
 * Brings a schedule to the state that this version and these settings define. Safe at every start,
 * even of several processes at once: they agree. A paused one stays paused.
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

/** Returns false if it exists, and does not change it. */
async function createMissingSchedule(client: Client, wanted: ScheduleOptions): Promise<boolean> {
  try {
    await client.withDeadline(Date.now() + CALLS_TIMEOUT_MS, () => client.schedule.create(wanted));
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
  }
}
