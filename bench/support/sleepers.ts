/** What Temporal stores for sleeping users, measured on a sample of them. */
import { Client, Connection } from '@temporalio/client';

import { workflowId } from '../../src/ledger/occurrence-key.ts';

export interface SleeperSample {
  /** Averages over the sample, while they sleep. */
  readonly historyBytes: number;
  readonly historyEvents: number;
  /** The average number of events that the same runs have by now. */
  events(): Promise<number>;
  close(): Promise<void>;
}

export async function sampleSleepers(
  address: string,
  userIds: readonly string[],
): Promise<SleeperSample> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const described = await Promise.allSettled(
    userIds.map((userId) =>
      client.workflow.getHandle(workflowId({ type: 'birthday', id: userId })).describe(),
    ),
  );
  // One that does not answer, or does not exist yet, is skipped: it is only a sample.
  const runs = described.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const bytes = runs.map(({ raw }) => Number(raw.workflowExecutionInfo?.historySizeBytes ?? 0));
  return {
    historyBytes: mean(bytes),
    historyEvents: mean(runs.map(({ historyLength }) => Number(historyLength))),
    async events() {
      const described = await Promise.all(
        runs.map(({ workflowId, runId }) =>
          client.workflow.getHandle(workflowId, runId).describe(),
        ),
      );
      return mean(described.map(({ historyLength }) => Number(historyLength)));
    },
    close: () => connection.close(),
  };
}

function mean(values: readonly number[]): number {
  if (values.length === 0) return 0;
  return Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
}
