/** Occasion workflows on a real server, with fake answers of deliver. */
import { randomUUID } from 'node:crypto';

import type { WorkflowHandle } from '@temporalio/client';

import type { OwnedOccasion } from '../../src/ledger/types.ts';
import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { createWorker } from '../../src/worker/worker.ts';
import type { Play } from './deliver-answers.ts';
import { uniqueTaskQueue, useWorkflowBundle, type TestTemporal } from './temporal.ts';

export interface StagedOccasion extends OwnedOccasion {
  readonly workflow: WorkflowHandle;
  /** When deliver was called, epoch ms. */
  readonly calls: readonly number[];
}

export type OccasionStage = Awaited<ReturnType<typeof startOccasionStage>>;

export async function startOccasionStage({ client, connection }: TestTemporal) {
  // Hardly longer than Daybell's own: it is in many events.
  const taskQueue = uniqueTaskQueue().slice(0, 12);
  const plays = new Map<string, { play: Play; calls: number[] }>();
  const worker = await createWorker({
    connection,
    namespace: 'default',
    taskQueue,
    workflowBundle: await useWorkflowBundle(),
    activities: {
      async deliver({ id }) {
        const staged = plays.get(id);
        if (staged === undefined) throw new Error(`nothing is staged for ${id}`);
        staged.calls.push(Date.now());
        return staged.play(staged.calls.length);
      },
    },
  });
  const running = worker.run();
  return {
    taskQueue,
    workflows: createOccasionWorkflows(client, taskQueue),
    stage(play: Play): StagedOccasion {
      const id = randomUUID();
      const calls: number[] = [];
      plays.set(id, { play, calls });
      const workflow = client.workflow.getHandle(`birthday/${id}`);
      return { type: 'birthday', id, userId: id, workflow, calls };
    },
    async stop() {
      worker.shutdown();
      await running;
    },
  };
}
