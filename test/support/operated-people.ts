/** Whom an operator's tasks are about. */
import type { WorkflowHandle } from '@temporalio/client';
import { vi } from 'vitest';

import { workflowId } from '../../src/domain/occurrence-key.ts';
import { statusQuery } from '../../src/workflows/messages.ts';
import type { OperatedDaybell } from './operated-daybell.ts';
import type { ReceivedWebhook } from './webhook-receiver.ts';

export interface People {
  /** Until months from now. */
  readonly asleep: string;
  /** For an instant within the hour. */
  readonly armed: string;
  /** Due in less than two hours. */
  readonly soon: string;
  readonly owed: string;
  /** Whom the receiver does not take at first. */
  readonly refused: readonly [string, string, string];
  readonly count: number;
  /** Moves somebody to where the greeting was due ten minutes ago: it is owed now. */
  comesDue(userId: string): Promise<void>;
  /** The workflow is terminated, long after it had planned. */
  isLost(userId: string): Promise<void>;
  /** A change could not be relayed. */
  isSetAside(userId: string): Promise<void>;
  /** Somebody else is created and deleted, and nothing waits for them any more. */
  isDeleted(): Promise<void>;
  keyOf(userId: string, status?: string): Promise<string>;
  /** What is planned, and was so at an instant (epoch ms): the keys. */
  plannedBefore(at: number): Promise<string[]>;
  statesOf(userId: string): Promise<string[]>;
  workflowOf(userId: string): WorkflowHandle;
  /** The id of a run that somebody terminated; null while none is known. */
  terminatedRunOf(userId: string): Promise<string | null>;
  /** Of the workflow. */
  statusOf(userId: string): Promise<string>;
  waitsFor(userId: string): Promise<string | null>;
  greetingsOf(userId: string): ReceivedWebhook[];
}

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
  // Armed an hour before.
  ARM_LEAD: '1h',
  ARM_WINDOW: '1s',
  // Beside the one that an operator asks for, none finds anything first.
  RECONCILE_EVERY: '1h',
};
/** Of whom sleeps. */
export const EXTERNAL_ID = 'crm-4711';

/** Creates them by the API; resolves when all are followed. */
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
  const workflowOf = (userId: string) =>
    daybell.client().workflow.getHandle(workflowId('birthday', userId));
  const waitsFor = (userId: string): Promise<string | null> =>
    workflowOf(userId)
      .query(statusQuery)
      .then(({ waitingFor }) => waitingFor)
      .catch(() => null);

  const asleep = await create(100, 'Etc/UTC', { externalId: EXTERNAL_ID });
  const armed = await create(0, 'Etc/GMT+1');
  const soon = await create(0, 'Etc/GMT+2');
  const owed = await create(0, 'Etc/GMT+1');
  const refused = [
    await create(0, 'Etc/GMT+1'),
    await create(0, 'Etc/GMT+1'),
    await create(0, 'Etc/GMT+1'),
  ] as const;
  const waits = { asleep: 'recheck', armed: 'delivery', soon: 'arming', owed: 'delivery' };
  for (const [name, expected] of Object.entries(waits)) {
    const userId = { asleep, armed, soon, owed }[name] ?? '';
    await vi.waitUntil(async () => (await waitsFor(userId)) === expected, WITHIN);
  }

  return {
    asleep,
    armed,
    soon,
    owed,
    refused,
    count,
    workflowOf,
    waitsFor,
    statusOf: async (userId) => (await workflowOf(userId).describe()).status.name,
    async terminatedRunOf(userId) {
      const query = `ExecutionStatus = 'Terminated' and WorkflowId = '${workflowId('birthday', userId)}'`;
      for await (const { runId } of daybell.client().workflow.list({ query })) return runId;
      return null;
    },
    greetingsOf: (userId) =>
      daybell.receiver.received.filter(({ body }) => body.data.userId === userId),
    async comesDue(userId) {
      await daybell.send('PATCH', `/v1/users/${userId}`, { timezone: 'Etc/UTC' });
    },
    async isLost(userId) {
      await workflowOf(userId).terminate();
      const id = workflowId('birthday', userId);
      const query = `ExecutionStatus = 'Running' and WorkflowId = '${id}'`;
      const running = async () => (await daybell.client().workflow.count(query)).count;
      await vi.waitUntil(async () => (await running()) === 0, WITHIN);
      await daybell.sql(
        `update events.occurrences set planned_at = planned_at - interval '1 hour' where user_id = ?`,
        [userId],
      );
    },
    async isSetAside(userId) {
      await daybell.sql(
        `insert into users.outbox
           (type, user_id, revision, occurred_at, attempts, set_aside_at, last_error)
         values ('UserUpdated', ?, 2, now(), 10, now(), 'answered 3')`,
        [userId],
      );
    },
    async isDeleted() {
      const userId = await create(100, 'Etc/UTC');
      await vi.waitUntil(async () => (await waitsFor(userId)) === 'recheck', WITHIN);
      await daybell.send('DELETE', `/v1/users/${userId}`);
      const hasEnded = async () => (await workflowOf(userId).describe()).status.name !== 'RUNNING';
      await vi.waitUntil(hasEnded, WITHIN);
    },
    async keyOf(userId, status) {
      const found = (await ofUser(userId)).find((one) => !status || one.status === status);
      return found?.key ?? '';
    },
    async plannedBefore(at) {
      const planned = await daybell.sql<{ key: string }>(
        `select key from events.occurrences
         where state = 'PENDING' and planned_at < to_timestamp(?::float8 / 1000)`,
        [at],
      );
      return planned.map(({ key }) => key);
    },
    statesOf: async (userId) => (await ofUser(userId)).map(({ status }) => status),
  };
}
