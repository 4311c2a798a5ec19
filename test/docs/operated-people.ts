/** The users that an operator's tasks are about. */
import type { WorkflowHandle } from '@temporalio/client';
import { vi } from 'vitest';

import { BIRTHDAY, workflowId as idOf } from '../../src/ledger/occurrence-key.ts';
import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { statusQuery } from '../../src/workflows/contract.ts';
import type { OperatedDaybell } from './operated-daybell.ts';
import type { ReceivedWebhook } from '../support/webhook-receiver.ts';

export interface People {
  /** Not due for months. */
  readonly asleep: string;
  /** Due within the hour. */
  readonly soon: string;
  readonly owed: string;
  /** Refused by the receiver at first. */
  readonly refused: readonly [string, string, string];
  readonly count: number;
  /** Moves a user to where the occurrence was due ten minutes ago, so that it is owed. */
  comesDue(userId: string): Promise<void>;
  /** The workflow checks again, and so has had its first task. */
  wake(userId: string): Promise<void>;
  /** The workflow is terminated, and should have checked hours ago. */
  isLost(userId: string): Promise<void>;
  /** A change could not be planned. */
  isParked(userId: string): Promise<void>;
  /** Creates and deletes another user, and nothing waits for it any more. */
  isDeleted(): Promise<void>;
  keyOf(userId: string, status?: string): Promise<string>;
  statesOf(userId: string): Promise<string[]>;
  workflowOf(userId: string): WorkflowHandle;
  /** The id of a run that was terminated; null while none is known. */
  terminatedRunOf(userId: string): Promise<string | null>;
  /** Of the workflow. */
  statusOf(userId: string): Promise<string>;
  waitsFor(userId: string): Promise<string | null>;
  /** The workflow calls deliver, and has received everything that would make it call again. */
  isBeingDelivered(userId: string): Promise<boolean>;
  greetingsOf(userId: string): ReceivedWebhook[];
}

const workflowId = (userId: string): string => idOf({ type: BIRTHDAY, id: userId });

const WITHIN = { timeout: 60_000, interval: 100 };
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** In UTC ten minutes ago; an hour behind, in fifty minutes. */
const due = Date.now() - HOUR / 6;
const dayOf = (inDays: number): string => new Date(due + inDays * DAY).toISOString().slice(0, 10);

/** The day that is today where they live, and the settings by which they are due on it. */
export const TODAY = dayOf(0);
export const RULES = {
  DELIVERY_LOCAL_TIME: new Date(due).toISOString().slice(11, 16),
  // Beside the one that an operator asks for, none finds anything first.
  RECONCILE_EVERY: '1h',
};
/** Of the user who sleeps. */
export const EXTERNAL_ID = 'crm-4711';

