/** The activity's core as in a worker, on its own connections, beside dispatchers. */
import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach } from 'vitest';

import { createDeliver } from '../../src/delivery/deliver/deliver.ts';
import type { CallResult } from '../../src/delivery/metrics.ts';
import { NotYetSettledError } from '../../src/delivery/deliver/not-yet-settled.ts';
import { createSending } from '../../src/delivery/sending.ts';
import { createSign } from '../../src/delivery/wire/signing.ts';
import { createGotClient } from '../../src/delivery/wire/got-client.ts';
import { ms } from '../../src/ledger/sql.ts';
import { connectOrm, type Orm } from '../../src/platform/database/orm.ts';
import { createPlanner } from '../../src/planning/planner.ts';
import type { DeliverAnswer } from '../../src/workflows/contract.ts';
import { HOUR, useDispatcherFixture } from '../support/dispatcher-fixture.ts';
import { bundledTz } from '../support/tz-databases.ts';

export interface TestWorkerOptions {
  readonly databaseUrl?: string;
  readonly clock?: () => number;
  readonly timeoutMs?: number;
  /** Signs with these; not at all by default. */
  readonly secrets?: readonly string[];
}

export interface Call {
  /** When it must have returned; in a minute by default. */
  readonly withinMs?: number;
  /** When Temporal made the call; now by default. */
  readonly calledAt?: number;
}

export interface TestWorker {
  deliver(occurrenceKey: string, call?: Call): Promise<DeliverAnswer>;
  /** Calls until it returns, as Temporal does, but sooner. */
  settle(occurrenceKey: string): Promise<DeliverAnswer>;
  /** What prevents it from returning; rejects if it returns. */
  refusal(occurrenceKey: string, call?: Call): Promise<NotYetSettledError>;
  readonly results: CallResult[];
  readonly logged: Record<string, unknown>[];
}

/** An occasion as its row has it; instants as epoch ms. */
export interface OccasionRow {
  readonly version: number;
  readonly wakeAt: number | null;
  readonly notifiedWakeAt: number | null;
  readonly lookedAt: number | null;
  readonly endedAt: number | null;
  readonly endNotifiedAt: number | null;
}

const SETTLE_PAUSE_MS = 500;
const DEFAULT_WAKE = { afterMs: 10_000, perSecond: 15 };

