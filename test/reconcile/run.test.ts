/**
 * The reconciler's workflow on a real server, and its effect on a workflow that was ended by hand.
 */
import { describe, expect, test, vi } from 'vitest';

import { runReconcileWorkflow } from '../../src/reconcile/run-now.ts';
import { TemporalAwayError } from '../../src/platform/temporal/errors.ts';
import { connectTemporal } from '../../src/platform/temporal/connection.ts';
import { loadSettings } from '../../src/platform/settings/settings.ts';
import { EXIT } from '../../src/cli/command.ts';
import { freePort } from '../support/free-port.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { uniqueTaskQueue, useWorkflowBundle } from '../support/temporal.ts';
import { useWatchedOccasions } from './watched-occasions.ts';

vi.setConfig({ testTimeout: 90_000 });
const WITHIN = { timeout: 45_000, interval: 50 };
const fixture = useWatchedOccasions();

const runNow = (limits?: { noWorkerMs: number; stillMs: number }, busyMs = 60_000) =>
  runReconcileWorkflow(
    fixture.temporal.client,
    fixture.taskQueue,
    () => {},
    limits && { ...limits, busyMs },
  );
const statusOf = async (userId: string): Promise<string> =>
  (await fixture.workflowOf(userId).describe()).status.name;

const WELL = {
  detected: {},
  repaired: {},
  unrepaired: {},
  examples: [],
  rested: false,
  forgotten: 0,
  compared: null,
  notLookedFor: [],
};

/** Their workflows sleep. */
async function addAsleep(count: number): Promise<string[]> {
  const users: string[] = [];
  for (let nth = 0; nth < count; nth++) users.push(await fixture.add());
  for (const userId of users) {
    await expect
      .poll(async () => (await fixture.occasionOf(userId)).notifiedAt, WITHIN)
      .not.toBeNull();
  }
  return users;
}

describe('with a notifier and a worker', () => {
  test('in a healthy installation nothing is found, and no workflow is woken', async () => {
    fixture.startNotifier();
    await fixture.startWorker();
    const users = await addAsleep(4);
    const versions = () =>
      Promise.all(users.map(async (userId) => (await fixture.occasionOf(userId)).version));
    const before = await versions();
    expect(await runNow()).toEqual(WELL);
    expect(await versions()).toEqual(before);
  });

  test('a workflow that was terminated by hand is started again, once it should have checked', async () => {
    fixture.startNotifier();
    await fixture.startWorker();
    const [userId = ''] = await addAsleep(1);
    await fixture.workflowOf(userId).terminate('by hand');
    // Three hours after it should have woken.
    await fixture.rows.sql(
      `update events.occasions set notified_wake_at = now() - interval '3 hours'
       where id = :userId::uuid`,
      { userId },
    );

    expect(await runNow()).toEqual({ ...WELL, detected: { unwatched: 1 } });

    await expect.poll(() => statusOf(userId), WITHIN).toBe('RUNNING');
    await expect
      .poll(async () => (await fixture.occasionOf(userId)).notifiedAt, WITHIN)
      .not.toBeNull();
    expect(await runNow()).toEqual({ ...WELL, repaired: { unwatched: 1 } });
  });

  test('a running workflow that has not checked is woken, and not started a second time', async () => {
    fixture.startNotifier();
    await fixture.startWorker();
    const [userId = ''] = await addAsleep(1);
    const { runId } = await fixture.workflowOf(userId).describe();
    await fixture.rows.sql(
      `update events.occasions set notified_wake_at = now() - interval '3 hours'
       where id = :userId::uuid`,
      { userId },
    );

    expect((await runNow()).detected).toEqual({ unwatched: 1 });

    // Its start is delayed; the signal ends that delay.
    await expect
      .poll(async () => (await fixture.occasionOf(userId)).lookedAt, WITHIN)
      .not.toBeNull();
    expect((await fixture.workflowOf(userId).describe()).runId).toBe(runId);
    expect((await runNow()).repaired).toEqual({ unwatched: 1 });
  });

  test('a lost store is rebuilt by one run, which reports that', async () => {
    const users: string[] = [];
    for (let nth = 0; nth < 5; nth++) users.push(await fixture.add());
    await fixture.markNotified(...users);
    await fixture.rows.sql(`update events.reconciler set store_id = 'another'`);
    fixture.startNotifier();
    await fixture.startWorker();

    expect(await runNow()).toEqual({ ...WELL, forgotten: 5 });

    for (const userId of users) {
      await expect.poll(() => statusOf(userId).catch(() => 'none'), WITHIN).toBe('RUNNING');
    }
  });

  test('while a herd is sent the run is postponed', async () => {
    await fixture.startWorker();
    await fixture.rows.sql(
      `insert into events.dispatchers (id, stamped_at, busy_at)
       values (gen_random_uuid(), now(), now() + interval '1 minute')`,
    );
    const userId = await fixture.add();
    await fixture.rows.sql(
      `update events.occasions set notified_wake_at = now() - interval '3 hours'`,
    );
    expect(await runNow()).toEqual({ ...WELL, rested: true });
    expect(await fixture.findings()).toEqual([]);
    expect((await fixture.occasionOf(userId)).notifiedAt).not.toBeNull();
  });
});

