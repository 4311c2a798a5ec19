import { setTimeout as sleep } from 'node:timers/promises';

import type { Client, ScheduleOptions } from '@temporalio/client';

import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import { createMissingSchedule, ensureSchedule } from '../temporal/schedules.ts';

/** A Temporal store that was lost is rebuilt by a schedule, which was lost with it. */
const LOOK_EVERY_MS = 30_000;

/**
 * Brings schedules to what they are to be, in the background, and makes them again should they
 * be gone. What an operator has changed meanwhile stays until the next start.
 */
export function startKeepingSchedules(
  client: Client,
  schedules: readonly ScheduleOptions[],
  logger: Logger,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function keep(schedule: ScheduleOptions): Promise<void> {
    const about = { schedule: schedule.scheduleId };
    for (let ensured = false, waiting = false; !signal.aborted;) {
      try {
        if (!ensured) await ensureSchedule(client, schedule);
        else if (await createMissingSchedule(client, schedule)) {
          logger.warn(about, 'the schedule was gone, and is made again');
        }
        ensured = true;
        waiting = false;
      } catch (error) {
        const level = waiting ? 'debug' : 'warn';
        logger[level]({ ...about, error: describeError(error) }, 'waiting to see to the schedule');
        waiting = true;
      }
      await sleep(ensured ? LOOK_EVERY_MS : RETRY_AFTER_MS, undefined, { signal }).catch(() => {});
    }
  }

  const finished = Promise.all(schedules.map(keep));
  return {
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}

const RETRY_AFTER_MS = 2_000;
