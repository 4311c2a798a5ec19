/**
 * Records the histories that are replayed: `node test/replay/record.ts`. Those that exist
 * stay as they are: a history that was recorded once is what real workflows are made of.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { CompleteAsyncError, Context } from '@temporalio/activity';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { historyToJSON, type History } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';

import { readMachine } from '../../src/config/machine.ts';
import { findTemporalBinary } from '../../src/dev/temporal/binary.ts';
import { bundleWorkflows } from '../../src/worker/workflow-bundle.ts';
import { workflowId } from '../../src/domain/occurrence-key.ts';
import type { Activities } from '../../src/activities/index.ts';
import { createScheduler } from '../../src/temporal/scheduler.ts';
import { startDevServer } from '../support/dev-server.ts';
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
  const cast = new Map<string, Actor>();
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
    const worker = await createWorker(TASK_QUEUE, activitiesOf(cast));
    await worker.runUntil(async () => {
      await Promise.all(wanted.map(([name, scenario]) => play(name, scenario, client, cast)));
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

async function play(
  name: string,
  scenario: Scenario,
  client: Client,
  cast: Map<string, Actor>,
): Promise<void> {
  const userId = randomUUID();
  const actor: Actor = {
    plans: [...scenario.plans],
    deliveries: [...(scenario.deliveries ?? [])],
    tokens: [],
  };
  cast.set(userId, actor);
  const scheduler = createScheduler(client, TASK_QUEUE);
  await scheduler.userChanged('birthday', { userId, revision: 1 });
  const history = () => historyOf(client, userId, scenario.run ?? 1);
  const token = async (nth: number): Promise<Uint8Array> => {
    for (;;) {
      const given = actor.tokens[nth - 1];
      if (given !== undefined) return given;
      await sleep(50);
    }
  };
  const stage: Stage = {
    userChanged: (revision) => scheduler.userChanged('birthday', { userId, revision }),
    userDeleted: (revision) => scheduler.userDeleted('birthday', { userId, revision }),
    replan: () => scheduler.replan('birthday', userId),
    complete: async (outcome, nth = 1) =>
      client.activity.complete(await token(nth), { occurrenceKey: keyOf(userId), outcome }),
    breakDelivery: async () =>
      client.activity.fail(await token(1), ApplicationFailure.nonRetryable('by hand')),
    async until(type, count = 1) {
      while (countOf(type, await history()) < count) await sleep(50);
    },
  };
  await scenario.play(stage);
  await untilQuiet(client.workflow.getHandle(workflowId('birthday', userId)));
  writeFileSync(fileOf(name), linePerEvent(await history()));
  console.log(`recorded ${name}`);
}

async function playRun(name: string, run: Run, client: Client): Promise<void> {
  const workflow = await client.workflow.start(run.workflowType, {
    workflowId: name,
    taskQueue: `${TASK_QUEUE}-${name}`,
    args: [...run.args],
  });
  await workflow.result();
  const { workflowId: id, firstExecutionRunId } = workflow;
  const recorded = run.recordsFirst ? client.workflow.getHandle(id, firstExecutionRunId) : workflow;
  writeFileSync(fileOf(name), linePerEvent(await recorded.fetchHistory()));
  console.log(`recorded ${name}`);
}

/** What one user's activities will answer. */
interface Actor {
  readonly plans: Scenario['plans'][number][];
  readonly deliveries: NonNullable<Scenario['deliveries']>[number][];
  /** Of the deliveries that were opened. */
  readonly tokens: Uint8Array[];
}

function activitiesOf(cast: ReadonlyMap<string, Actor>): Pick<Activities, 'plan' | 'deliver'> {
  const actorOf = (userId: string): Actor => {
    const actor = cast.get(userId);
    if (actor === undefined) throw new Error(`nobody plays ${userId}`);
    return actor;
  };
  return {
    async plan({ userId, now }) {
      const { plans } = actorOf(userId);
      const [plan] = plans.length > 1 ? plans.splice(0, 1) : plans;
      if (plan === undefined || plan === 'fails') throw ApplicationFailure.retryable('not now');
      return plan(userId, now);
    },
    async deliver({ occurrenceKey }) {
      const actor = actorOf(occurrenceKey.split(':')[1] ?? '');
      const step = actor.deliveries.shift() ?? 'open';
      if (step === 'fails') {
        throw ApplicationFailure.create({ message: 'HTTP 503', nextRetryDelay: 100 });
      }
      if (step !== 'open') return { occurrenceKey, outcome: step };
      actor.tokens.push(Context.current().info.taskToken);
      throw new CompleteAsyncError();
    },
  };
}

/** The history of a user's nth run, empty when it has not begun. */
async function historyOf(client: Client, userId: string, run: number): Promise<History> {
  const id = workflowId('birthday', userId);
  const latest = await client.workflow.getHandle(id).fetchHistory();
  let runId = latest.events?.[0]?.workflowExecutionStartedEventAttributes?.firstExecutionRunId;
  for (let at = 1; runId; at++) {
    const history = await client.workflow.getHandle(id, runId).fetchHistory();
    if (at === run) return history;
    runId =
      history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return { events: [] };
}

function countOf(type: string, { events }: History): number {
  const attributes = `${type.charAt(0).toLowerCase()}${type.slice(1)}EventAttributes`;
  return (events ?? []).filter((event) =>
    Object.entries(event).some(([key, value]) => key === attributes && value !== null),
  ).length;
}

/** Nothing is under way: the history ends where a worker would pick it up. */
async function untilQuiet(workflow: WorkflowHandle): Promise<void> {
  while ((await workflow.describe()).raw.pendingWorkflowTask) await sleep(50);
}

function linePerEvent(history: History): string {
  const { events } = JSON.parse(historyToJSON(history)) as { events: object[] };
  // Stack traces name the folder of this checkout, which is nobody's business.
  const lines = events.map((event) => `  ${JSON.stringify(event).replaceAll(CHECKOUT, '')}`);
  return `{"events":[\n${lines.join(',\n')}\n]}\n`;
}

function keyOf(userId: string): string {
  return `birthday:${userId}:2027`;
}

function fileOf(name: string): string {
  return join(HISTORIES, `${name}.json`);
}
