/** What the notifier and the occasion workflow rely on, of each server that Daybell runs on. */
import { isGrpcServiceError, type WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, test } from 'vitest';

import { changedSignal, statusQuery } from '../../src/workflows/contract.ts';
import { eventsOf } from '../support/histories.ts';
import {
  asleepForAYear,
  asleepUntil,
  DELIVERED,
  ENDED,
  type Play,
} from '../support/deliver-answers.ts';
import { startOccasionStage, type OccasionStage } from '../support/occasion-stage.ts';
import type { TestTemporal } from '../support/temporal.ts';

const YEAR = 365 * 86_400_000;
const WAIT = { timeout: 60_000, interval: 50 };

/** @param connect to the server, once it has been started */
export function describeGuarantees(server: string, connect: () => Promise<TestTemporal>): void {
  describe.concurrent(`on ${server}`, () => {
    tests(connect);
  });
}

function tests(connect: () => Promise<TestTemporal>): void {
  let temporal: TestTemporal;
  let on: OccasionStage;
  beforeAll(async () => {
    temporal = await connect();
    on = await startOccasionStage(temporal);
  });
  afterAll(async () => {
    await on.stop();
    await temporal.close();
  });

  test.concurrent('a delayed workflow is in visibility, with the time of its first task', async ({
    expect,
  }) => {
    const occasion = on.stage(asleepForAYear);
    const wakeAt = Date.now() + YEAR;
    await on.workflows.start(occasion, YEAR);

    await expect
      .poll(async () => {
        const query = `WorkflowId = '${occasion.workflow.workflowId}' AND ExecutionStatus = 'Running'`;
        const found = [];
        for await (const each of temporal.client.workflow.list({ query })) found.push(each);
        return found.map(
          ({ executionTime }) => Math.abs((executionTime?.getTime() ?? 0) - wakeAt) < 10_000,
        );
      }, WAIT)
      .toEqual([true]);
    expect(occasion.calls).toEqual([]);
  });

  test.concurrent('a query before the first task fails', async ({ expect }) => {
    const occasion = on.stage(asleepForAYear);
    await on.workflows.start(occasion, YEAR);

    const error = await occasion.workflow.query(statusQuery).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(Error);
    expect(isGrpcServiceError(error) || isGrpcServiceError((error as Error).cause)).toBe(true);
  });

  test.concurrent('a start delay is not ended by a plain signal', async ({ expect }) => {
    const occasion = on.stage(asleepForAYear);
    await on.workflows.start(occasion, YEAR);
    const other = on.stage(asleepForAYear);

    await occasion.workflow.signal(changedSignal);

    // Longer than a task takes that is there.
    await on.workflows.start(other, 0);
    await expect.poll(() => other.calls, WAIT).toHaveLength(1);
    expect(await eventsOf(occasion.workflow)).toEqual([
      'WORKFLOW_EXECUTION_STARTED',
      'WORKFLOW_EXECUTION_SIGNALED',
    ]);
  });

  test.concurrent('a start delay is ended by signalWithStart, which starts nothing anew', async ({
    expect,
  }) => {
    const occasion = on.stage(asleepForAYear);
    await on.workflows.start(occasion, YEAR);
    const { runId } = await occasion.workflow.describe();

    await on.workflows.lookAgain(occasion, YEAR);

    await expect.poll(() => occasion.calls, WAIT).toHaveLength(1);
    expect((await occasion.workflow.describe()).runId).toBe(runId);
  });

  test.concurrent('where there is none, signalWithStart starts one, whose start is delayed', async ({
    expect,
  }) => {
    const occasion = on.stage(asleepForAYear);

    await on.workflows.lookAgain(occasion, YEAR);

    const events = await eventsOf(occasion.workflow);
    expect(events).toEqual(['WORKFLOW_EXECUTION_STARTED', 'WORKFLOW_EXECUTION_SIGNALED']);
    await on.workflows.lookAgain(occasion);
    await expect.poll(() => occasion.calls, WAIT).toHaveLength(1);
  });

  test.concurrent('a start delay is ended by a cancel request, and the workflow of what has ended completes', async ({
    expect,
  }) => {
    const occasion = on.stage(() => ENDED);
    await on.workflows.start(occasion, YEAR);

    await on.workflows.end(occasion);

    await occasion.workflow.result();
    expect(occasion.calls).toHaveLength(1);
    expect((await occasion.workflow.describe()).status.name).toBe('COMPLETED');
  });

  test.concurrent('a cancel request has a workflow look again and live on; a second one is lost, a signal is not', async ({
    expect,
  }) => {
    const occasion = on.stage(asleepForAYear);
    await on.workflows.start(occasion, 0);
    await expect.poll(() => occasion.calls, WAIT).toHaveLength(1);

    await occasion.workflow.cancel();
    await expect.poll(() => occasion.calls, WAIT).toHaveLength(2);
    await expect.poll(() => isAsleep(occasion.workflow), WAIT).toBe(true);
    const asleep = await eventsOf(occasion.workflow);
    await occasion.workflow.cancel();
    expect(await eventsOf(occasion.workflow)).toEqual(asleep);
    await occasion.workflow.signal(changedSignal);

    await expect.poll(() => occasion.calls, WAIT).toHaveLength(3);
    expect((await occasion.workflow.describe()).status.name).toBe('RUNNING');
  });

  test.concurrent('to end what has ended, or never was, does nothing', async ({ expect }) => {
    const never = on.stage(() => ENDED);
    await on.workflows.end(never);
    await expect(never.workflow.describe()).rejects.toThrow(/not found/);

    const over = on.stage(() => ENDED);
    await on.workflows.start(over, 0);
    await over.workflow.result();
    const before = await over.workflow.describe();
    await on.workflows.end(over);

    expect(await over.workflow.describe()).toMatchObject({
      runId: before.runId,
      historyLength: before.historyLength,
    });
    expect(over.calls).toHaveLength(1);
  });

  test.concurrent('a repeated start starts nothing anew, and says that there is one', async ({
    expect,
  }) => {
    const occasion = on.stage(asleepForAYear);

    expect(await on.workflows.start(occasion, YEAR)).toBe(true);
    expect(await on.workflows.start(occasion, 0)).toBe(false);

    expect(await eventsOf(occasion.workflow)).toEqual(['WORKFLOW_EXECUTION_STARTED']);
  });

  test.concurrent('one that has ended is started again', async ({ expect }) => {
    const occasion = on.stage((call) => (call === 1 ? ENDED : asleepForAYear()));
    await on.workflows.start(occasion, 0);
    await occasion.workflow.result();

    expect(await on.workflows.start(occasion, 0)).toBe(true);

    await expect.poll(() => occasion.calls, WAIT).toHaveLength(2);
    expect((await occasion.workflow.describe()).status.name).toBe('RUNNING');
  });

  test.concurrent('a year costs 11 events, the one that continues as new too, which is woken as a delayed start is', async ({
    expect,
  }) => {
    const [signalled, notified, cancelled] = [on.stage(years), on.stage(years), on.stage(years)];
    const all = [signalled, notified, cancelled];
    await Promise.all(all.map((each) => on.workflows.start(each, 0)));
    const before = await Promise.all(all.map(({ workflow }) => workflow.describe()));
    await Promise.all(
      all.map(({ workflow }, at) =>
        expect
          .poll(async () => (await workflow.describe()).runId, WAIT)
          .not.toBe(before[at]?.runId),
      ),
    );

    const run = temporal.client.workflow.getHandle(signalled.workflow.workflowId, before[0]?.runId);
    const events = await eventsOf(run);
    expect(events).toHaveLength(5 * 11);
    expect(events.at(-1)).toBe('WORKFLOW_EXECUTION_CONTINUED_AS_NEW');
    await signalled.workflow.signal(changedSignal);
    await on.workflows.lookAgain(notified);
    await cancelled.workflow.cancel();
    for (const { calls } of [notified, cancelled]) {
      await expect.poll(() => calls, WAIT).toHaveLength(6);
    }
    expect(await eventsOf(signalled.workflow)).toEqual([
      'WORKFLOW_EXECUTION_STARTED',
      'WORKFLOW_EXECUTION_SIGNALED',
    ]);
    // It was handed on, and lasts as long as the first.
    await expect.poll(() => isAsleep(notified.workflow), WAIT).toBe(true);
    expect(await eventsOf(notified.workflow)).toHaveLength(12);
  });
}

/** Four of ten seconds, and one that lasts. */
const years: Play = (call) => (call < 5 ? asleepUntil(Date.now(), DELIVERED) : asleepForAYear());

async function isAsleep(workflow: WorkflowHandle): Promise<boolean> {
  return (await workflow.query(statusQuery)).waitingFor === 'instant';
}
