import { type Client, ScheduleAlreadyRunning, type ScheduleOptions } from '@temporalio/client';

import { createLoop } from '../loop.ts';
import { InvalidSettingsError } from '../settings/settings.ts';
import type { TemporalConnection } from './connection.ts';
import { classify, TemporalAwayError } from './errors.ts';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
/** A healthy server answers in milliseconds; without one, the call has to end at some point. */
const CALL_TIMEOUT_MS = 5_000;

/**
 * Keeps two installations out of each other's workflows. The lock is a schedule that never runs,
 * `<task queue>/installation`: the first installation creates it, atomically, and Temporal keeps it
 * forever (docs/adr/0009-installations.md).
 *
 * @param findInstallationId returns this installation's id; null until its database has been
 * migrated
 * @param onRefused called once if the namespace belongs to another installation
 * @param onWaiting called once, at the first check that fails
 */
export function createNamespaceGuard(
  { client, taskQueue }: Pick<TemporalConnection, 'client' | 'taskQueue'>,
  findInstallationId: () => Promise<string | null>,
  onRefused: (error: InvalidSettingsError) => void,
  onWaiting: (error: unknown) => void = () => {},
) {
  let checking: Promise<void> | null = null;

  /**
   * Resolves when the namespace is known to be this installation's, immediately from then on.
   * Rejects with `TemporalAwayError` while that cannot be determined, and permanently with
   * `InvalidSettingsError` if it is another's.
   */
  function check(): Promise<void> {
    checking ??= checkOnce().catch((error: unknown) => {
      if (error instanceof InvalidSettingsError) onRefused(error);
      // The next call checks again.
      else checking = null;
      throw error;
    });
    return checking;
  }

  async function checkOnce(): Promise<void> {
    const installationId = await findInstallationId().catch((error: unknown) => {
      throw new TemporalAwayError('the database is down', { cause: error });
    });
    if (installationId === null) {
      throw new TemporalAwayError('the database has not been migrated');
    }
    const owner = await findOrTakeLock(client, taskQueue, installationId);
    if (owner === installationId) return;
    throw new InvalidSettingsError([
      `TEMPORAL_TASK_QUEUE: in the namespace "${client.options.namespace}" of this Temporal, "${taskQueue}" is the task queue of another installation (${owner}; that of this database is ${installationId}). Give this one a namespace or a task queue of its own; if the other is gone for good, delete the schedule "${lockId(taskQueue)}".`,
    ]);
  }

  /** Checks in the background until it knows: for a process that does not wait for Temporal. */
  const loop = createLoop(
    async () => {
      await check();
      void loop.stop();
      return 0;
    },
    (error, failures) => {
      if (error instanceof InvalidSettingsError) void loop.stop();
      else if (failures === 1) onWaiting(error);
      return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
    },
  );
  // A call in progress ends with the connection.
  return { check, start: loop.start, stop: loop.stop };
}

/**
 * Returns the id of the installation that owns the task queue: this one's, from now on, if none
 * did.
 *
 * @throws TemporalAwayError, or InvalidSettingsError if the lock was encrypted with a key that
 *   this process does not have
 */
async function findOrTakeLock(
  client: Client,
  taskQueue: string,
  installationId: string,
): Promise<unknown> {
  const call = <Result>(ask: () => Promise<Result>): Promise<Result> =>
    client.withDeadline(Date.now() + CALL_TIMEOUT_MS, ask);
  try {
    await call(() => client.schedule.create(lockOf(taskQueue, installationId)));
    return installationId;
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw away(error);
  }
  try {
    const { memo } = await call(() => client.schedule.getHandle(lockId(taskQueue)).describe());
    return memo?.['installationId'];
  } catch (error) {
    throw error instanceof InvalidSettingsError ? error : away(error);
  }
}

function away(error: unknown): unknown {
  const classified = classify(error);
  if (classified instanceof TemporalAwayError) return classified;
  const why = error instanceof Error ? error.message : String(error);
  const message = `Temporal does not say whose the namespace is: ${why}`;
  return new TemporalAwayError(message, { cause: error });
}

const lockId = (taskQueue: string): string => `${taskQueue}/installation`;

function lockOf(taskQueue: string, installationId: string): ScheduleOptions {
  return {
    scheduleId: lockId(taskQueue),
    // It never runs: its spec has no times, and it is paused as well.
    spec: {},
    action: { type: 'startWorkflow', workflowType: 'installation', taskQueue, args: [] },
    state: {
      paused: true,
      note: `Marks the task queue ${taskQueue} as that of the Daybell installation ${installationId}. It never runs; keep it.`,
    },
    memo: { installationId },
  };
}
