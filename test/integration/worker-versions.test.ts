/** Versions of the workers beside each other, on a real server: which continues the work of which. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import { DefaultLogger } from '@temporalio/worker';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';

import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import {
  type Build,
  findQueueState,
  makeCurrent,
} from '../../src/platform/temporal/worker-versions.ts';
import { startVersionHandover } from '../../src/worker/version-handover.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { bundleWorkflows, type WorkflowCode } from '../../src/worker/workflow-bundle.ts';
import { startDevServer } from '../support/dev-server.ts';
import { asleepForAYear } from '../support/deliver-answers.ts';
import { runProgram } from '../support/process.ts';
import {
  connectTo,
  findDevServerProgram,
  startTimeSkippingServer,
  type TestTemporal,
  uniqueTaskQueue,
  useDevServer,
  useWorkflowBundle,
} from '../support/temporal.ts';

const WITHIN = { timeout: 60_000, interval: 50 };
/** For what a server does not do at once. */
const SLOWLY = { timeout: 60_000, interval: 250 };
/** Two calls are ten seconds apart. */
const PATIENT = { timeout: 120_000, interval: 100 };
const logger = pino({ level: 'silent' });

let temporal: TestTemporal;
let previous: WorkflowCode;
let next: WorkflowCode;
beforeAll(async () => {
  [temporal, previous] = await Promise.all([useDevServer(), useWorkflowBundle()]);
  const path = join(import.meta.dirname, '..', 'replay', 'next-workflow.ts');
  next = await bundleWorkflows(new DefaultLogger('ERROR'), path);
});
afterAll(() => temporal.close());

