/**
 * All of Daybell for a test file of its own: on a server that skips time, years pass in
 * seconds. Relay and worker can be away or replaced meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';

import { createReporter } from '../../../src/delivery/reporter.ts';
import { createOutbox } from '../../../src/persistence/outbox-store.ts';
import { createReportQueue } from '../../../src/persistence/report-queue.ts';
import { startRelay, type Relay } from '../../../src/relay/relay.ts';
import { createSchedulingSubscriber } from '../../../src/relay/scheduling.ts';
import { createActivityReporter } from '../../../src/temporal/activity-reporter.ts';
import { createScheduler } from '../../../src/temporal/scheduler.ts';
import { ADA, createTestApi, type Answer } from '../../support/api.ts';
import { startTimeSkippingServer, uniqueTaskQueue } from '../../support/temporal.ts';
import { createTestClock } from '../../support/test-clock.ts';
import { startDispatcher } from '../../support/test-dispatcher.ts';
import type { TimedServer } from '../../support/time-skipping-server.ts';
import {
  startWebhookReceiver,
  withStatus,
  type WebhookReceiver,
} from '../../support/webhook-receiver.ts';
import { observe, type Observations } from './observe.ts';
import { startTestWorker, type PlanningSettings, type TestWorker } from './test-worker.ts';

export interface World extends Observations {
  readonly receiver: WebhookReceiver;
  /** The time that all of Daybell goes by, epoch ms. */
  now(): Promise<number>;
  /** Lets time pass until the instant (ISO 8601); what comes due on the way is done on the way. */
  passUntil(instant: string): Promise<void>;
  /** A year that begins later than tomorrow. */
  yearToCome(): Promise<number>;
  /** By the API, at this instant exactly or else now; gives the id. */
  createUser(fields: UserFields, at?: string): Promise<string>;
  changeUser(userId: string, fields: UserFields): Promise<void>;
  deleteUser(userId: string): Promise<void>;
  /** As at first, for the next test; time is everybody's, so nobody is left who would be due in it. */
  tidy(): Promise<void>;
  /** Resolves when every change that the API took has reached the workflows. */
  relayed(): Promise<void>;
  stopRelay(): Promise<void>;
  startRelay(): void;
  stopWorker(): Promise<void>;
  startWorker(): Promise<void>;
  /** Stops the worker, and starts one with these settings in its place. */
  replaceWorker(settings: PlanningSettings): Promise<void>;
  /** Ends everything that runs: nothing plans, arms, sends or reports, and no timer goes off. */
  goDown(): Promise<void>;
  /** By then it is as late as it is: timers that were due meanwhile go off, then what waits is relayed. */
  comeUp(): Promise<void>;
  pauseDeliveries(): Promise<void>;
  resumeDeliveries(): Promise<void>;
  stop(): Promise<void>;
}

export type UserFields = Partial<Record<keyof typeof ADA, string>>;

const DAY = 86_400_000;

interface Stoppable {
  stop(): Promise<void>;
}

export interface WorldOptions extends PlanningSettings {
  /** False lets workers be replaced while workflows sleep; else only while there are none. */
  readonly keepsWorkflows?: boolean;
  /** Closed with the world; one that skips time by default. */
  readonly server?: TimedServer;
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { keepsWorkflows = true, server = await startTimeSkippingServer(), ...settings } = options;
  const { client, connection, now } = server;
  const taskQueue = uniqueTaskQueue();
  const logger = pino({ level: 'silent' });

  const skew = { ms: 0 };
  const held: { at: number | null } = { at: null };
  const clock = () => Date.now() + skew.ms;
  const api = await createTestApi({ clock: () => held.at ?? clock() });
  const { orm, url } = api.database;
  const testClock = await createTestClock(orm, skew);
  /** The clocks are ahead of the server's timers for a moment when all comes up again. */
  let aheadUntil = -Infinity;
  const tellTime = async () => testClock.advance(Math.max(await now(), aheadUntil));

