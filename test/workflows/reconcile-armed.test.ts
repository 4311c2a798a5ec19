/** What the reconciler does about deliveries that are under way, on a real server. */
import { afterEach, expect, test, vi } from 'vitest';

import { redeliveryWorkflowId } from '../../src/domain/occurrence-key.ts';
import { useDaybell } from '../support/daybell.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
// With patience where nothing comes of a repair.
vi.setConfig({ testTimeout: 180_000 });
const WAIT = { timeout: 60_000, interval: 50 };
const NOTHING = { detected: {}, repaired: {}, unrepaired: {} };

// Armed long before, since the server's time can't be moved; Daybell's own clocks can.
const daybell = useDaybell({ armLeadMs: 20 * DAY });
afterEach(async () => {
  daybell.receiver.answer(withStatus(200));
  await daybell.resumeDeliveries();
  await daybell.api.sql('truncate events.findings');
});

interface ArmedUser {
  readonly userId: string;
  readonly key: string;
  /** Epoch ms. */
  readonly fireAt: number;
}

/** The birthday is in ten days, at 9:00 in Tokyo. */
async function armedUser(): Promise<ArmedUser> {
  await daybell.clock.set(Date.now());
  const date = new Date(Date.now() + 10 * DAY).toISOString().slice(4, 10);
  const dateOfBirth = `1990${date.replace('02-29', '03-01')}`;
  const userId = await daybell.createUser({ dateOfBirth, timezone: 'Asia/Tokyo' });
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['PROCESSING']);
  const { fireAt, occurrenceKey } = await daybell.statusOf(userId);
  return { userId, key: occurrenceKey ?? '', fireAt: Date.parse(fireAt ?? '') };
}

/** The ledger's retries are over, and Temporal has been told to try again. */
async function untilTemporalRetries(key: string, from: number): Promise<void> {
  daybell.receiver.answer(withStatus(500));
  const attempts = () => daybell.receiver.received.filter(({ id }) => id === key).length;
  const before = attempts();
  for (let nth = 1; nth <= 4; nth++) {
    await daybell.clock.set(from + (nth - 1) * 5_000);
    await expect.poll(attempts, WAIT).toBe(before + nth);
  }
  await expect
    .poll(
      () =>
        daybell.api.sql(
          `select key from events.occurrences
           where key = ? and state = 'PROCESSING' and next_attempt_at is null and report is null`,
          [key],
        ),
      WAIT,
    )
    .toHaveLength(1);
}

/** How often the receiver took it. */
async function acceptedOf(key: string): Promise<number> {
  const sql =
    "select number from events.attempts where occurrence_key = ? and outcome = 'delivered'";
  return (await daybell.api.sql(sql, [key])).length;
}

async function reconcile() {
  const report = await daybell.reconcile();
  const { detected, repaired, unrepaired } = report;
  return { report, brief: { detected, repaired, unrepaired } };
}

test('a row that nobody would attempt, since its workflow was ended between retries, is sent once', async () => {
  const { userId, key, fireAt } = await armedUser();
  await untilTemporalRetries(key, fireAt);
  await daybell.workflowOf(userId).terminate();
  daybell.receiver.answer(withStatus(200));
  await daybell.clock.set(fireAt + HOUR);

  expect((await reconcile()).brief).toEqual({
    detected: { unattempted: 1 },
    repaired: { unattempted: 1 },
    unrepaired: {},
  });

  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  expect(await acceptedOf(key)).toBe(1);
});

test('an activity that an operator has paused is left alone, and is an alarm that says so', async () => {
  const { userId, key, fireAt } = await armedUser();
  const workflow = daybell.workflowOf(userId);
  await untilTemporalRetries(key, fireAt);
  const { namespace } = daybell.temporal.client.options;
  const { workflowId } = workflow;
  const activity = { namespace, execution: { workflowId }, type: 'deliver' };
  await daybell.temporal.client.workflowService.pauseActivity(activity);
  await daybell.clock.set(fireAt + HOUR);
  const sent = daybell.greetingsOf(userId).length;

  const { report, brief } = await reconcile();

  expect(brief).toEqual({
    detected: { unattempted: 1 },
    repaired: {},
    unrepaired: { unattempted: 1 },
  });
  expect(report.examples).toEqual([
    {
      subject: key,
      kind: 'unattempted',
      workflowId,
      why: 'an operator has paused its activity deliver',
    },
  ]);
  expect(daybell.greetingsOf(userId)).toHaveLength(sent);

  daybell.receiver.answer(withStatus(200));
  await daybell.temporal.client.workflowService.unpauseActivity(activity);
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  expect((await reconcile()).brief).toEqual({ ...NOTHING, repaired: { unattempted: 1 } });
});

test('deliveries that are paused are not missed: they are counted as waiting', async () => {
  const { userId, fireAt } = await armedUser();
  await daybell.pauseDeliveries();
  await daybell.clock.set(fireAt + HOUR);

  const { report, brief } = await reconcile();

  expect(brief).toEqual(NOTHING);
  expect(report.bystanders).toEqual({ blocked: 0, waiting: 1, staleTokens: 0 });
  expect(daybell.greetingsOf(userId)).toEqual([]);
  await daybell.deleteUser(userId);
});

test('a redelivery whose workflow was ended is taken over by another, and sent once', async () => {
  const { userId, key, fireAt } = await armedUser();
  daybell.receiver.answer(withStatus(400));
  await daybell.clock.set(fireAt);
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['FAILED', 'PENDING']);
  daybell.receiver.answer(withStatus(500));
  expect((await daybell.api.send('POST', `/v1/occurrences/${key}/redeliver`, {})).status).toBe(202);
  await untilTemporalRetries(key, fireAt + HOUR);
  await daybell.temporal.client.workflow.getHandle(redeliveryWorkflowId(key)).terminate();
  daybell.receiver.answer(withStatus(200));
  await daybell.clock.set(fireAt + 3 * HOUR);

  expect((await reconcile()).brief).toEqual({
    detected: { stalled_redelivery: 1 },
    repaired: { stalled_redelivery: 1 },
    unrepaired: {},
  });

  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  expect(await acceptedOf(key)).toBe(1);
});

test('a delivery that a killed worker took and never armed is let go of, once it was sent', async () => {
  const { userId, fireAt } = await armedUser();
  // As a dispatcher arms what no workflow has armed.
  await daybell.api.sql('update events.occurrences set task_token = null where user_id = ?', [
    userId,
  ]);
  await daybell.clock.set(fireAt);
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED']);
  await daybell.clock.set(fireAt + HOUR);

  expect((await reconcile()).brief).toEqual({
    detected: { unplanned: 1 },
    repaired: { unplanned: 1 },
    unrepaired: {},
  });

  expect(await daybell.ledgerOf(userId)).toEqual(['COMPLETED', 'PENDING']);
  const { raw } = await daybell.workflowOf(userId).describe();
  expect(raw.pendingActivities).toEqual([]);
  expect(daybell.greetingsOf(userId)).toHaveLength(1);
});
