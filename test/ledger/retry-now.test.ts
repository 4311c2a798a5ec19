/** An operator's "try again now". */
import { randomUUID } from 'node:crypto';

import { expect, test } from 'vitest';

import { createRetryNow } from '../../src/ledger/retry-now.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';
import { attemptOf, HOUR, MINUTE, SECOND, useLedgerFixture } from './ledger-fixture.ts';

const fixture = useLedgerFixture();
const retryNow = (key: string, attempts?: number) =>
  createRetryNow(fixture.database.orm)(key, attempts);

/** One whose receiver asked for an hour after the first attempt. */
async function waiting(): Promise<string> {
  const key = await fixture.planned(Date.now() - SECOND);
  const at = Date.now() + HOUR;
  const next = { kind: 'retry', at, notBefore: at } as const;
  await fixture.ledger.record([attemptOf(await fixture.claimOne(), next, { status: 503 })]);
  return key;
}

test('makes an occurrence that waits for a retry due now, with continued attempt numbers, and only once', async () => {
  const key = await waiting();
  const before = await fixture.rows.find(key);
  expect(await fixture.claimed()).toEqual([]);
  await retryNow(key, 1);
  const { nextAttemptAt, ...row } = await fixture.rows.find(key);
  expect(nextAttemptAt).toBeLessThan(before.nextAttemptAt ?? 0);
  expect(row).toMatchObject({
    attempts: 1,
    firstAttemptAt: before.firstAttemptAt,
    retryNotBefore: null,
    redeliveries: 0,
  });
  await expect(retryNow(key, 1)).rejects.toMatchObject({
    code: 'occurrence-not-waiting',
    message: 'It may be sent already: it is about to be.',
  });
  expect(await fixture.claimOne()).toMatchObject({ key, attempt: 2 });
  await expect(retryNow(key, 1)).rejects.toMatchObject({
    code: 'occurrence-not-waiting',
    message: 'It is PROCESSING now, after 1 attempt.',
  });
});

test('sends nothing before its due instant', async () => {
  const key = await fixture.planned(Date.now() + HOUR);
  await expect(retryNow(key)).rejects.toMatchObject({
    code: 'occurrence-not-waiting',
    message: expect.stringMatching(/^It is due at .*Z, and nothing is sent before that\.$/),
  });
});

test('refuses one that has been attempted again since, with its current state', async () => {
  const key = await waiting();
  await expect(retryNow(key, 0)).rejects.toMatchObject({
    code: 'occurrence-changed',
    message: 'It is PENDING now, after 1 attempt.',
  });
});

test('refuses while its destination is paused, and while its user is suspended', async () => {
  const key = await waiting();
  const before = await fixture.rows.find(key);
  await fixture.rows.sql('update events.destinations set paused_at = now()');
  await expect(retryNow(key)).rejects.toMatchObject({ code: 'deliveries-paused' });
  await fixture.rows.resetDestination();
  await fixture.rows.sql('update users.users set suspended = true');
  await expect(retryNow(key)).rejects.toMatchObject({ code: 'occurrence-suspended' });
  await fixture.rows.sql('delete from users.users');
  await expect(retryNow(key)).rejects.toMatchObject({ code: 'occurrence-not-waiting' });
  expect(await fixture.rows.find(key)).toEqual(before);
});

test.each(['COMPLETED', 'FAILED', 'SKIPPED'] as const)(
  'refuses an occurrence that is %s',
  async (state) => {
    const key = await fixture.rows.addOccurrence(await fixture.rows.addUser(), { state });
    await expect(retryNow(key)).rejects.toMatchObject({
      code: 'occurrence-not-waiting',
      message: expect.stringContaining(`It is ${state}`),
    });
  },
);

test('refuses one that waits for a plan, and does not find an unknown one', async () => {
  const released = await plantOccurrence(fixture.rows.sql, {
    user_id: await fixture.rows.addUser(),
    due_at: new Date(Date.now() - MINUTE),
    next_attempt_at: null,
  });
  await expect(retryNow(released)).rejects.toMatchObject({
    message: 'Its new plan is being made.',
  });
  for (const key of [`birthday:${randomUUID()}:2026`, 'birthday']) {
    await expect(retryNow(key)).rejects.toMatchObject({ code: 'occurrence-not-found' });
  }
});