  const receiver = await startWebhookReceiver();
  const engine = createActivityReporter(client);
  const startDelivering = async (): Promise<Stoppable> => {
    const dispatcher = await startDispatcher({ databaseUrl: url, webhookUrl: receiver.url, clock });
    const reporter = createReporter({ queue: createReportQueue(orm), engine, clock, logger });
    reporter.start();
    return {
      async stop() {
        await Promise.all([dispatcher.stop(), reporter.stop()]);
      },
    };
  };
  let delivering: Stoppable | null = await startDelivering();

  const startWorker = (planning: PlanningSettings) =>
    startTestWorker({
      connection,
      taskQueue,
      orm,
      clock,
      planning,
      keepsWorkflows,
      beforeEach: tellTime,
    });
  let worker: TestWorker | null = await startWorker(settings);
  let isWorkerReplaced = false;

  const startWorldRelay = (): Relay =>
    startRelay({
      outbox: createOutbox(orm),
      subscribers: [createSchedulingSubscriber(createScheduler(client, taskQueue))],
      logger,
    });
  let relay: Relay | null = startWorldRelay();

  const ask = async (method: string, path: string, body?: object): Promise<Answer> => {
    await tellTime();
    const answer = await api.send(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status}`);
    if (relay !== null) await relayed();
    return answer;
  };
  const relayed = async (): Promise<void> => {
    const waiting = 'select id from users.outbox where relayed_at is null';
    while ((await api.sql(waiting)).length > 0) await sleep(10);
  };
  const replaceWorker = async (planning: PlanningSettings): Promise<void> => {
    await stopWorker();
    worker = await startWorker(planning);
    isWorkerReplaced = true;
  };
  const stopWorker = async (): Promise<void> => {
    await worker?.stop();
    worker = null;
  };
  const setPaused = async (paused: boolean): Promise<void> => {
    await api.sql('update events.destinations set paused_at = case when ? then now() end', [
      paused,
    ]);
  };
  const observations = observe({ client, api, receiver });

  return {
    ...observations,
    receiver,
    now,
    async passUntil(instant) {
      const at = Date.parse(instant);
      if (Number.isNaN(at)) throw new Error(`${instant} is not an instant`);
      if (delivering === null) aheadUntil = at;
      else await server.passUntil(at);
      await tellTime();
    },
    async yearToCome() {
      return new Date((await now()) + 2 * DAY).getUTCFullYear() + 1;
    },
    async createUser(fields, at) {
      held.at = at === undefined ? null : Date.parse(at);
      const { body } = await ask('POST', '/v1/users', { ...ADA, ...fields });
      held.at = null;
      return body.id;
    },
    async changeUser(userId, fields) {
      await ask('PATCH', `/v1/users/${userId}`, fields);
    },
    async deleteUser(userId) {
      await ask('DELETE', `/v1/users/${userId}`);
    },
    relayed,
    async stopRelay() {
      await relay?.stop();
      relay = null;
    },
    startRelay() {
      relay ??= startWorldRelay();
    },
    stopWorker,
    async startWorker() {
      worker ??= await startWorker(settings);
    },
    replaceWorker,
    async goDown() {
      await relay?.stop();
      relay = null;
      await stopWorker();
      await delivering?.stop();
      delivering = null;
    },
    async comeUp() {
      await tellTime();
      worker = await startWorker(settings);
      delivering = await startDelivering();
      await server.passUntil(aheadUntil);
      relay = startWorldRelay();
    },
    pauseDeliveries: () => setPaused(true),
    resumeDeliveries: () => setPaused(false),
    async tidy() {
      relay ??= startWorldRelay();
      worker ??= await startWorker(settings);
      receiver.answer(withStatus(200));
      await setPaused(false);
      const { body } = await ask('GET', '/v1/users?limit=100');
      for (const { id } of body.users) await ask('DELETE', `/v1/users/${id}`);
      for (const { id } of body.users) await observations.workflowOf(id).result();
      if (isWorkerReplaced) await replaceWorker(settings);
      isWorkerReplaced = false;
    },
    async stop() {
      await relay?.stop();
      await stopWorker();
      await delivering?.stop();
      await receiver.close();
      await api.database.drop();
      await server.close();
    },
  };
}
