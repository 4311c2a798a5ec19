/** All of Daybell in one process, on real servers; each part can be down for a while. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from '@temporalio/client';
import { type NativeConnection, Worker } from '@temporalio/worker';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll } from 'vitest';

import { createActivities } from '../../src/activities/index.ts';
import { createDeliver } from '../../src/delivery/deliver/deliver.ts';
import { createSending } from '../../src/delivery/sending.ts';
import { createGotClient } from '../../src/delivery/wire/got-client.ts';
import type { TzDatabase } from '../../src/time/tz-database.ts';
import { createErasure } from '../../src/erasure/erasure.ts';
import { createWorkflowRemover } from '../../src/erasure/workflow-remover.ts';
import { createRedelivered } from '../../src/ledger/redelivered.ts';
import { shownState } from '../../src/ledger/sql.ts';
import { connectOrm } from '../../src/platform/database/orm.ts';
import { createDispatchersFirst } from '../../src/planning/pace/dispatchers-first.ts';
import { createFollowUp } from '../../src/planning/follow-up.ts';
import { createNotifier } from '../../src/planning/notifier/notifier.ts';
import { createNotifyStore } from '../../src/planning/notifier/notify-store.ts';
import { createRequestsFirst } from '../../src/planning/pace/requests-first.ts';
import { createOutboxConsumer } from '../../src/planning/outbox-consumer.ts';
import { createPlanner } from '../../src/planning/planner.ts';
import { createReplanner } from '../../src/planning/replanner.ts';
import { recordRules } from '../../src/planning/rules.ts';
import type { WakeSettings } from '../../src/planning/wake.ts';
import { createWorkflowReconciler } from '../../src/reconcile/workflows.ts';
import { createRetention } from '../../src/retention/retention.ts';
import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { createOutbox } from '../../src/users/outbox.ts';
import { createWorker } from '../../src/worker/worker.ts';
import type { ErasureCounts, ErasureRequest } from '../../src/workflows/maintenance-contract.ts';
import { ADA, createTestApi, type Answer, type TestApi } from './api.ts';
import { type FollowedWorkflows, followWorkflows } from './followed-workflow.ts';
import { createTestClock, type TestClock } from './test-clock.ts';
import { startDispatcher } from './test-dispatcher.ts';
import { type TestTemporal, uniqueTaskQueue, useDevServer, useWorkflowBundle } from './temporal.ts';
import {
  startWebhookReceiver,
  type ReceivedWebhook,
  type WebhookReceiver,
} from './webhook-receiver.ts';
import { bundledTz } from './tz-databases.ts';

export interface DaybellOptions {
  readonly client: Client;
  readonly connection: NativeConnection;
  /** Sets the clock before anything else, for a test whose time moves. */
  readonly tellTime?: (clock: TestClock) => Promise<void>;
  /** False: the workflows send. */
  readonly dispatches?: boolean;
  /** By default the workflow wakes at the due instant itself. */
  readonly wake?: WakeSettings;
  readonly lateLimitMs?: number;
  readonly tz?: TzDatabase;
  /** The time at which users are greeted, `HH:MM`; 09:00 by default. */
  readonly localTime?: string;
  /**
   * False: every step is taken from history, and another worker can go on. The time-skipping
   * server never takes back what it has sent to the cache of a worker that is gone.
   */
  readonly keepsWorkflows?: boolean;
}