describe('without a worker', () => {
  test('the requested run ends, and says why', async () => {
    const { client } = fixture.temporal;
    // A task queue at which none has polled.
    const taskQueue = uniqueTaskQueue();
    const limits = { noWorkerMs: 1_500, stillMs: 60_000, busyMs: 60_000 };
    await expect(runReconcileWorkflow(client, taskQueue, () => {}, limits)).rejects.toMatchObject({
      message: expect.stringMatching(/^No worker has taken it up for 2 s: none runs at/),
      exitCode: EXIT.unavailable,
    });
    const workflow = client.workflow.getHandle(`${taskQueue}/reconcile-now`);
    expect((await workflow.describe()).status.name).toBe('TERMINATED');
  });

  test.for([
    ['paused', 3_000, 60_000, /^CommandError: No worker has taken it up for 3 s: /],
    ['taken up by one that ends', 60_000, 3_000, /^CommandError: It has stood still for 3 s: /],
  ] as const)('so does one with a step that is %s', async ([what, noWorkerMs, stillMs, why]) => {
    const { client, connection } = fixture.temporal;
    const { taskQueue } = fixture;
    const namespace = 'default';
    // It runs workflows, but no steps.
    const worker = await createWorker({
      connection,
      namespace,
      taskQueue,
      workflowBundle: await useWorkflowBundle(),
      enableNonLocalActivities: false,
    });
    const running = worker.run();
    const ended = runNow({ noWorkerMs, stillMs }).catch(String);
    const execution = { workflowId: `${taskQueue}/reconcile-now` };
    const steps = async () => {
      const workflow = client.workflow.getHandle(execution.workflowId);
      return (await workflow.describe().catch(() => null))?.raw.pendingActivities?.length;
    };
    await expect.poll(steps, WITHIN).toBe(1);
    const { workflowService } = client;
    await client.withDeadline(Date.now() + 60_000, async () => {
      if (what === 'paused') {
        await workflowService.pauseActivity({ namespace, execution, type: 'checkStore' });
      } else {
        await workflowService.pollActivityTaskQueue({ namespace, taskQueue: { name: taskQueue } });
      }
    });
    expect(await ended).toMatch(why);
    worker.shutdown();
    await running;
  });

  /** Like a busy worker, which has polled and does not poll now. */
  async function pollOnce(): Promise<void> {
    const { client } = fixture.temporal;
    const taskQueue = { name: fixture.taskQueue };
    const poll = () =>
      client.workflowService.pollWorkflowTaskQueue({ namespace: 'default', taskQueue });
    await client.withDeadline(Date.now() + 1_000, poll).catch(() => {});
  }

  test('a run waits for a busy worker, though not forever', async () => {
    await pollOnce();
    const limits = { noWorkerMs: 1_000, stillMs: 60_000 };
    await expect(runNow(limits, 4_000)).rejects.toThrow(/are busy, or of another version/);

    const begun = performance.now();
    const ended = runNow(limits);
    const { workflow } = fixture.temporal.client;
    const isPast = async () => {
      const { status } = await workflow.getHandle(`${fixture.taskQueue}/reconcile-now`).describe();
      return status.name === 'RUNNING' && performance.now() - begun > 3_000;
    };
    await expect.poll(isPast, WITHIN).toBe(true);
    await fixture.startWorker();
    expect(await ended).toEqual(WELL);
  });

  test('with Temporal down it reports that', async () => {
    const away = connectTemporal(
      loadSettings({ TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` }),
    );
    try {
      const run = runReconcileWorkflow(away.client, 'nobody', () => {});
      await expect(run).rejects.toThrow(TemporalAwayError);
    } finally {
      await away.close();
    }
  });
});
