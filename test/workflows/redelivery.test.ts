import { randomUUID } from 'node:crypto';

import { afterEach, expect, test } from 'vitest';

import { redeliveryWorkflowId } from '../../src/domain/occurrence-key.ts';
import type { Answer } from '../support/api.ts';
import { useDaybell } from '../support/daybell.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const DAY = 86_400_000;
const WAIT = { timeout: 60_000, interval: 50 };

/**
 * Redelivery from the API to the receiver, on a real server. Deliveries are armed 20 days
 * ahead, and it is the sender's and the database's clock that says when it is 9:00.
 */
const daybell = useDaybell({ armLeadMs: 20 * DAY });
afterEach(async () => {
  daybell.receiver.answer(withStatus(200));
  await daybell.resumeDeliveries();
  await daybell.clock.set(Date.now());
  await daybell.deleteAllUsers();
});

test('what FAILED is sent again with the same webhook-id, and next year stays planned', async () => {
  const { userId, key } = await userWhose('FAILED');
  const before = await daybell.statusOf(userId);

  const answer = await redeliver(key);

  expect(answer.status).toBe(202);
  expect(answer.body.workflowId).toBe(redeliveryWorkflowId(key));
  expect(await resultOf(key)).toEqual({ occurrenceKey: key, outcome: 'delivered' });
  expect(attemptsReceived(userId)).toEqual([
    [key, '1'],
    [key, '2'],
  ]);
  expect(await occurrence(key)).toMatchObject({
    status: 'COMPLETED',
    reason: null,
    redeliveries: 1,
    forcedAt: null,
    attempts: [{ outcome: 'give_up' }, { outcome: 'delivered' }],
  });
  expect(await daybell.ledgerOf(userId)).toEqual(['COMPLETED', 'PENDING']);
  expect(await daybell.statusOf(userId)).toEqual(before);
});

test('it can be found in the Web UI, by its summary', async () => {
  const { key } = await userWhose('FAILED');
  await redeliver(key);
  await resultOf(key);
  const { staticSummary } = await workflow(key).describe();
  expect(await staticSummary()).toBe(`${key} is sent again`);
});

test('of two requests at once, one wins', async () => {
  const { userId, key } = await userWhose('FAILED');
  const answers = await Promise.all([1, 2, 3, 4].map(() => redeliver(key)));
  await resultOf(key);
  expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 409, 409, 409]);
  expect(answers.find(({ status }) => status === 409)?.body.type).toMatch(/redelivery-running$/);
  expect(attemptsReceived(userId)).toHaveLength(2);
});

test('what fails again can be sent again', async () => {
  const { userId, key } = await userWhose('FAILED');
  daybell.receiver.answer(withStatus(400));
  await redeliver(key);
  expect(await resultOf(key)).toEqual({ occurrenceKey: key, outcome: 'failed' });
  expect(await daybell.ledgerOf(userId)).toEqual(['FAILED', 'PENDING']);

  daybell.receiver.answer(withStatus(200));
  await redeliver(key);
  expect(await resultOf(key)).toEqual({ occurrenceKey: key, outcome: 'delivered' });
  expect(attemptsReceived(userId).map(([, attempt]) => attempt)).toEqual(['1', '2', '3']);
});

test('what was delivered is sent again by force only, and keeps it', async () => {
  const { userId, key } = await userWhose('COMPLETED');
  const { deliveredAt } = await occurrence(key);

  expect((await redeliver(key)).status).toBe(409);
  expect((await redeliver(key, { force: true })).status).toBe(202);

  expect(await resultOf(key)).toEqual({ occurrenceKey: key, outcome: 'delivered' });
  expect(attemptsReceived(userId)).toHaveLength(2);
  const after = await occurrence(key);
  expect(after).toMatchObject({ status: 'COMPLETED', deliveredAt, redeliveries: 1 });
  expect(after.forcedAt).toBe(after.redeliveredAt);
});

test('a reset of its workflow sends nothing again, forced or not', async () => {
  const { userId, key } = await userWhose('COMPLETED');
  await redeliver(key, { force: true });
  await resultOf(key);

  const { events } = await workflow(key).fetchHistory();
  const begun = events?.find((event) => event.workflowTaskCompletedEventAttributes);
  const started = await daybell.temporal.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: redeliveryWorkflowId(key) },
    workflowTaskFinishEventId: begun?.eventId ?? null,
    requestId: randomUUID(),
    reason: 'by mistake',
  });

  const again = daybell.temporal.client.workflow.getHandle(
    redeliveryWorkflowId(key),
    started.runId,
  );
  expect(await again.result()).toEqual({ occurrenceKey: key, outcome: 'delivered' });
  expect(attemptsReceived(userId)).toHaveLength(2);
});

