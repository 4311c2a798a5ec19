import type { Client } from '@temporalio/client';

export const WORK_KINDS = ['workflow', 'activity'] as const;
export type WorkKind = (typeof WORK_KINDS)[number];

export type TaskQueueState = ReturnType<typeof createTaskQueueState>;

/** Shorter than a scrape waits for a reading. */
const CALL_TIMEOUT_MS = 2_500;
/** A poll lasts a minute when there is nothing to do; Temporal tells of it when it begins. */
const RECENT_MS = 120_000;
/** `TaskQueueType` of Temporal's API. */
const TYPES: Readonly<Record<WorkKind, number>> = { workflow: 1, activity: 2 };

/** What Temporal says of the workers' task queue. Rejects while Temporal is away. */
export function createTaskQueueState(client: Client, taskQueue: string) {
  const { connection, options } = client;
  return {
    /** How many workers have asked for such work in the last two minutes. */
    async countPollers(kind: WorkKind): Promise<number> {
      const { pollers } = await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
        connection.workflowService.describeTaskQueue({
          namespace: options.namespace,
          taskQueue: { name: taskQueue },
          taskQueueType: TYPES[kind],
        }),
      );
      const since = Date.now() - RECENT_MS;
      return pollers.filter(
        ({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1_000 > since,
      ).length;
    },
  };
}
