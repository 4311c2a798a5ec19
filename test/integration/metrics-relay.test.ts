import { randomUUID } from 'node:crypto';

import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';

import { createMetrics } from '../../src/observability/metrics.ts';
import { createOutbox } from '../../src/persistence/outbox-store.ts';
import { createRelayMetrics } from '../../src/relay/metrics.ts';
import { startRelay } from '../../src/relay/relay.ts';
import { EventRefusedError } from '../../src/users/events.ts';
import { valueOf } from '../support/metrics.ts';
import { createTestDatabase } from '../support/postgres.ts';

test('events are counted by what became of them: relayed, failed, set aside', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const metrics = createMetrics();
  const count = async (result: string) =>
    valueOf(await metrics.metrics(), 'daybell_relay_events_total', {
      subscriber: 'scheduling',
      result,
    });
  const [taken, refused, unlucky] = [randomUUID(), randomUUID(), randomUUID()];
  for (const userId of [taken, refused, unlucky]) {
    await database.orm.em.fork().execute(
      `insert into users.outbox (type, user_id, revision, occurred_at)
       values ('UserCreated', ?, 1, now())`,
      [userId],
    );
  }
  let failures = 0;
  const handle = async ({ userId }: { userId: string }): Promise<void> => {
    if (userId === refused) throw new EventRefusedError('never');
    if (userId === unlucky && failures++ === 0) throw new Error('not this time');
  };
  const outbox = createOutbox(database.orm);
  const subscribers = [{ name: 'scheduling', handle }];
  const onSettled = createRelayMetrics(metrics, subscribers);
  expect(await count('relayed')).toBe(0);

  const relay = startRelay({
    outbox,
    subscribers,
    logger: pino({ level: 'silent' }),
    onSettled,
  });
  await expect.poll(() => count('relayed'), { timeout: 60_000 }).toBe(2);
  await relay.stop();

  expect(await count('failed')).toBe(1);
  expect(await count('set_aside')).toBe(1);
  expect(await count('returned')).toBe(0);
});
