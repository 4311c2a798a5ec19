// @module-tag long
/**
 * The occasion workflow on a real server, with answers of deliver that are made up: what it does
 * with them, with signals, and with what an operator can do to it.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, test } from 'vitest';

import { changedSignal, type DeliverAnswer, statusQuery } from '../../src/workflows/contract.ts';
import { eventsOf, runsOf } from '../support/histories.ts';
import { asleepForAYear, asleepUntil, ENDED } from '../support/deliver-answers.ts';
import {
  startOccasionStage,
  type OccasionStage,
  type StagedOccasion,
} from '../support/occasion-stage.ts';
import { findDevServerProgram, useDevServer, type TestTemporal } from '../support/temporal.ts';

const run = promisify(execFile);
const SECOND = 1_000;
const YEAR = 365 * 86_400 * SECOND;
const WAIT = { timeout: 100_000, interval: 100 };

let temporal: TestTemporal;
let on: OccasionStage;
let program: string;
beforeAll(async () => {
  temporal = await useDevServer();
  [on, program] = await Promise.all([startOccasionStage(temporal), findDevServerProgram()]);
});
afterAll(async () => {
  await on.stop();
  await temporal.close();
});

// Most of them wait for the ten seconds between two calls: side by side.
describe.concurrent('the occasion workflow', () => {
  test("calls deliver at its start, and sleeps until the answer's instant", async ({ expect }) => {
    const wakeAt = Date.now() + 12 * SECOND;
    const occasion = on.stage((call) => (call === 1 ? asleepUntil(wakeAt) : asleepForAYear()));
    await on.workflows.start(occasion, 0);

    await expect.poll(() => occasion.calls, WAIT).toHaveLength(2);
    await expect.poll(() => isAsleep(occasion), WAIT).toBe(true);

    expect(occasion.calls[1]).toBeGreaterThanOrEqual(wakeAt - 50);
    expect(await eventsOf(occasion.workflow)).toHaveLength(22);
  });

  test('describes in words what it waits for', async ({ expect }) => {
    const answers: Record<number, DeliverAnswer> = {
      1: asleepForAYear(),
      2: { ...asleepForAYear(), next: null, blockedReason: 'unknown zone Mars/Olympus_Mons' },
      3: ENDED,
    };
    const occasion = on.stage((call) => answers[call] ?? ENDED);
    await on.workflows.start(occasion, 0);
    const wakeAt = answers[1]?.wakeAt ?? 0;
    const key = answers[1]?.next?.occurrenceKey;
    await expect
      .poll(() => occasion.workflow.query(statusQuery), WAIT)
      .toEqual({
        waitingFor: 'instant',
        details: `Asleep until ${iso(wakeAt)}. ${key}, due ${iso(wakeAt)}`,
        answer: answers[1],
      });
    const description = await occasion.workflow.describe();
    expect(await description.staticSummary()).toBe(`The birthday of user ${occasion.userId}`);
    expect(await summariesOf(occasion)).toEqual(['See what is due', `Due ${iso(wakeAt)}`]);

    await occasion.workflow.signal(changedSignal);
    await expect
      .poll(() => occasion.workflow.query(statusQuery), WAIT)
      .toMatchObject({
        waitingFor: 'change',
        details: expect.stringMatching(/It cannot be planned: unknown zone Mars\/Olympus_Mons$/),
      });

    await occasion.workflow.signal(changedSignal);
    await occasion.workflow.result();
    expect(await occasion.workflow.query(statusQuery)).toEqual({
      waitingFor: 'nothing',
      details: 'Nothing is to come',
      answer: ENDED,
    });
  });

  test('adds no event for a retry while deliver has not settled what is due, and says why', async ({
    expect,
  }) => {
    const occasion = on.stage((call) => {
      if (call > 5) return asleepForAYear();
      throw ApplicationFailure.create({
        message: 'dispatchers are sending',
        category: 'BENIGN',
        nextRetryDelay: 500,
      });
    });
    await on.workflows.start(occasion, 0);
    await expect
      .poll(async () => (await pendingOf(occasion))?.lastFailure?.message, WAIT)
      .toBe('dispatchers are sending');

    await expect.poll(() => isAsleep(occasion), WAIT).toBe(true);

    expect(occasion.calls).toHaveLength(6);
    expect(await eventsOf(occasion.workflow)).toHaveLength(11);
  });

  test('calls less and less often while nothing comes of it', async ({ expect }) => {
    const occasion = on.stage(() => asleepUntil(Date.now()));
    await on.workflows.start(occasion, 0);

    await expect.poll(() => occasion.calls, WAIT).toHaveLength(3);

    const [first = 0, second = 0, third = 0] = occasion.calls;
    expect(second - first).toBeGreaterThan(19 * SECOND);
    expect(third - second).toBeGreaterThan(39 * SECOND);
    await occasion.workflow.terminate();
  });

  test('checks again when it is signalled, but not within ten seconds of the last time', async ({
    expect,
  }) => {
    const occasion = on.stage(asleepForAYear);
    await on.workflows.start(occasion, 0);
    await expect.poll(() => isAsleep(occasion), WAIT).toBe(true);

    await occasion.workflow.signal(changedSignal);
    await expect.poll(() => occasion.calls, WAIT).toHaveLength(2);

    const [first = 0, second = 0] = occasion.calls;
    expect(second - first).toBeGreaterThan(9.9 * SECOND);
  });

  test('abandons a call that waits for its next attempt when it is signalled, and calls again', async ({
    expect,
  }) => {
    const occasion = on.stage((call) => {
      if (call > 1) return asleepForAYear();
      throw ApplicationFailure.create({ message: 'not yet', nextRetryDelay: '1 hour' });
    });
    await on.workflows.start(occasion, 0);
    await expect.poll(() => occasion.calls, WAIT).toHaveLength(1);

    await occasion.workflow.signal(changedSignal);

    await expect.poll(() => isAsleep(occasion), WAIT).toBe(true);
    const [first = 0, second = 0] = occasion.calls;
    expect(second - first).toBeLessThan(30 * SECOND);
    expect(await pendingOf(occasion)).toBeUndefined();
  });

  test('handles a signal that comes while deliver finds that the occasion has ended before it ends', async ({
    expect,
  }) => {
    const occasion: StagedOccasion = on.stage(async (call) => {
      if (call > 1) return asleepForAYear();
      // It gets a new date when deliver has read that it has ended.
      await occasion.workflow.signal(changedSignal);
      return ENDED;
    });
    await on.workflows.start(occasion, 0);

    await expect.poll(() => occasion.calls, WAIT).toHaveLength(2);
    await expect.poll(() => isAsleep(occasion), WAIT).toBe(true);
    expect(await runsOf(temporal.client, occasion.workflow)).toHaveLength(1);
  });

  test('calls only a few times after a thousand signals, and its histories stay short', async ({
    expect,
  }) => {
    const wakeAt = Date.now() + YEAR;
    const occasion = on.stage(() => asleepUntil(wakeAt));
    await on.workflows.start(occasion, 0);
    await expect.poll(() => isAsleep(occasion), WAIT).toBe(true);

    for (let hundreds = 0; hundreds < 10; hundreds += 1) {
      await Promise.all(Array.from({ length: 100 }, () => occasion.workflow.signal(changedSignal)));
    }
    await expect
      .poll(async () => (await isDelayed(occasion)) || (await isAsleep(occasion)), WAIT)
      .toBe(true);
    const calls = occasion.calls.length;
    expect(calls).toBeLessThan(6);

    const runs = await runsOf(temporal.client, occasion.workflow);
    const own = runs.flat().filter((type) => type !== 'WORKFLOW_EXECUTION_SIGNALED');
    expect(own.length).toBeLessThan(200);
    expect(runs.length).toBeLessThan(10);
  });

  test('exists once if it is started twice', async ({ expect }) => {
    const occasion = on.stage(asleepForAYear);
    await on.workflows.start(occasion, 0);
    await expect.poll(() => isAsleep(occasion), WAIT).toBe(true);

    await expect(
      temporal.client.workflow.start('occasion', {
        workflowId: occasion.workflow.workflowId,
        taskQueue: on.taskQueue,
        args: [{ type: occasion.type, id: occasion.id }],
      }),
    ).rejects.toThrow(/already/);

    expect(occasion.calls).toHaveLength(1);
  });

  const LEVERS = {
    'its activity is failed': ['activity', 'fail', '--activity-id'],
    'its activity is completed with an invalid answer': [
      'activity',
      'complete',
      '--result',
      '{"ok":true}',
      '--activity-id',
    ],
    'its activity is completed with nothing': [
      'activity',
      'complete',
      '--result',
      'null',
      '--activity-id',
    ],
  };
  test.for(Object.entries(LEVERS))(
    'waits and calls again when %s',
    async ([, command], { expect }) => {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const occasion = on.stage(async (call) => {
        if (call === 1) await released;
        return asleepForAYear();
      });
      await on.workflows.start(occasion, 0);
      await expect.poll(() => occasion.calls, WAIT).toHaveLength(1);

      await pull([...command, (await pendingOf(occasion))?.activityId ?? ''], occasion);
      release();

      await expect.poll(() => occasion.calls, WAIT).toHaveLength(2);
      const [first = 0, second = 0] = occasion.calls;
      expect(second - first).toBeGreaterThan(9 * SECOND);
    },
  );

  test('abandons an activity that an operator paused at the next signal, and calls again', async ({
    expect,
  }) => {
    const occasion = on.stage((call) => {
      if (call > 1) return asleepForAYear();
      throw ApplicationFailure.create({ message: 'not yet', nextRetryDelay: '1 hour' });
    });
    await on.workflows.start(occasion, 0);
    await expect.poll(() => occasion.calls, WAIT).toHaveLength(1);
    await pull(
      ['activity', 'pause', '--activity-id', (await pendingOf(occasion))?.activityId ?? ''],
      occasion,
    );

    await on.workflows.lookAgain(occasion);

    await expect.poll(() => isAsleep(occasion), WAIT).toBe(true);
    expect(occasion.calls).toHaveLength(2);
  });

  test("calls again after an operator's reset, and sleeps as before", async ({ expect }) => {
    const occasion = on.stage(asleepForAYear);
    await on.workflows.start(occasion, 0);
    await expect.poll(() => isAsleep(occasion), WAIT).toBe(true);

    await pull(['workflow', 'reset', '--reason', 'test', '--type', 'FirstWorkflowTask'], occasion);

    await expect.poll(() => occasion.calls, WAIT).toHaveLength(2);
    await expect.poll(() => isAsleep(occasion), WAIT).toBe(true);
  });

  test('costs less than 2 KB in the first year of a sleeping occasion', async ({ expect }) => {
    const occasion = on.stage(asleepForAYear);
    await on.workflows.start(occasion, 0);
    await expect.poll(() => isAsleep(occasion), WAIT).toBe(true);

    const { historySize, historyLength } = await occasion.workflow.describe();

    expect(historyLength).toBe(11);
    expect(historySize).toBeLessThan(2 * 1024);
  });
});

async function isAsleep({ workflow }: StagedOccasion): Promise<boolean> {
  return (await workflow.query(statusQuery)).waitingFor === 'instant';
}

/** Continued as new, with its next run's first task ahead: plain signals do not speed that up. */
async function isDelayed({ workflow }: StagedOccasion): Promise<boolean> {
  const { executionTime } = await workflow.describe();
  return (executionTime?.getTime() ?? 0) > Date.now();
}

async function pendingOf({ workflow }: StagedOccasion) {
  const { raw } = await workflow.describe();
  return raw.pendingActivities?.[0];
}

/** The summaries of activities and timers, as the Web UI shows them. */
async function summariesOf({ workflow }: StagedOccasion): Promise<string[]> {
  const { events } = await workflow.fetchHistory();
  return (events ?? []).flatMap(
    ({ userMetadata, workflowExecutionStartedEventAttributes: start }) => {
      const data = userMetadata?.summary?.data;
      return data && !start ? [JSON.parse(Buffer.from(data).toString())] : [];
    },
  );
}

/** Runs the operator's command on the workflow. */
async function pull(command: readonly string[], { workflow }: StagedOccasion): Promise<void> {
  const target = ['--workflow-id', workflow.workflowId, '--address', temporal.address];
  await run(program, [...command, ...target, '--disable-config-file', '--disable-config-env']);
}

const iso = (instant: number): string => new Date(instant).toISOString();