/** Registers the hooks of the file that calls it. */
export function useDeliverFixture(wake = DEFAULT_WAKE) {
  const base = useDispatcherFixture();
  let closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(closers.map((close) => close()));
    closers = [];
  });

  /** A worker process's deliver, which is stopped after the test. */
  async function work(options: TestWorkerOptions = {}): Promise<TestWorker> {
    const { clock = Date.now, timeoutMs = 15_000, secrets } = options;
    const orm = await connectOrm(options.databaseUrl ?? base.database.url);
    const logged: Record<string, unknown>[] = [];
    const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });
    const client = createGotClient({
      url: base.receiver.url,
      timeoutMs,
      maxSockets: 64,
      allowPrivate: true,
      ...(secrets !== undefined && { sign: createSign(secrets) }),
    });
    const results: CallResult[] = [];
    const { deliver, stop } = createDeliver({
      sendings: [
        createSending({
          orm,
          tz: bundledTz,
          client,
          sentBy: 'workflow',
          clock,
          settings: {
            timeoutMs,
            lateLimitMs: 48 * HOUR,
            lateAfterMs: HOUR / 12,
            giveUpAfterMs: 72 * HOUR,
          },
          outcomeWaitMs: 5,
          registry: new Registry(),
          tracing: null,
          logger,
        }),
      ],
      orm,
      planner: plannerOf(orm, clock),
      onCall: (result) => results.push(result),
    });
    closers.push(async () => {
      await stop();
      client.close();
      await orm.close(true);
    });
    const call = (key: string, { withinMs = 60_000, calledAt = Date.now() }: Call = {}) =>
      deliver(occasionOf(key), { deadline: performance.now() + withinMs, calledAt });
    return {
      deliver: call,
      async settle(key) {
        for (;;) {
          try {
            return await call(key);
          } catch (error) {
            // Temporal also retries errors of a database that is down.
            const { retryInMs } = error instanceof NotYetSettledError ? error : { retryInMs: 0 };
            await sleep(Math.min(retryInMs, SETTLE_PAUSE_MS));
          }
        }
      },
      async refusal(key, options) {
        const result = await call(key, options).catch((error: unknown) => error);
        if (result instanceof NotYetSettledError) return result;
        throw new Error('It was not refused.', { cause: result });
      },
      results,
      logged,
    };
  }

  function plannerOf(orm: Orm, clock: () => number) {
    const settings = { tz: bundledTz, lateAfterMs: 300_000, lateLimitMs: 48 * HOUR, wake };
    return createPlanner({ orm, settings, clock, logger: pino({ level: 'silent' }) });
  }

  /** An occurrence and its occasion, as the planner leaves them; returns the key. */
  async function due(dueAt: number, userId?: string): Promise<string> {
    const id = userId ?? (await base.rows.addUser());
    const key = await base.planned(id, dueAt);
    await addOccasions();
    return key;
  }

  async function dueHerd(count: number, dueAt: number): Promise<string[]> {
    const keys = await base.rows.addHerd(count, dueAt);
    await addOccasions();
    return keys;
  }

  /** Rows of occasions for everything that is planned. */
  async function addOccasions(): Promise<void> {
    await base.rows.sql(
      `insert into events.occasions (type, id, user_id, planned_at, inputs_at, wake_at, wake_due_at)
       select occasion_type, occasion_id, user_id, planned_at, inputs_at,
         due_at + :afterMs::float8 * interval '1 ms', due_at
       from events.occurrences on conflict do nothing`,
      { afterMs: wake.afterMs },
    );
  }

  async function occasion(key: string): Promise<OccasionRow> {
    const [row] = await base.rows.sql<OccasionRow>(
      `select version::int, ${ms('wake_at', 'wakeAt')},
         ${ms('notified_wake_at', 'notifiedWakeAt')}, ${ms('looked_at', 'lookedAt')},
         ${ms('ended_at', 'endedAt')}, ${ms('end_notified_at', 'endNotifiedAt')}
       from events.occasions where type = :type and id = :id::uuid`,
      occasionOf(key),
    );
    if (row === undefined) throw new Error(`There is no occasion of ${key}.`);
    return row;
  }

  /** How many attempts each of the two paths made. */
  async function sentBy(): Promise<Record<string, number>> {
    const counts = await base.rows.sql<{ by: string; count: number }>(
      'select sent_by as by, count(*)::int as count from events.attempts group by 1',
    );
    return Object.fromEntries(counts.map(({ by, count }) => [by, count]));
  }

  /** As if a dispatcher had stamped itself, by the database's clock. */
  async function stampDispatcher(agoMs = 0, shortAgoMs: number | null = null): Promise<void> {
    await base.rows.sql(
      `insert into events.dispatchers (id, stamped_at, short_at)
       values (gen_random_uuid(), events.clock() - :agoMs::float8 * interval '1 ms',
         events.clock() - :shortAgoMs::float8 * interval '1 ms')`,
      { agoMs, shortAgoMs },
    );
  }

  /** A change of the user's zone that no scheduler has planned yet. */
  async function moveTo(userId: string, timezone: string): Promise<void> {
    await base.rows.sql(
      `with moved as (
         update users.users set timezone = :timezone, inputs_changed_at = now()
         where id = :userId returning *
       ), ended as (
         update users.history as h set valid_until = now()
         from moved where h.user_id = moved.id and valid_until is null returning h.user_id
       )
       insert into users.history (user_id, date_of_birth, timezone, valid_from)
       select id, date_of_birth, timezone, now() from moved join ended on user_id = id`,
      { userId, timezone },
    );
  }

  return { base, moveTo, work, due, dueHerd, occasion, sentBy, stampDispatcher };
}

function occasionOf(occurrenceKey: string): { type: string; id: string } {
  const [type = '', id = ''] = occurrenceKey.split(':');
  return { type, id };
}
