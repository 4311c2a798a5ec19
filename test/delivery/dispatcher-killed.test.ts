// @module-tag long
import { expect, onTestFinished, test } from 'vitest';

import { startDispatcherProcess } from '../support/dispatcher-process.ts';
import { createEventRows } from '../support/event-rows.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

const WITHIN = { timeout: 60_000, interval: 50 };
const HERD = 1_000;

test('when one of two dispatchers is killed with -9 while 1,000 are sent, the other sends the rest', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const rows = createEventRows(database.orm);
  const receiver = await startWebhookReceiver();
  onTestFinished(() => receiver.close());
  receiver.answer((response) => void setTimeout(() => response.end(), 10));
  // What the dead one had leased is claimed again when a request's time, and ten seconds, are over.
  const settings = { WEBHOOK_TIMEOUT_MS: '5000', WEBHOOK_CONCURRENCY: '16' };
  const [killed] = await Promise.all([
    startDispatcherProcess(database.url, receiver.url, settings),
    startDispatcherProcess(database.url, receiver.url, settings),
  ]);

  const dueAt = Date.now() + 1_000;
  const keys = await rows.addHerd(HERD, dueAt);
  await expect.poll(() => receiver.received.length, WITHIN).toBeGreaterThanOrEqual(HERD / 4);
  await killed.stop('SIGKILL');
  const killedAt = Date.now();
  const recorded = await rows.sql<{ key: string }>(
    'select occurrence_key as key from events.attempts',
  );

  const states = () =>
    rows.sql<{ state: string; count: number }>(
      'select state, count(*)::int as count from events.occurrences group by state',
    );
  await expect.poll(states, WITHIN).toEqual([{ state: 'COMPLETED', count: HERD }]);
  const arrivals = Map.groupBy(receiver.received, ({ id }) => id);
  expect([...arrivals.keys()].toSorted()).toEqual(keys.toSorted());
  expect(Math.min(...receiver.received.map(({ at }) => at))).toBeGreaterThanOrEqual(dueAt);
  // Sent again: only what the receiver had and the ledger did not, when the process died.
  const known = new Set(recorded.map(({ key }) => key));
  const again = [...arrivals.values()].filter(({ length }) => length > 1);
  expect(again.length).toBeLessThan(HERD / 4);
  for (const [first, second, ...others] of again) {
    expect(known).not.toContain(first?.id);
    expect(first?.at).toBeLessThan(killedAt);
    expect(second?.at).toBeGreaterThan(killedAt);
    expect(others).toEqual([]);
  }
});
