/** After hundreds of large and slow responses of each kind, nothing of them is left in memory. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import {
  halfABody,
  halfAHead,
  late,
  never,
  page,
  slowDrip,
  slowHead,
  tenGigabytes,
  type Answer,
} from './bad-answers.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import type { Memory } from './heap-child.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import type { TestDispatcherOptions } from '../support/test-dispatcher.ts';
import { CLIENTS } from '../support/webhook-clients.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const TIMEOUT_MS = 1500;
/** So many at a time that all timeouts are over soon. */
const CONCURRENCY = 200;
const WITHIN = { timeout: 60_000, interval: 50 };
/** Twice as many as at a time. */
const COUNT = 2 * CONCURRENCY;
/** 20 KB of each would be a leak. */
const MAX_GROWTH_BYTES = COUNT * 20_000;
/** The connections of its database pool; idle ones to the receiver do not count. */
const MAX_SOCKETS = 12;

const KINDS: readonly [name: string, answer: Answer, outcome: string][] = [
  ['bodies of 10 GB', tenGigabytes, '200'],
  ['bodies that drip for ever', slowDrip, '200'],
  ['heads that drip for ever', slowHead, 'ETIMEDOUT'],
  ['requests that are never answered', never, 'ETIMEDOUT'],
  ['halves of a body and a reset', halfABody, '200'],
  ['halves of a head and a reset', halfAHead, 'ECONNRESET'],
  ['pages after a long while', late(TIMEOUT_MS / 2, page(200)), '200'],
];

let database: TestDatabase;
let rows: EventRows;
let receiver: WebhookReceiver;
let dispatcher: ChildProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  rows = createEventRows(database.orm);
  receiver = await startWebhookReceiver();
});
afterAll(async () => {
  await receiver.close();
  await database.drop();
});

async function ask(options?: TestDispatcherOptions): Promise<Memory> {
  dispatcher.send(options ?? {});
  const [memory] = await once(dispatcher, 'message');
  return memory;
}

/** Waits until the query returns this many rows. */
function until(query: string, count: number): Promise<void> {
  return vi.waitFor(async () => expect(await rows.sql(query)).toHaveLength(count), WITHIN);
}

/** The first attempt of this many; returns the results. */
async function attemptAll(count: number, answer: Answer): Promise<Record<string, number>> {
  receiver.answer(answer);
  await rows.addHerd(count, Date.now() - 1000);
  await until(`select 1 from events.attempts where number = 1`, count);
  await rows.sql(`update events.destinations set paused_at = events.clock()`);
  await until(`select 1 from events.occurrences where lease_until is not null`, 0);
  const outcomes = await rows.sql<{ outcome: string; count: number }>(
    `select coalesce(status::text, error_code) as outcome, count(*)::int as count
     from events.attempts where number = 1 group by 1`,
  );
  await rows.sql('truncate events.occurrences, users.users cascade');
  await rows.sql(`update events.destinations set paused_at = null`);
  receiver.received.length = 0;
  return Object.fromEntries(outcomes.map((row) => [row.outcome, row.count]));
}

describe.each(CLIENTS)('$name', ({ name: client }) => {
  beforeAll(async () => {
    dispatcher = fork(join(import.meta.dirname, './heap-child.ts'), {
      execArgv: ['--expose-gc'],
    });
    await once(dispatcher, 'message');
    const options: TestDispatcherOptions = {
      databaseUrl: database.url,
      webhookUrl: receiver.url,
      client,
      concurrency: CONCURRENCY,
      timeoutMs: TIMEOUT_MS,
    };
    await ask(options);
    // Code is compiled and pools are filled once, whatever follows.
    for (const [, answer] of KINDS) await attemptAll(CONCURRENCY / 2, answer);
  });
  afterAll(async () => {
    dispatcher.disconnect();
    await once(dispatcher, 'exit');
  });

  test.each(KINDS)('hundreds of %s', async (_, answer, outcome) => {
    const before = await ask();
    const outcomes = await attemptAll(COUNT, answer);
    const after = await ask();
    expect(after.bytes - before.bytes).toBeLessThan(MAX_GROWTH_BYTES);
    expect(after.sockets).toBeLessThanOrEqual(MAX_SOCKETS);
    // Not all: on a busy machine some time out for another reason.
    expect(outcomes[outcome]).toBeGreaterThan(COUNT / 20);
  });
});