let taskQueue: string;
const running: { stop(): Promise<void> }[] = [];
beforeEach(() => {
  taskQueue = uniqueTaskQueue();
});
afterEach(async () => {
  const sleepers = `TaskQueue = "${taskQueue}" and ExecutionStatus = "Running"`;
  for await (const { workflowId } of temporal.client.workflow.list({ query: sleepers })) {
    await temporal.client.workflow.getHandle(workflowId).terminate();
  }
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

/** A worker of that build, as the process has it, and what it does about versions. */
async function startVersion(
  build: Build,
  workflowBundle: WorkflowCode,
  { client, connection }: TestTemporal = temporal,
): Promise<() => Promise<void>> {
  const worker = await createWorker({
    connection,
    namespace: 'default',
    taskQueue,
    workflowBundle,
    activities: { deliver: async () => asleepForAYear() },
    buildId: build,
  });
  const working = worker.run();
  const turns = startVersionHandover({
    client,
    taskQueue,
    build,
    logger,
    onRefused: () => worker.shutdown(),
  });
  let stopping: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    await turns.stop();
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await working;
  };
  const stopOnce = () => (stopping ??= stop());
  running.push({ stop: stopOnce });
  return stopOnce;
}

/** Has the user's workflow look for the nth time, which begins with the first; resolves when it sleeps again. */
async function look(userId: string, nth: number): Promise<void> {
  await ask(userId);
  await expect.poll(() => callsOf(userId), PATIENT).toBe(nth);
}

function ask(userId: string): Promise<void> {
  const workflows = createOccasionWorkflows(temporal.client, taskQueue);
  return workflows.lookAgain({ type: 'birthday', id: userId, userId });
}

async function eventsOf(userId: string) {
  return (await workflowOf(userId).fetchHistory()).events ?? [];
}

function workflowOf(userId: string) {
  return temporal.client.workflow.getHandle(`birthday/${userId}`);
}

/** How often it has called deliver, and sleeps again. */
async function callsOf(userId: string): Promise<number> {
  const events = await eventsOf(userId);
  const isAsleep = events.at(-1)?.timerStartedEventAttributes ?? false;
  const calls = events.filter((event) => event.activityTaskCompletedEventAttributes).length;
  return isAsleep ? calls : 0;
}

/** The build that did a workflow's last task. */
async function lastBuildOf(userId: string): Promise<Build> {
  const done = (await eventsOf(userId)).findLast(
    ({ workflowTaskCompletedEventAttributes: task }) => task,
  )?.workflowTaskCompletedEventAttributes;
  return done?.deploymentVersion?.buildId || null;
}

async function failedTasksOf(userId: string): Promise<number> {
  const events = await eventsOf(userId);
  return events.filter(({ workflowTaskFailedEventAttributes: failed }) => failed).length;
}

async function currentBuild(): Promise<Build> {
  return (await findQueueState(temporal.client, taskQueue)).current;
}

test('who sleeps since the previous version is carried on by the next, and after rolling back by the previous', async () => {
  const [sleeper, latecomer] = [randomUUID(), randomUUID()];
  await startVersion('previous', previous);
  await expect.poll(currentBuild, SLOWLY).toBe('previous');
  await look(sleeper, 1);
  expect(await lastBuildOf(sleeper)).toBe('previous');

  await startVersion('next', next);
  await expect.poll(currentBuild, SLOWLY).toBe('next');
  await look(sleeper, 2);
  expect(await lastBuildOf(sleeper)).toBe('next');
  await look(latecomer, 1);
  expect(await lastBuildOf(latecomer)).toBe('next');

  await makeCurrent(temporal.client, taskQueue, 'previous');
  await look(sleeper, 3);
  expect(await lastBuildOf(sleeper)).toBe('previous');
  expect(await failedTasksOf(sleeper)).toBe(0);
  // A workflow that has taken the next version's branch waits for it; nothing is lost.
  await ask(latecomer);
  await expect.poll(() => failedTasksOf(latecomer), WITHIN).toBeGreaterThan(0);
  expect(await currentBuild()).toBe('previous');

  await makeCurrent(temporal.client, taskQueue, 'next');
  await expect.poll(() => callsOf(latecomer), PATIENT).toBe(2);
  expect(await lastBuildOf(latecomer)).toBe('next');
}, 240_000);

test('the first version with a build id carries on those of before, and without one it can be gone back to', async () => {
  const sleeper = randomUUID();
  const stopUnversioned = await startVersion(null, previous);
  await look(sleeper, 1);
  expect(await lastBuildOf(sleeper)).toBeNull();

  const stopFirst = await startVersion('first', previous);
  await expect.poll(currentBuild, SLOWLY).toBe('first');
  await stopUnversioned();
  await look(sleeper, 2);
  expect(await lastBuildOf(sleeper)).toBe('first');

  await startVersion(null, previous);
  expect(await current('--unversioned')).toContain('* (without a build id): has workers');
  // It has the sleeper in memory, and would go on with it.
  await stopFirst();
  await look(sleeper, 3);
  expect(await lastBuildOf(sleeper)).toBeNull();
  expect(await failedTasksOf(sleeper)).toBe(0);
}, 240_000);

test('npm run worker:current shows who has the work, gives it, and not to a build that is not there', async () => {
  expect(await current()).toContain(`No worker with a WORKER_BUILD_ID has polled the task queue`);
  await startVersion('one', previous);
  await expect.poll(currentBuild, SLOWLY).toBe('one');
  await startVersion('two', previous);
  await expect.poll(currentBuild, SLOWLY).toBe('two');
  expect(await current('one')).toContain('* one: has workers');
  expect(await current()).toMatch(/^ {2}two: has workers$/m);
  await expect(current('three')).rejects.toThrow(/ended with 1: .*three/s);
  expect(await currentBuild()).toBe('one');
});

test('when no worker of the version that has the work is left, one that had it before takes it', async () => {
  const server = await startDevServer({
    binary: await findDevServerProgram(),
    // It remembers pollers for five minutes, and has polls last for one.
    dynamicConfig: ['matching.PollerHistoryTTL="6s"', 'matching.longPollExpirationInterval="2s"'],
  });
  onTestFinished(server.stop);
  const own = await connectTo(server.address);
  onTestFinished(own.close);
  const build = async () => (await findQueueState(own.client, taskQueue)).current;
  const stopOne = await startVersion('one', previous, own);
  await expect.poll(build, SLOWLY).toBe('one');
  const stopTwo = await startVersion('two', previous, own);
  await expect.poll(build, SLOWLY).toBe('two');

  await stopTwo();
  await expect.poll(build, SLOWLY).toBe('one');
  await stopOne();
});

test('a Temporal without versions is not taken for one that is away, and unversioned workers do not mind it', async () => {
  const server = await startTimeSkippingServer();
  onTestFinished(server.close);
  const refused = Promise.withResolvers<Error>();
  const { client } = server;
  const options = { client, taskQueue, logger, onRefused: refused.resolve };
  const turns = startVersionHandover({ ...options, build: 'one' });
  expect((await refused.promise).message).toContain('WORKER_BUILD_ID: this Temporal has no worker');
  await turns.stop();
  const without = Promise.withResolvers<Error>();
  await startVersionHandover({ ...options, onRefused: without.resolve, build: null }).stop();
  expect(await Promise.race([without.promise, 'nothing'])).toBe('nothing');
});

/** Gives what the command says. */
async function current(...args: string[]): Promise<string> {
  const command = runProgram(process.execPath, ['src/cli/worker-current.ts', ...args], {
    settings: { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_TASK_QUEUE: taskQueue },
  });
  const code = await command.exited;
  const said = command.lines.join('\n');
  if (code !== 0) throw new Error(`ended with ${code}: ${said}`);
  return said;
}
