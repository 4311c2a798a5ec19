/** What the reconciler finds and repairs while users' workflows sleep, on a real server. */
import { afterEach, beforeAll, expect, test, vi } from 'vitest';

import type { ReconcileReport } from '../../src/domain/reconcile-messages.ts';
import { bornForNineAfter } from '../support/born.ts';
import { useDaybell } from '../support/daybell.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
// With patience where nothing comes of a repair.
vi.setConfig({ testTimeout: 180_000 });
const WAIT = { timeout: 60_000, interval: 50 };

const daybell = useDaybell();
let rows: EventRows;
beforeAll(() => {
  rows = createEventRows(daybell.api.database.orm);
});
afterEach(async () => {
  await daybell.clock.set(Date.now());
  await rows.sql('update users.outbox set relayed_at = now() where relayed_at is null');
  for (const { id } of await rows.sql<{ id: string }>('select id from users.users')) {
    await daybell
      .workflowOf(id)
      .terminate('end of the test')
      .catch(() => {});
  }
  await rows.sql('truncate events.occurrences, events.findings, users.users, users.outbox cascade');
});

/** A user whose next birthday is so many days away; asleep. */
async function sleeper(days: number): Promise<string> {
  const { timezone, dateOfBirth } = bornForNineAfter(Date.now() + days * DAY);
  const userId = await daybell.createUser({ timezone, dateOfBirth });
  await daybell.statusOf(userId);
  return userId;
}

async function runs(userId: string): Promise<boolean> {
  return (await daybell.workflowOf(userId).describe()).status.name === 'RUNNING';
}

const brief = ({ detected, repaired, unrepaired }: ReconcileReport) => ({
  detected,
  repaired,
  unrepaired,
});
const NOTHING = { detected: {}, repaired: {}, unrepaired: {} };

test('in an installation that is well it finds nothing, and wakes nobody', async () => {
  const users: string[] = [];
  for (let days = 2; days < 365; days += 15) users.push(await sleeper(days));
  // Nobody is new any more.
  await daybell.clock.set(Date.now() + HOUR);
  const histories = () =>
    Promise.all(users.map(async (userId) => (await daybell.historiesOf(userId)).flat().length));
  const before = await histories();

  const report = await daybell.reconcile();

  expect(brief(report)).toEqual(NOTHING);
  expect(report).toMatchObject({ tried: 0, examples: [], notLookedFor: [] });
  expect(await histories()).toEqual(before);
});

test.for(['terminate', 'cancel'] as const)(
  'a workflow that an operator has ended by %s is there again before the birthday',
  async (end) => {
    const { fireAt, ...born } = bornForNineAfter(Date.now() + 8 * HOUR);
    const userId = await daybell.createUser(born);
    await daybell.statusOf(userId);
    await daybell.workflowOf(userId)[end]();
    await expect.poll(() => runs(userId), WAIT).toBe(false);
    // As if it had been planned long ago, and its check had not come about.
    await rows.sql('update events.occurrences set rechecked_at = null');

    expect(brief(await daybell.reconcile())).toEqual({
      detected: { unchecked: 1 },
      repaired: { unchecked: 1 },
      unrepaired: {},
    });

    expect(await runs(userId)).toBe(true);
    expect(await daybell.statusOf(userId)).toMatchObject({
      fireAt: new Date(fireAt).toISOString(),
    });
    expect(daybell.greetingsOf(userId)).toEqual([]);
  },
);

test('one that was ended after its check is noticed too, before the birthday', async () => {
  const { fireAt, ...born } = bornForNineAfter(Date.now() + 8 * HOUR);
  const userId = await daybell.createUser(born);
  const other = await daybell.createUser(born);
  await Promise.all([userId, other].map((id) => daybell.statusOf(id)));
  await daybell.workflowOf(userId).terminate();
  await daybell.clock.set(fireAt - HOUR);

  expect(brief(await daybell.reconcile())).toEqual({
    detected: { unfollowed: 1 },
    repaired: { unfollowed: 1 },
    unrepaired: {},
  });

  expect(await runs(userId)).toBe(true);
});

test('a user whose message was lost on the way is planned', async () => {
  const userId = await rows.addUser({ dateOfBirth: '1990-12-24', timezone: 'Europe/Berlin' });
  await rows.sql(
    `insert into users.outbox (type, user_id, revision, occurred_at, relayed_at)
     values ('UserCreated', ?, 1, now() - interval '1 hour', now() - interval '1 hour')`,
    [userId],
  );

  expect(brief(await daybell.reconcile())).toEqual({
    detected: { unplanned: 1 },
    repaired: { unplanned: 1 },
    unrepaired: {},
  });

  expect(await daybell.ledgerOf(userId)).toEqual(['PENDING']);
  expect(await daybell.statusOf(userId)).toMatchObject({ waitingFor: 'recheck' });
  expect(brief(await daybell.reconcile())).toEqual(NOTHING);
});

