/** A traced story, step by step and without Temporal, on its own database and receiver. */
import { pino } from 'pino';
import { expect } from 'vitest';

import { createAttempt } from '../../src/delivery/attempt.ts';
import { createFindRecipients } from '../../src/delivery/recipient.ts';
import { createHttpClient } from '../../src/delivery/wire/http-client.ts';
import { createLedger } from '../../src/ledger/ledger.ts';
import { createOccurrenceTraces } from '../../src/ledger/occurrence-traces.ts';
import type { Tracing } from '../../src/platform/tracing.ts';
import { createOutboxConsumer } from '../../src/planning/outbox-consumer.ts';
import { createPlanner } from '../../src/planning/planner.ts';
import { createOutboxAdmin } from '../../src/users/outbox.ts';
import { createOutbox } from '../../src/users/outbox.ts';
import { ADA, createTestApi } from '../support/api.ts';
import { createTestClock } from '../support/test-clock.ts';
import { startWebhookReceiver, type ReceivedWebhook } from '../support/webhook-receiver.ts';
import { bundledTz } from '../support/tz-databases.ts';

export interface TraceStory {
  setClock(instant: string): Promise<void>;
  /**
   * Born on 20 May, in Berlin: created by the API, then planned from the outbox. Returns the user's
   * id.
   */
  createUser(traceparent: string): Promise<string>;
  /** Claims what is due, which must be one row, and posts it. */
  deliver(): Promise<ReceivedWebhook>;
  /** Plans the successors of settled rows. */
  planNext(userId: string): Promise<void>;
  /** What the outbox stores of the trace of the user's creation. */
  keptOf(userId: string): Promise<string | null>;
  /** From now on the ledger neither stores nor finds traces. */
  breakTraces(): Promise<void>;
  close(): Promise<void>;
}

const HOUR = 3_600_000;

export async function createTraceStory(tracing: Tracing): Promise<TraceStory> {
  const skew = { ms: 0 };
  const clock = () => Date.now() + skew.ms;
  const api = await createTestApi({ clock, tracing });
  const { orm } = api.database;
  const testClock = await createTestClock(orm, skew);
  const receiver = await startWebhookReceiver();
  const logger = pino({ level: 'silent' });
  const traces = createOccurrenceTraces(orm, logger);

  const planner = createPlanner({
    orm,
    settings: {
      tz: bundledTz,
      lateAfterMs: HOUR / 12,
      lateLimitMs: 48 * HOUR,
      wake: { afterMs: 10_000, perSecond: 0 },
    },
    clock,
    logger,
  });
  const outboxState = createOutboxAdmin(orm);
  const waiting = async () => (await outboxState.backlog()).length;
  const ledger = createLedger(orm, { lateAfterMs: HOUR });
  const client = createHttpClient({
    url: receiver.url,
    timeoutMs: 60_000,
    maxSockets: 1,
    allowPrivate: true,
    traceHeaders: () => ({ traceparent: tracing.active() ?? '' }),
  });
  const settings = { lateAfterMs: HOUR, giveUpAfterMs: 72 * HOUR };
  const sentBy = 'dispatcher';
  const attempt = createAttempt({ client, sentBy, clock, logger, settings, tracing });
  const findRecipients = createFindRecipients(
    orm,
    { tz: bundledTz, lateAfterMs: HOUR, lateLimitMs: 48 * HOUR },
    traces,
  );

  async function planAll(): Promise<void> {
    const outbox = createOutbox(orm);
    const traced = { tracing, traces, clock };
    const consumer = createOutboxConsumer({
      outbox,
      planner,
      areRequestsSlow: async () => false,
      logger,
      traced,
    });
    consumer.start();
    await expect.poll(waiting, { timeout: 60_000, interval: 20 }).toBe(0);
    await consumer.stop();
  }

  return {
    setClock: (instant) => testClock.set(Date.parse(instant)),

    async createUser(traceparent) {
      const user = { ...ADA, dateOfBirth: '1990-05-20', timezone: 'Europe/Berlin' };
      const { status, body } = await api.send('POST', '/v1/users', user, { traceparent });
      if (status !== 201) throw new Error(`POST /v1/users: ${status}`);
      await planAll();
      return body.id;
    },

    async deliver() {
      const request = { limit: 2, now: clock(), leaseMs: HOUR, takesExpired: true };
      const { claimed } = await ledger.claim(request);
      const [one, ...others] = claimed;
      if (one === undefined || others.length > 0) throw new Error('not one is due');
      const recipient = (await findRecipients([one])).get(one.key);
      if (recipient === undefined) throw new Error('nobody is to be greeted');
      await ledger.record([await attempt(one, recipient)]);
      const webhook = receiver.received.at(-1);
      if (webhook === undefined) throw new Error('nothing was received');
      return webhook;
    },

    async planNext(userId) {
      const [outcome] = await planner.plan([{ type: 'birthday', id: userId }]);
      if (outcome?.kind !== 'planned') throw new Error(outcome?.kind);
    },

    async keptOf(userId) {
      const rows = await api.sql<{ traceparent: string | null }>(
        `select traceparent from users.outbox where user_id = ? and type = 'UserCreated'`,
        [userId],
      );
      return rows[0]?.traceparent ?? null;
    },

    async breakTraces() {
      await api.sql('alter table events.occurrences rename traceparent to gone');
    },

    async close() {
      client.close();
      await receiver.close();
      await api.database.drop();
    },
  };
}
