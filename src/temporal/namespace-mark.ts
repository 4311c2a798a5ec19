import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  type ScheduleOptions,
} from '@temporalio/client';

import { InvalidSettingsError } from '../config/settings.ts';
import { classify, TemporalAwayError } from './errors.ts';

/** A healthy server answers in milliseconds; with none, the call has to end some time. */
const CALL_TIMEOUT_MS = 5_000;

/**
 * Gives the id of the installation that a task queue of the namespace is of, which is this one
 * from now on if it was nobody's. Rejects with `TemporalAwayError`, and with
 * `InvalidSettingsError` when the mark was encrypted with a key that is not here.
 */
export async function findOrMark(
  client: Client,
  taskQueue: string,
  installationId: string,
): Promise<unknown> {
  const { schedule } = client;
  const call = <Result>(ask: () => Promise<Result>): Promise<Result> =>
    client.withDeadline(Date.now() + CALL_TIMEOUT_MS, ask);
  const findOwner = async (): Promise<unknown> => {
    const { memo } = await call(() => schedule.getHandle(markId(taskQueue)).describe());
    return memo?.['installationId'];
  };
  try {
    try {
      return await findOwner();
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    }
    try {
      await call(() => schedule.create(markOf(taskQueue, installationId)));
      return installationId;
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    }
    // Somebody else was there first.
    return await findOwner();
  } catch (error) {
    // Encrypted with a key that this process does not have.
    if (error instanceof InvalidSettingsError) throw error;
    const classified = classify(error);
    if (classified instanceof TemporalAwayError) throw classified;
    throw new TemporalAwayError('Temporal does not say whose the namespace is', { cause: error });
  }
}

/** The id of the schedule that is the mark. */
export const markId = (taskQueue: string): string => `${taskQueue}/installation`;

function markOf(taskQueue: string, installationId: string): ScheduleOptions {
  return {
    scheduleId: markId(taskQueue),
    // Never: there is no time in it, and it is paused besides.
    spec: {},
    action: { type: 'startWorkflow', workflowType: 'installation', taskQueue, args: [] },
    state: {
      paused: true,
      note: `Marks the task queue ${taskQueue} as that of the Daybell installation ${installationId}. It never runs; keep it.`,
    },
    memo: { installationId },
  };
}