test('the plan of a user who is gone is SKIPPED, and nobody is resurrected', async () => {
  const userId = await sleeper(100);
  await daybell.workflowOf(userId).terminate();
  const orphan = await plantOccurrence(rows.sql, { fire_at: '2040-05-20T07:00:00Z', year: 2040 });
  await rows.sql('delete from users.users');
  await daybell.clock.set(Date.now() + HOUR);

  const report = await daybell.reconcile();

  expect(brief(report)).toEqual({
    detected: { orphaned: 2 },
    repaired: { orphaned: 2 },
    unrepaired: {},
  });
  expect(await rows.sql('select distinct state, reason from events.occurrences')).toEqual([
    { state: 'SKIPPED', reason: 'user_deleted' },
  ]);
  expect(await daybell.workflowOf(orphan.split(':')[1] ?? '').result()).toBeUndefined();
  await expect.poll(() => runs(userId), WAIT).toBe(false);
});

test('what was missed is sent once, though two reconcilers find it at once', async () => {
  const missed: string[] = [];
  const { fireAt, timezone, dateOfBirth } = bornForNineAfter(Date.now() - 5.1 * HOUR);
  for (let nth = 0; nth < 5; nth++) {
    const userId = await rows.addUser({ dateOfBirth, timezone });
    missed.push(userId);
    const year = new Date(fireAt).getUTCFullYear();
    await rows.addOccurrence(userId, { year, anchorDate: dateOfBirth, timezone, fireAt });
  }
  await rows.sql("update events.occurrences set planned_at = now() - interval '1 day'");

  const reports = await Promise.all([daybell.reconcile(), daybell.reconcile()]);

  const detected = reports.map(({ detected: { unattempted = 0 } }) => unattempted);
  expect(detected.reduce((a, b) => a + b)).toBe(5);
  expect(reports.map(({ unrepaired }) => unrepaired)).toEqual([{}, {}]);
  for (const userId of missed) {
    await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
    expect(daybell.greetingsOf(userId)).toHaveLength(1);
  }
});

test('a workflow that is stuck is an alarm that names it, until it is mended', async () => {
  const userId = await sleeper(100);
  const { workflowId } = daybell.workflowOf(userId);
  await daybell.workflowOf(userId).terminate();
  await rows.sql('delete from events.occurrences');
  const { taskQueue } = await daybell.workflowOf(userId).describe();
  // Code that nobody knows: as after a change of the workflow that breaks its past.
  await daybell.temporal.client.workflow.start('broken', { workflowId, taskQueue, args: [] });
  await daybell.clock.set(Date.now() + HOUR);

  // A task that fails once is ordinary, and the next try takes its time.
  const report = await daybell.reconcile({ secondLookMs: 1_000, patienceMs: 30_000 });

  expect(brief(report)).toEqual({
    detected: { unplanned: 1 },
    repaired: {},
    unrepaired: { unplanned: 1 },
  });
  expect(report.examples).toEqual([
    {
      subject: `birthday:${userId}`,
      kind: 'unplanned',
      workflowId,
      why: expect.stringMatching(/workflow task has failed \d+ times/),
    },
  ]);
  expect(brief(await daybell.reconcile())).toEqual({
    detected: {},
    repaired: {},
    unrepaired: { unplanned: 1 },
  });

  await daybell.temporal.client.workflow.getHandle(workflowId).terminate();
  await daybell.scheduler.replan('birthday', userId);
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['PENDING']);
  expect(brief(await daybell.reconcile())).toEqual({
    detected: {},
    repaired: { unplanned: 1 },
    unrepaired: {},
  });
});

test('an event that was set aside is an alarm at once, and blocked plans are only counted', async () => {
  const userId = await sleeper(100);
  await rows.sql(
    `insert into users.outbox (type, user_id, revision, occurred_at, set_aside_at)
     values ('UserUpdated', ?, 7, now(), now())`,
    [userId],
  );
  await rows
    .addUser({ timezone: 'Mars/Olympus' })
    .then((id) => daybell.scheduler.replan('birthday', id));
  await expect
    .poll(
      () => rows.sql('select key from events.occurrences where blocked_reason is not null'),
      WAIT,
    )
    .toHaveLength(1);

  const report = await daybell.reconcile();

  expect(brief(report)).toEqual({
    detected: { set_aside: 1 },
    repaired: {},
    unrepaired: { set_aside: 1 },
  });
  expect(report).toMatchObject({
    tried: 0,
    bystanders: { blocked: 1 },
    examples: [{ workflowId: null, subject: expect.stringMatching(/^outbox:\d+$/) }],
  });
});