test('a pause holds it, also when its workflow is terminated: the next request takes over', async () => {
  const { userId, key } = await userWhose('FAILED');
  await daybell.pauseDeliveries();
  await redeliver(key);
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['PROCESSING', 'PENDING']);
  expect((await redeliver(key)).status).toBe(409);

  const first = await redeliveryOf(key);
  await workflow(key).terminate('by mistake');
  expect((await redeliver(key)).status).toBe(202);
  await expect.poll(() => redeliveryOf(key), WAIT).not.toBe(first);
  await daybell.resumeDeliveries();

  expect(await resultOf(key)).toEqual({ occurrenceKey: key, outcome: 'delivered' });
  expect(attemptsReceived(userId)).toHaveLength(2);
  expect(await occurrence(key)).toMatchObject({ redeliveries: 1 });
});

test('who moves meanwhile is planned anew for next year, and gets what was asked for', async () => {
  const { userId, key } = await userWhose('FAILED');
  await daybell.pauseDeliveries();
  await redeliver(key);
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['PROCESSING', 'PENDING']);

  await daybell.changeUser(userId, { timezone: 'America/Bogota' });
  expect(await daybell.statusOf(userId)).toMatchObject({ timezone: 'America/Bogota' });
  await daybell.resumeDeliveries();

  expect(await resultOf(key)).toMatchObject({ outcome: 'delivered' });
  expect(daybell.greetingsOf(userId).at(-1)?.body.data.timezone).toBe('Asia/Tokyo');
  expect(await daybell.ledgerOf(userId)).toEqual(['COMPLETED', 'PENDING']);
});

test('who is deleted meanwhile is not greeted, the row says so and the workflow ends', async () => {
  const { userId, key } = await userWhose('FAILED');
  await daybell.pauseDeliveries();
  await redeliver(key);
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['PROCESSING', 'PENDING']);

  await daybell.deleteUser(userId);
  await daybell.resumeDeliveries();

  expect(await resultOf(key)).toEqual({ occurrenceKey: key, outcome: 'skipped' });
  expect(await occurrence(key)).toMatchObject({ status: 'SKIPPED', reason: 'user_deleted' });
  expect((await redeliver(key)).status).toBe(409);
  expect(attemptsReceived(userId)).toHaveLength(1);
});

test('what the receiver does not take now is tried again by the ledger, then by Temporal', async () => {
  const { userId, key } = await userWhose('FAILED');
  let answers = 0;
  daybell.receiver.answer((response) => {
    answers += 1;
    response.writeHead(answers <= 4 ? 500 : 200).end();
  });
  await redeliver(key);
  expect(await resultOf(key)).toEqual({ occurrenceKey: key, outcome: 'delivered' });
  const numbers = attemptsReceived(userId).map(([, attempt]) => Number(attempt));
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  // One before it, four of the ledger's, and then those of Temporal.
  expect(numbers.length).toBeGreaterThanOrEqual(6);
});

/** A user whose birthday of this year came to that, with next year planned. */
async function userWhose(state: 'FAILED' | 'COMPLETED'): Promise<{ userId: string; key: string }> {
  daybell.receiver.answer(withStatus(state === 'FAILED' ? 400 : 200));
  const date = new Date(Date.now() + 10 * DAY).toISOString().slice(4, 10);
  const dateOfBirth = `1990${date.replace('02-29', '03-01')}`;
  const userId = await daybell.createUser({ dateOfBirth, timezone: 'Asia/Tokyo' });
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['PROCESSING']);
  const { occurrenceKey, fireAt } = await daybell.statusOf(userId);
  await daybell.clock.set(Date.parse(fireAt ?? ''));
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual([state, 'PENDING']);
  daybell.receiver.answer(withStatus(200));
  return { userId, key: occurrenceKey ?? '' };
}

function redeliver(key: string, body: object = {}): Promise<Answer> {
  return daybell.api.send('POST', `/v1/occurrences/${key}/redeliver`, body);
}

function workflow(key: string) {
  return daybell.temporal.client.workflow.getHandle(redeliveryWorkflowId(key));
}

function resultOf(key: string): Promise<unknown> {
  return workflow(key).result();
}

/** The redelivery that has the row. */
async function redeliveryOf(key: string): Promise<string | undefined> {
  const [row] = await daybell.api.sql<{ id: string }>(
    'select redelivery_id as id from events.occurrences where key = ?',
    [key],
  );
  return row?.id;
}

async function occurrence(key: string): Promise<Answer['body']> {
  return (await daybell.api.send('GET', `/v1/occurrences/${key}`)).body;
}

/** The webhook-id and number of each attempt that reached the receiver. */
function attemptsReceived(userId: string): unknown[][] {
  return daybell.greetingsOf(userId).map(({ id, headers }) => [id, headers['daybell-attempt']]);
}
