/** Occasions in a database of the test file's own, and their workflows on the run's dev server. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

import { createActivities } from '../../src/activities/index.ts';
import { createErasure } from '../../src/erasure/erasure.ts';
import { createWorkflowRemover } from '../../src/erasure/workflow-remover.ts';
import { createRedelivered } from '../../src/ledger/redelivered.ts';
import { createDispatchersFirst } from '../../src/planning/pace/dispatchers-first.ts';
import { createNotifier } from '../../src/planning/notifier/notifier.ts';
import { createNotifyStore } from '../../src/planning/notifier/notify-store.ts';
import { createRequestsFirst } from '../../src/planning/pace/requests-first.ts';
import { createPlanner, type Planner } from '../../src/planning/planner.ts';
import { createWorkflowReconciler } from '../../src/reconcile/workflows.ts';
import { createRetention } from '../../src/retention/retention.ts';
import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { createWorker } from '../../src/worker/worker.ts';
import type { WorkflowCode } from '../../src/worker/workflow-bundle.ts';
import type { DeliverAnswer } from '../../src/workflows/contract.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type LoggedLine, loggerTo } from './reconcile-fixture.ts';
import {
  type TestTemporal,
  uniqueTaskQueue,
  useDevServer,
  useWorkflowBundle,
} from '../support/temporal.ts';
import { bundledTz } from '../support/tz-databases.ts';

const DAY = 86_400_000;
/** The page size of the reconciler: a few occasions fill several pages. */
const PAGE = 2;

/** Registers the hooks of the file that calls it. */
export function useWatchedOccasions() {
  const taskQueue = uniqueTaskQueue();
  const lines: LoggedLine[] = [];
  const stops: (() => Promise<unknown>)[] = [];
  let temporal: TestTemporal;
  let database: TestDatabase;
  let rows: EventRows;
  let planner: Planner;
  let workflowBundle: WorkflowCode;

  beforeAll(async () => {
    [temporal, database] = await Promise.all([useDevServer(), createTestDatabase()]);
    workflowBundle = await useWorkflowBundle();
    rows = createEventRows(database.orm);
    const wake = { afterMs: 10_000, perSecond: 15 };
    planner = createPlanner({
      orm: database.orm,
      settings: { tz: bundledTz, lateAfterMs: 300_000, lateLimitMs: 2 * DAY, wake },
      clock: Date.now,
      logger: pino({ level: 'silent' }),
    });
  }, 120_000);
  beforeEach(async () => {
    lines.length = 0;
    await rows.sql(
      `truncate events.occurrences, events.occasions, events.findings, events.dispatchers,
         users.users, users.outbox, users.erasures cascade`,
    );
    // As after months of operation.
    await rows.sql(
      `update events.reconciler set store_id = null, forget_after = null,
         temporal_back_at = now() - interval '30 days', workflows_looked_at = now(),
         ledger_looked_at = now(), compared_at = now()`,
    );
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });
  afterAll(async () => {
    await database.drop();
    await temporal.close();
  });

  const workflowOf = (userId: string) => temporal.client.workflow.getHandle(`birthday/${userId}`);

  function reconciler() {
    const { orm } = database;
    const { client } = temporal;
    return createWorkflowReconciler({
      orm,
      client,
      taskQueue,
      workflows: createOccasionWorkflows(client, taskQueue),
      logger: loggerTo(lines),
      registry: new Registry(),
      everyMs: 10 * 60_000,
      page: PAGE,
    });
  }

  return {
    taskQueue,
    lines,
    workflowOf,
    reconciler,
    get rows() {
      return rows;
    },
    get orm() {
      return database.orm;
    },
    get databaseUrl() {
      return database.url;
    },
    get temporal() {
      return temporal;
    },
    get planner() {
      return planner;
    },

    /** A user whose birthday is in a hundred days, planned; returns the id. */
    async add(): Promise<string> {
      const day = new Date(Date.now() + 100 * DAY).toISOString().slice(4, 10);
      const dateOfBirth = `1992${day}`;
      const userId = await rows.addUser({ dateOfBirth, createdAt: Date.now() - 200 * DAY });
      await planner.plan([{ type: 'birthday', id: userId }]);
      return userId;
    },

    /** As far as the ledger knows, the workflow will wake when it should. */
    async markNotified(...users: string[]): Promise<void> {
      await rows.sql(
        `update events.occasions set notified_wake_at = wake_at, notify_after = null
         where id = any (array(select value::uuid from jsonb_array_elements_text(:users::jsonb)))`,
        { users: JSON.stringify(users) },
      );
    },

    async occasionOf(userId: string): Promise<WatchedOccasion> {
      const [occasion] = await rows.sql<WatchedOccasion>(
        `select version::int, wake_at is not null as "isAwaited", notified_wake_at as "notifiedAt",
           looked_at as "lookedAt", called_at as "calledAt", ended_at as "endedAt",
           end_notified_at as "endNotifiedAt"
         from events.occasions where id = :userId`,
        { userId },
      );
      if (occasion === undefined) throw new Error('there is no such occasion');
      return occasion;
    },

    findings: () =>
      rows.sql<{ kind: string; subject: string; tries: number }>(
        'select kind, subject, tries from events.findings order by kind, subject',
      ),

    alarms: (): LoggedLine[] => lines.filter(({ level }) => level === 'error'),

    /** The notifier as in the scheduler, until the test is over. */
    startNotifier(): void {
      const notifier = createNotifier({
        store: createNotifyStore(database.orm),
        redelivered: createRedelivered(database.orm),
        workflows: createOccasionWorkflows(temporal.client, taskQueue),
        isLeftToDispatchers: createDispatchersFirst(database.orm),
        areRequestsSlow: createRequestsFirst(database.orm),
        logger: pino({ level: 'silent' }),
      });
      notifier.start();
      stops.push(() => notifier.stop());
    },

    /** A worker, until the test is over. Its deliver sends nothing: it answers what the ledger says. */
    async startWorker(): Promise<void> {
      const { orm } = database;
      const { client, connection } = temporal;
      const workflows = createOccasionWorkflows(client, taskQueue);
      const worker = await createWorker({
        connection,
        namespace: 'default',
        taskQueue,
        workflowBundle,
        activities: createActivities({
          deliver: ({ type, id }) => answerOf(rows, type, id),
          workflowReconciler: reconciler(),
          erasure: createErasure(orm),
          workflowRemover: createWorkflowRemover(client, workflows),
          retention: createRetention(orm),
          audits: { storeNext: async () => false, firstDayNotStored: async () => null },
        }),
      });
      const running = worker.run();
      stops.push(async () => {
        worker.shutdown();
        await running;
      });
    },
  };
}

export interface WatchedOccasion {
  readonly version: number;
  readonly isAwaited: boolean;
  readonly notifiedAt: string | null;
  readonly lookedAt: string | null;
  readonly calledAt: string | null;
  readonly endedAt: string | null;
  readonly endNotifiedAt: string | null;
}

async function answerOf(rows: EventRows, type: string, id: string): Promise<DeliverAnswer> {
  const [occasion] = await rows.sql<{ wakeAt: number | null; ended: boolean }>(
    `update events.occasions set looked_at = clock_timestamp(), version = version + 1,
       notified_wake_at = case when ended_at is null then wake_at end
     where type = :type and id = :id::uuid
     returning (extract(epoch from wake_at) * 1000)::float8 as "wakeAt",
       ended_at is not null as ended`,
    { type, id },
  );
  const { wakeAt = null, ended = true } = occasion ?? {};
  return { ended, wakeAt, next: null, blockedReason: null, settled: null };
}
