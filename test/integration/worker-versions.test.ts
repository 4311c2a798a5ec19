/**
 * Versions of the workers side by side, on a real server: which one continues the work of which.
 */
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

/** A worker of that build, like the process, and how it handles versions. */
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

/**
 * Makes the user's workflow check for the nth time, counted from the first; resolves when it sleeps
 * again.
 */
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

/** How often it has called deliver, once it sleeps again. */
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

test('workflows that sleep since the previous version are continued by the next, and after a rollback by the previous', async () => {
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

test('the first version with a build id continues earlier workflows, and it can be removed again', async () => {
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
  // It has the sleeping workflow in memory, and would continue with it.
  await stopFirst();
  await look(sleeper, 3);
  expect(await lastBuildOf(sleeper)).toBeNull();
  expect(await failedTasksOf(sleeper)).toBe(0);
}, 240_000);

test('npm run worker:current shows which build has the work, changes it, but not to a missing build', async () => {
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

test('when the current version has no workers left, one that was current before takes over', async () => {
  const server = await startDevServer({
    binary: await findDevServerProgram(),
    // It remembers pollers for five minutes, and polls last for one.
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

test('a Temporal without versions is not mistaken for one that is down, and does not affect unversioned workers', async () => {
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

/** Returns the output of the command. */
async function current(...args: string[]): Promise<string> {
  const command = runProgram(process.execPath, ['src/cli/worker-current.ts', ...args], {
    settings: { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_TASK_QUEUE: taskQueue },
  });
  const code = await command.exited;
  const said = command.lines.join('\n');
  if (code !== 0) throw new Error(`ended with ${code}: ${said}`);
  return said;
}