/** Creates them by the API; resolves when all have a workflow that sleeps. */
export async function createPeople(daybell: OperatedDaybell): Promise<People> {
  let count = 0;
  const create = async (inDays: number, timezone: string, fields = {}): Promise<string> => {
    count++;
    const dateOfBirth = `1992${dayOf(inDays).slice(4)}`;
    const user = { firstName: 'Ada', lastName: 'Lovelace', dateOfBirth, timezone, ...fields };
    return (await daybell.send('POST', '/v1/users', user)).id;
  };
  const ofUser = async (userId: string): Promise<{ key: string; status: string }[]> =>
    (await daybell.send('GET', `/v1/users/${userId}/occurrences`)).occurrences;
  const workflowOf = (userId: string) => daybell.client().workflow.getHandle(workflowId(userId));
  const waitsFor = (userId: string): Promise<string | null> =>
    workflowOf(userId)
      .query(statusQuery)
      .then(({ waitingFor }) => waitingFor)
      .catch(() => null);

  const asleep = await create(100, 'Etc/UTC', { externalId: EXTERNAL_ID });
  const soon = await create(0, 'Etc/GMT+1');
  const owed = await create(0, 'Etc/GMT+1');
  const refused = [
    await create(0, 'Etc/GMT+1'),
    await create(0, 'Etc/GMT+1'),
    await create(0, 'Etc/GMT+1'),
  ] as const;
  const notifiedOf = async (userId: string): Promise<boolean> => {
    const notified = 'select 1 from events.occasions where id = ? and notified_wake_at is not null';
    return (await daybell.sql(notified, [userId])).length > 0;
  };
  for (const userId of [asleep, soon, owed, ...refused]) {
    await vi.waitUntil(() => notifiedOf(userId), WITHIN);
  }
  const wake = async (userId: string): Promise<void> => {
    const taskQueue = daybell.variables['TEMPORAL_TASK_QUEUE'] ?? '';
    const workflows = createOccasionWorkflows(daybell.client(), taskQueue);
    await workflows.lookAgain({ type: BIRTHDAY, id: userId, userId });
    await vi.waitUntil(async () => (await waitsFor(userId)) !== null, WITHIN);
  };

  return {
    asleep,
    wake,
    soon,
    owed,
    refused,
    count,
    workflowOf,
    waitsFor,
    async isBeingDelivered(userId) {
      const heard = 'select 1 from events.occasions where id = ? and notified_wake_at <= wake_at';
      if ((await daybell.sql(heard, [userId])).length === 0) return false;
      const { raw } = await workflowOf(userId).describe();
      const { events } = await workflowOf(userId).fetchHistory();
      const called = events?.findLastIndex((event) => event.activityTaskScheduledEventAttributes);
      const signalled = events?.findLastIndex(
        (event) => event.workflowExecutionSignaledEventAttributes,
      );
      return raw.pendingActivities?.length === 1 && Number(called) > Number(signalled);
    },
    statusOf: async (userId) => (await workflowOf(userId).describe()).status.name,
    async terminatedRunOf(userId) {
      const query = `ExecutionStatus = 'Terminated' and WorkflowId = '${workflowId(userId)}'`;
      for await (const { runId } of daybell.client().workflow.list({ query })) return runId;
      return null;
    },
    greetingsOf: (userId) =>
      daybell.receiver.received.filter(({ body }) => body.data.user?.id === userId),
    async comesDue(userId) {
      await daybell.send('PATCH', `/v1/users/${userId}`, { timezone: 'Etc/UTC' });
    },
    async isLost(userId) {
      await workflowOf(userId).terminate();
      const id = workflowId(userId);
      const query = `ExecutionStatus = 'Running' and WorkflowId = '${id}'`;
      const running = async () => (await daybell.client().workflow.count(query)).count;
      await vi.waitUntil(async () => (await running()) === 0, WITHIN);
      await daybell.sql(
        `update events.occasions set notified_wake_at = now() - interval '3 hours',
           looked_at = now() - interval '3 hours' where id = ?`,
        [userId],
      );
      // Temporal has been there as long: the time that it was away does not count.
      await daybell.sql(
        `update events.reconciler set workflows_looked_at = now() - interval '10 minutes',
           temporal_back_at = now() - interval '3 hours'`,
        [],
      );
    },
    async isParked(userId) {
      await daybell.sql(
        `insert into users.outbox
           (type, user_id, revision, occurred_at, attempts, parked_at, last_error)
         values ('UserUpdated', ?, 2, now(), 10, now(), 'answered 3')`,
        [userId],
      );
    },
    async isDeleted() {
      const userId = await create(100, 'Etc/UTC');
      await vi.waitUntil(() => notifiedOf(userId), WITHIN);
      await daybell.send('DELETE', `/v1/users/${userId}`);
      const hasEnded = async () => (await workflowOf(userId).describe()).status.name !== 'RUNNING';
      await vi.waitUntil(hasEnded, WITHIN);
    },
    async keyOf(userId, status) {
      const found = (await ofUser(userId)).find((one) => !status || one.status === status);
      return found?.key ?? '';
    },
    statesOf: async (userId) => (await ofUser(userId)).map(({ status }) => status),
  };
}