/** A part of Daybell that can be down. */
export interface Part {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestDaybell extends FollowedWorkflows {
  readonly api: TestApi;
  readonly receiver: WebhookReceiver;
  readonly clock: TestClock;
  readonly taskQueue: string;
  /** Plans and notifies. */
  readonly scheduler: Part;
  readonly worker: Part;
  readonly dispatcher: Part;
  /** By the API, at this instant exactly (ISO 8601) or else now; returns the id. */
  createUser(fields?: UserFields, at?: string): Promise<string>;
  changeUser(userId: string, fields: object): Promise<void>;
  /** An occasion of a user besides the birthday, in the same way. */
  createOccasion(userId: string, fields: object, at?: string): Promise<string>;
  changeOccasion(userId: string, occasionId: string, fields: object): Promise<void>;
  deleteOccasion(userId: string, occasionId: string): Promise<void>;
  deleteUser(userId: string): Promise<void>;
  /** No user is left who would be due in the next test. */
  deleteAllUsers(): Promise<void>;
  /** Resolves when all changes are planned, and all plans are known to Temporal. */
  notified(): Promise<void>;
  /** By the id of an occasion, which is the user's for a birthday. */
  greetingsOf(occasionId: string): ReceivedWebhook[];
  /** The state of each of the occasion's occurrences in the ledger, the earliest first. */
  ledgerOf(occasionId: string): Promise<string[]>;
  /** Runs the erasure of deleted users; returns what was erased. */
  erase(): Promise<ErasureCounts>;
  stop(): Promise<void>;
}

export type UserFields = Partial<Record<keyof typeof ADA | 'externalId', string>>;

/** One for all tests of a file, on the run's dev server. */
export type SharedDaybell = Omit<TestDaybell, 'stop'> & { readonly temporal: TestTemporal };

/** Registers the hooks of the file that calls it. */
export function useDaybell(
  options: Omit<DaybellOptions, 'client' | 'connection'> = {},
): SharedDaybell {
  let temporal: TestTemporal;
  let running: TestDaybell;
  let shared: SharedDaybell;
  beforeAll(async () => {
    temporal = await useDevServer();
    running = await startDaybell({ ...temporal, ...options });
    shared = { ...running, temporal };
  });
  afterAll(async () => {
    await running.stop();
    await temporal.close();
  });
  // There is none before the hooks have run.
  return new Proxy({} as SharedDaybell, {
    get: (_, name: keyof SharedDaybell) => shared[name],
  });
}

const HOUR = 3_600_000;
const LATE_AFTER_MS = HOUR / 12;
const TIMEOUT_MS = 15_000;
const AT_ONCE: WakeSettings = { afterMs: 0, perSecond: 0 };
const logger = pino({ level: 'silent' });

export async function startDaybell(options: DaybellOptions): Promise<TestDaybell> {
  const { client, tellTime = async () => {}, dispatches = true, tz = bundledTz } = options;
  const taskQueue = uniqueTaskQueue();
  const skew = { ms: 0 };
  const now = () => Date.now() + skew.ms;
  const api = await createTestApi({ clock: now, tz });
  const { orm, url } = api.database;
  const clock = await createTestClock(orm, skew);
  if (options.localTime !== undefined) {
    const rules = { leapDayPolicy: 'feb28', tzVersion: tz.version } as const;
    await recordRules(orm.em.fork(), { localTime: options.localTime, ...rules });
  }
  const receiver = await startWebhookReceiver();

  const { lateLimitMs = 48 * HOUR, wake = AT_ONCE } = options;
  const planning = { lateAfterMs: LATE_AFTER_MS, lateLimitMs, wake, tz };
  const parts = { ...options, url, now, taskQueue, receiver, planning };
  const scheduler = part(() => startScheduler(parts));
  const worker = part(() => startTestWorker(parts, () => tellTime(clock)));
  const dispatcher = part(() =>
    startDispatcher({ databaseUrl: url, webhookUrl: receiver.url, clock: now, tz }),
  );
  await Promise.all([scheduler.start(), worker.start(), dispatches && dispatcher.start()]);

  const ask = async (method: string, path: string, body?: object): Promise<Answer> => {
    await tellTime(clock);
    const answer = await api.send(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status}`);
    if (scheduler.isRunning()) await notified();
    return answer;
  };
  const create = async (path: string, body: object, at: string | undefined): Promise<string> => {
    if (at !== undefined) await api.sql(usersClock(`timestamptz '${at}'`));
    const { id } = (await ask('POST', path, body)).body;
    if (at !== undefined) await api.sql(usersClock('events.clock()'));
    return id;
  };
  const notified = async (): Promise<void> => {
    while ((await api.sql(UNPLANNED)).length > 0) await sleep(20);
    while ((await api.sql(UNNOTIFIED)).length > 0) await sleep(20);
  };
  const followed = followWorkflows(client);

  // Once: a test may have stopped everything itself before its file does.
  let stopped: Promise<void> | null = null;
  const stopAll = async (): Promise<void> => {
    await scheduler.stop();
    await Promise.all([worker.stop(), dispatcher.stop()]);
    await receiver.close();
    await api.database.drop();
  };

  return {
    ...followed,
    api,
    receiver,
    clock,
    taskQueue,
    scheduler,
    worker,
    dispatcher,
    notified,
    createUser: (fields = {}, at) => create('/v1/users', { ...ADA, ...fields }, at),
    async changeUser(userId, fields) {
      await ask('PATCH', `/v1/users/${userId}`, fields);
    },
    createOccasion: (userId, fields, at) => create(`/v1/users/${userId}/occasions`, fields, at),
    async changeOccasion(userId, occasionId, fields) {
      await ask('PATCH', `/v1/users/${userId}/occasions/${occasionId}`, fields);
    },
    async deleteOccasion(userId, occasionId) {
      await ask('DELETE', `/v1/users/${userId}/occasions/${occasionId}`);
    },
    async deleteUser(userId) {
      await ask('DELETE', `/v1/users/${userId}`);
    },
    async deleteAllUsers() {
      const users = await api.sql<{ id: string }>('select id from users.users');
      for (const { id } of users) await ask('DELETE', `/v1/users/${id}`);
      for (const { id } of users) await followed.workflowOf(id).result();
    },
    greetingsOf: (occasionId) =>
      receiver.received.filter(({ body }) => body.data.occasion?.id === occasionId),
    async ledgerOf(occasionId) {
      const states = `select ${shownState('occurrences')} as state
        from events.occurrences where occasion_id = ? order by nominal_date`;
      return (await api.sql<{ state: string }>(states, [occasionId])).map(({ state }) => state);
    },
    erase: () =>
      client.workflow.execute<(request: ErasureRequest) => Promise<ErasureCounts>>('erasure', {
        workflowId: `${taskQueue}/erasure-${randomUUID()}`,
        taskQueue,
        args: [{ eraseAfterMs: 0 }],
      }),
    stop: () => (stopped ??= stopAll()),
  };
}

const usersClock = (value: string): string => `
  create or replace function users.clock() returns timestamptz language sql volatile as
    $$select ${value}$$`;

const UNPLANNED = `
  select id from users.outbox where done_at is null and parked_at is null`;
const UNNOTIFIED = `
  select id from events.occasions
  where ended_at is null and wake_at is not null
      and (notified_wake_at is null or notified_wake_at > wake_at)
    or ended_at is not null and end_notified_at is null`;

function part(begin: () => Promise<{ stop(): Promise<void> }>): Part & { isRunning(): boolean } {
  let running: { stop(): Promise<void> } | null = null;
  return {
    isRunning: () => running !== null,
    async start() {
      running ??= await begin();
    },
    async stop() {
      const ending = running;
      running = null;
      await ending?.stop();
    },
  };
}

interface PartDeps extends DaybellOptions {
  readonly url: string;
  readonly now: () => number;
  readonly taskQueue: string;
  readonly receiver: WebhookReceiver;
  readonly planning: Parameters<typeof createPlanner>[0]['settings'];
}

/** As in the processes. */
async function startScheduler({ url, now, client, taskQueue, planning }: PartDeps) {
  const orm = await connectOrm(url);
  const planner = createPlanner({ orm, settings: planning, clock: now, logger });
  const areRequestsSlow = createRequestsFirst(orm);
  const loops = [
    createOutboxConsumer({ outbox: createOutbox(orm), planner, areRequestsSlow, logger }),
    createFollowUp({ orm, planner, isLeftToDispatchers: createDispatchersFirst(orm), logger }),
    createReplanner({
      orm,
      planner,
      tzVersion: planning.tz.version,
      isLeftToDispatchers: createDispatchersFirst(orm),
      logger,
    }),
    createNotifier({
      store: createNotifyStore(orm),
      redelivered: createRedelivered(orm),
      workflows: createOccasionWorkflows(client, taskQueue),
      isLeftToDispatchers: createDispatchersFirst(orm),
      areRequestsSlow,
      logger,
    }),
  ];
  for (const loop of loops) loop.start();
  return {
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()));
      await orm.close(true);
    },
  };
}

/** As in the process, with the time passed on before each activity. */
async function startTestWorker(deps: PartDeps, tellTime: () => Promise<void>) {
  const { url, now: clock, client, connection, taskQueue, receiver, planning } = deps;
  const { keepsWorkflows = true } = deps;
  const orm = await connectOrm(url);
  const webhooks = createGotClient({
    url: receiver.url,
    timeoutMs: TIMEOUT_MS,
    maxSockets: 64,
    allowPrivate: true,
  });
  const delivery = createDeliver({
    sendings: [
      createSending({
        orm,
        tz: planning.tz,
        client: webhooks,
        sentBy: 'workflow',
        clock,
        settings: {
          timeoutMs: TIMEOUT_MS,
          lateLimitMs: planning.lateLimitMs,
          lateAfterMs: LATE_AFTER_MS,
          giveUpAfterMs: 72 * HOUR,
        },
        outcomeWaitMs: 5,
        registry: new Registry(),
        tracing: null,
        logger,
      }),
    ],
    orm,
    planner: createPlanner({ orm, settings: planning, clock, logger }),
    onCall: () => {},
  });
  const workflows = createOccasionWorkflows(client, taskQueue);
  const activities = createActivities({
    deliver: async (occasion, call) => {
      await tellTime();
      return delivery.deliver(occasion, call);
    },
    retention: createRetention(orm),
    audits: { storeNext: async () => false, firstDayNotStored: async () => null },
    erasure: createErasure(orm),
    workflowRemover: createWorkflowRemover(client, workflows),
    workflowReconciler: createWorkflowReconciler({
      orm,
      client,
      taskQueue,
      workflows,
      everyMs: HOUR / 6,
      registry: new Registry(),
      logger,
    }),
  });
  const options = {
    connection,
    namespace: 'default',
    taskQueue,
    workflowBundle: await useWorkflowBundle(),
    activities,
  };
  const worker = keepsWorkflows
    ? await createWorker(options)
    : await Worker.create({ ...options, maxCachedWorkflows: 0, shutdownForceTime: 5_000 });
  const running = worker.run();
  return {
    async stop() {
      worker.shutdown();
      await running;
      await delivery.stop();
      webhooks.close();
      await orm.close(true);
    },
  };
}
