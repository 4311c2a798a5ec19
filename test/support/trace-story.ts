/** What is traced, step by step and without Temporal between, on a database and a receiver of its own. */
import { randomBytes } from 'node:crypto';

import { pino } from 'pino';

import { createAttempt } from '../../src/delivery/attempt.ts';
import { traceDeliveries, traceHeadersOf } from '../../src/delivery/trace-deliveries.ts';
import { createWebhookClient } from '../../src/delivery/webhook-client.ts';
import type { PlanResult } from '../../src/domain/plan-messages.ts';
import type { TracePoint } from '../../src/domain/trace-point.ts';
import type { OccurrenceTraces } from '../../src/events/occurrence-traces.ts';
import { createPlanner } from '../../src/events/planner.ts';
import type { Tracing } from '../../src/observability/tracing.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import { createOccurrenceTraces } from '../../src/persistence/occurrence-traces.ts';
import { createOutbox } from '../../src/persistence/outbox-store.ts';
import { createPlanningStore } from '../../src/persistence/planning-store.ts';
import { createUserDirectory } from '../../src/persistence/user-directory.ts';
import { traceSubscriber } from '../../src/relay/trace-subscriber.ts';
import type { UserEvent } from '../../src/users/events.ts';
import { traceArming, tracePlanner } from '../../src/worker/trace-planning.ts';
import { ADA, createTestApi } from './api.ts';
import { createTestClock } from './test-clock.ts';
import { startWebhookReceiver, type ReceivedWebhook } from './webhook-receiver.ts';
import { bundledLaw } from './zone-laws.ts';

type Planned = Extract<PlanResult, { kind: 'planned' }>;

export interface TraceStory {
  setClock(instant: string): Promise<void>;
  /** Born on 20 May, in Berlin: by the API, then relayed. Gives what the subscriber is told. */
  createUser(traceparent: string): Promise<UserEvent>;
  plan(userId: string, trace: TracePoint): Promise<Planned>;
  arm(planned: Planned): Promise<void>;
  /** Claims what is due, which has to be one, and posts it. */
  deliver(): Promise<ReceivedWebhook>;
  close(): Promise<void>;
}

const HOUR = 3_600_000;

/** @param traces the database's, when not given */
export async function createTraceStory(
  tracing: Tracing,
  traces?: OccurrenceTraces,
): Promise<TraceStory> {
  const skew = { ms: 0 };
  const clock = () => Date.now() + skew.ms;
  const api = await createTestApi({ clock, tracing });
  const { orm } = api.database;
  const testClock = await createTestClock(orm, skew);
  const receiver = await startWebhookReceiver();
  const logger = pino({ level: 'silent' });
  const deps = { tracing, traces: traces ?? createOccurrenceTraces(orm), logger, clock };

  const outbox = createOutbox(orm);
  await outbox.subscribe('story');
  const told: UserEvent[] = [];
  const subscriber = traceSubscriber(
    { name: 'story', handle: async (event) => void told.push(event) },
    tracing,
  );
  const limits = { lateLimitMs: 48 * HOUR, armLeadMs: 0, armWindowMs: 0 };
  const rules = { leapDayPolicy: 'feb28', localTime: '09:00', law: bundledLaw } as const;
  const store = createPlanningStore(orm);
  const planner = tracePlanner(createPlanner({ store, settings: { ...limits, rules } }), deps);
  const ledger = createDeliveryLedger(orm, { lateAfterMs: HOUR });
  const arming = traceArming(ledger, deps);
  const client = createWebhookClient({
    url: receiver.url,
    timeoutMs: 60_000,
    maxSockets: 1,
    userAgent: 'Daybell',
    allowPrivate: true,
    traceHeaders: traceHeadersOf(tracing),
  });
  const settings = { lateAfterMs: HOUR, giveUpAfterMs: 72 * HOUR };
  const attempt = createAttempt({ client, clock, logger, settings });
  const deliveries = traceDeliveries({ directory: createUserDirectory(orm), attempt }, deps);

  return {
    setClock: (instant) => testClock.set(Date.parse(instant)),

    async createUser(traceparent) {
      const user = { ...ADA, dateOfBirth: '1990-05-20', timezone: 'Europe/Berlin' };
      const { status } = await api.send('POST', '/v1/users', user, { traceparent });
      if (status !== 201) throw new Error(`POST /v1/users: ${status}`);
      for (const entry of await outbox.claim('story', 10, HOUR)) {
        await subscriber.handle(entry.event, AbortSignal.timeout(5_000));
      }
      const event = told.at(-1);
      if (event === undefined) throw new Error('nothing was told');
      return event;
    },

    async plan(userId, trace) {
      const plan = await planner.plan({ eventType: 'birthday', userId, now: clock(), trace });
      if (plan.kind !== 'planned') throw new Error(plan.kind);
      return plan;
    },

    async arm({ occurrenceKey, fireAt }) {
      const taskToken = randomBytes(16);
      const armed = await arming.arm({ occurrenceKey, fireAt, taskToken, now: clock() });
      if (armed.kind !== 'armed') throw new Error(armed.kind);
    },

    async deliver() {
      const [claimed, ...others] = await ledger.claim({ limit: 2, now: clock(), holdMs: HOUR });
      if (claimed === undefined || others.length > 0) throw new Error('not one is due');
      const recipient = (await deliveries.directory.findRecipients([claimed])).get(claimed.key);
      if (recipient === undefined) throw new Error('nobody is to be greeted');
      await ledger.record([await deliveries.attempt(claimed, recipient)]);
      const webhook = receiver.received.at(-1);
      if (webhook === undefined) throw new Error('nothing was received');
      return webhook;
    },

    async close() {
      client.close();
      await receiver.close();
      await api.database.drop();
    },
  };
}
