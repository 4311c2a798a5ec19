/**
 * Records the histories that are replayed: `node test/replay/record.ts`. Those that exist
 * stay as they are: a history that was recorded once is what real workflows are made of.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { historyToJSON, type History } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';

import type { Activities } from '../../src/activities/index.ts';
import { readMachine } from '../../src/platform/settings/machine.ts';
import { findTemporalBinary } from '../../dev/temporal/binary.ts';
import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { bundleWorkflows } from '../../src/worker/workflow-bundle.ts';
import { changedSignal } from '../../src/workflows/contract.ts';
import { startDevServer } from '../support/dev-server.ts';
import { eventsOf } from '../support/histories.ts';
import { runs, type Run } from './runs.ts';
import { scenarios, type Scenario, type Stage } from './scenarios.ts';

const HISTORIES = join(import.meta.dirname, 'histories');
const CHECKOUT = new RegExp(`(file://)?${join(import.meta.dirname, '..', '..')}/`, 'g');
const TASK_QUEUE = 'recorder';

const isMissing = ([name]: readonly [string, unknown]): boolean => !existsSync(fileOf(name));
const missing = Object.entries(scenarios).filter(isMissing);
const missingRuns = Object.entries(runs).filter(isMissing);
if (missing.length + missingRuns.length === 0) console.log('Every history is there.');
else await record(missing, missingRuns);

async function record(
  wanted: readonly (readonly [string, Scenario])[],
  wantedRuns: readonly (readonly [string, Run])[],
): Promise<void> {
  const logger = new DefaultLogger('ERROR');
  Runtime.install({ logger });
  const { path, cacheHome, environment } = readMachine();
  const binary = await findTemporalBinary({
    path,
    cacheHome,
    environment,
    onProgress: (line) => console.log(line),
  });
  const server = await startDevServer({ binary });
  const connection = await Connection.connect({ address: server.address });
  const native = await NativeConnection.connect({ address: server.address });
  const workflowBundle = await bundleWorkflows(logger);
  const createWorker = (taskQueue: string, activities: Partial<Activities>) =>
    Worker.create({
      connection: native,
      taskQueue,
      identity: TASK_QUEUE,
      workflowBundle,
      activities,
    });
  try {
    const client = new Client({ connection, identity: TASK_QUEUE });
    const cast = new Map<string, { scenario: Scenario; calls: number }>();
    const worker = await createWorker(TASK_QUEUE, {
      async deliver({ id }) {
        const actor = cast.get(id);
        if (actor === undefined) throw new Error(`nobody plays ${id}`);
        return actor.scenario.deliver((actor.calls += 1));
      },
    });
    await worker.runUntil(async () => {
      await Promise.all(
        wanted.map(async ([name, scenario]) => {
          const id = randomUUID();
          cast.set(id, { scenario, calls: 0 });
          await play(name, scenario, id, client);
        }),
      );
    });
    for (const [name, run] of wantedRuns) {
      const own = await createWorker(`${TASK_QUEUE}-${name}`, run.activities());
      await own.runUntil(() => playRun(name, run, client));
    }
  } finally {
    await connection.close();
    await native.close();
    await server.stop();
  }
}

async function play(name: string, scenario: Scenario, id: string, client: Client): Promise<void> {
  const occasion = { type: 'birthday', id, userId: id };
  const workflows = createOccasionWorkflows(client, TASK_QUEUE);
  await workflows.start(occasion, scenario.delayMs ?? 0);
  const { workflowId } = client.workflow.getHandle(`birthday/${id}`);
  const { runId } = await client.workflow.getHandle(workflowId).describe();
  const workflow = client.workflow.getHandle(workflowId, runId);
  const stage: Stage = {
    // In whichever run it is by then.
    signal: () => client.workflow.getHandle(workflowId).signal(changedSignal),
    cancel: async () => void (await workflow.cancel()),
    lookAgain: () => workflows.lookAgain(occasion),
    async until(type, count = 1) {
      while ((await eventsOf(workflow)).filter((event) => event === type).length < count) {
        await sleep(50);
      }
    },
  };
  await scenario.play(stage);
  await untilQuiet(workflow);
  writeFileSync(fileOf(name), linePerEvent(await workflow.fetchHistory()));
  console.log(`recorded ${name}`);
}

async function playRun(name: string, run: Run, client: Client): Promise<void> {
  const workflow = await client.workflow.start(run.workflowType, {
    workflowId: name,
    taskQueue: `${TASK_QUEUE}-${name}`,
    args: [...run.args],
  });
  await workflow.result();
  writeFileSync(fileOf(name), linePerEvent(await workflow.fetchHistory()));
  console.log(`recorded ${name}`);
}

/** Nothing is in progress: the history ends where a worker would resume it. */
async function untilQuiet(workflow: WorkflowHandle): Promise<void> {
  while ((await workflow.describe()).raw.pendingWorkflowTask) await sleep(50);
}

function linePerEvent(history: History): string {
  const { events } = JSON.parse(historyToJSON(history)) as { events: object[] };
  // Stack traces contain the path of this checkout, which must not be published.
  const lines = events.map((event) => `  ${JSON.stringify(event).replaceAll(CHECKOUT, '')}`);
  return `{"events":[\n${lines.join(',\n')}\n]}\n`;
}

function fileOf(name: string): string {
  return join(HISTORIES, `${name}.json`);
}
