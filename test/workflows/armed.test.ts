import type { ServerResponse } from 'node:http';

import { afterEach, expect, test } from 'vitest';

import { createActivityReporter } from '../../src/temporal/activity-reporter.ts';
import { useDaybell } from '../support/daybell.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const DAY = 86_400_000;
/** Of a pending activity: PENDING_ACTIVITY_STATE_STARTED. */
const STARTED = 2;
const WAIT = { timeout: 60_000, interval: 50 };

/**
 * On a real server, whose time can't be moved: deliveries are armed 20 days ahead, and it
 * is the sender's and the database's clock that says when it is 9:00.
 */
const daybell = useDaybell({ armLeadMs: 20 * DAY });
afterEach(async () => {
  daybell.receiver.answer(withStatus(200));
  await daybell.clock.set(Date.now());
  await daybell.deleteAllUsers();
});

test('a user who is asleep costs Temporal less than 3 KB', async () => {
  const userId = await daybell.createUser(birthdayIn(60));
  expect(await daybell.statusOf(userId)).toMatchObject({ waitingFor: 'arming' });

  const { historySize } = await daybell.workflowOf(userId).describe();

  expect(historySize).toBeLessThan(3 * 1024);
  expect(historySize).toBeGreaterThan(0);
});

test('an armed delivery is made at its instant, and the workflow begins again for next year', async () => {
  const { userId, fireAt } = await armedUserInTokyo();
  expect(await daybell.statusOf(userId)).toMatchObject({ waitingFor: 'delivery' });

  await daybell.clock.set(fireAt);

  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  expect(instantsOf(userId)).toEqual([fireAt]);
  const runs = await daybell.historiesOf(userId);
  expect(runs).toHaveLength(2);
  const next = await daybell.statusOf(userId);
  expect(next).toMatchObject({ waitingFor: 'arming', revision: 1 });
  expect(Date.parse(next.fireAt ?? '')).toBeGreaterThan(fireAt);
});

test('an armed delivery is taken back by a change of zone, and made at the new instant, once', async () => {
  const { userId, fireAt } = await armedUserInTokyo();

  await daybell.changeUser(userId, { timezone: 'America/Bogota' });

  const moved = fireAt + 14 * (DAY / 24);
  const status = await daybell.statusOf(userId);
  expect(status).toMatchObject({ waitingFor: 'delivery', fireAt: new Date(moved).toISOString() });
  await daybell.clock.set(moved);
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  expect(instantsOf(userId)).toEqual([moved]);
});

test('a delivery that is armed again at once leaves only the new activity open', async () => {
  const { userId } = await armedUserInTokyo();

  await daybell.changeUser(userId, { timezone: 'America/Bogota' });
  await daybell.changeUser(userId, { timezone: 'Asia/Tokyo' });

  expect(await daybell.statusOf(userId)).toMatchObject({ waitingFor: 'delivery', revision: 3 });
  await expect.poll(() => openActivities(userId), WAIT).toEqual([STARTED]);
  const { fireAt } = await daybell.statusOf(userId);
  await daybell.clock.set(Date.parse(fireAt ?? ''));
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  expect(instantsOf(userId)).toEqual([Date.parse(fireAt ?? '')]);
  await expectNothingUntold();
});

test('a delivery that is planned again in the same instant leaves only the new activity open', async () => {
  const { userId, fireAt } = await armedUserInTokyo();

  for (let times = 0; times < 5; times += 1) {
    await daybell.scheduler.replan('birthday', userId);
    expect(await daybell.statusOf(userId)).toMatchObject({ waitingFor: 'delivery' });
  }

  const [events = []] = await daybell.historiesOf(userId);
  expect(events.filter((event) => event.activityTaskScheduledEventAttributes).length).toBe(6);
  await expect.poll(() => openActivities(userId), WAIT).toEqual([STARTED]);
  await daybell.clock.set(fireAt);
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  expect(instantsOf(userId)).toEqual([fireAt]);
  await expectNothingUntold();
});

test('a delivery that is removed, since its new day has passed, leaves no activity open', async () => {
  const { userId, fireAt } = await armedUserInTokyo();
  const yesterday = new Date(Date.now() - DAY).toISOString();

  await daybell.changeUser(userId, { dateOfBirth: `1990${monthAndDay(yesterday)}` });

  await expect.poll(() => openActivities(userId), WAIT).toEqual([]);
  expect(await daybell.ledgerOf(userId)).toEqual(['PENDING']);
  const asleep = await daybell.statusOf(userId);
  expect(asleep).toMatchObject({ waitingFor: 'arming', revision: 2 });
  expect(Date.parse(asleep.fireAt ?? '')).toBeGreaterThan(fireAt);
  await expectNothingUntold();
  // The workflow goes on.
  await daybell.changeUser(userId, { timezone: 'America/Bogota' });
  expect(await daybell.statusOf(userId)).toMatchObject({ timezone: 'America/Bogota', revision: 3 });
});

test('a delivery taken back for another month leaves a sleeping workflow, and its late completion does no harm', async () => {
  const { userId, fireAt } = await armedUserInTokyo();
  const [row] = await daybell.api.sql<{ task_token: Buffer; key: string }>(
    'select task_token, key from events.occurrences where user_id = ?',
    [userId],
  );
  const later = new Date(fireAt + 100 * DAY).toISOString();

  await daybell.changeUser(userId, { dateOfBirth: `1990${monthAndDay(later)}` });
  const asleep = await daybell.statusOf(userId);
  await createActivityReporter(daybell.temporal.client).complete(row?.task_token ?? Buffer.of(), {
    occurrenceKey: row?.key ?? '',
    outcome: 'released',
  });

  await expect.poll(() => openActivities(userId), WAIT).toEqual([]);
  expect(asleep).toMatchObject({ waitingFor: 'arming', revision: 2 });
  expect(await daybell.statusOf(userId)).toEqual(asleep);
});

test('an armed delivery of a deleted user is never made', async () => {
  const { userId, fireAt } = await armedUserInTokyo();

  await daybell.deleteUser(userId);

  await daybell.workflowOf(userId).result();
  expect(await openActivities(userId)).toEqual([]);
  await daybell.clock.set(fireAt);
  expect(await daybell.ledgerOf(userId)).toEqual(['SKIPPED']);
  expect(instantsOf(userId)).toEqual([]);
  await expectNothingUntold();
});

test('a change while the request is on the wire awaits its outcome: greeted once, next year in the new zone', async () => {
  const { userId, fireAt } = await armedUserInTokyo();
  const answer = holdAnswers();
  await daybell.clock.set(fireAt);
  await expect.poll(() => instantsOf(userId), WAIT).toEqual([fireAt]);

  await daybell.changeUser(userId, { timezone: 'America/Bogota' });
  const meanwhile = await daybell.statusOf(userId);
  answer();

  expect(meanwhile.waitingFor).toBe('delivery');
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  const next = await daybell.statusOf(userId);
  expect(next).toMatchObject({ revision: 2, timezone: 'America/Bogota' });
  expect(next.fireAt).toMatch(/T14:00:00.000Z$/);
  expect(instantsOf(userId)).toEqual([fireAt]);
});

test('a deletion while the request is on the wire lets it end, and then the workflow', async () => {
  const { userId, fireAt } = await armedUserInTokyo();
  const answer = holdAnswers();
  await daybell.clock.set(fireAt);
  await expect.poll(() => instantsOf(userId), WAIT).toEqual([fireAt]);

  await daybell.deleteUser(userId);
  answer();

  await daybell.workflowOf(userId).result();
  expect(await daybell.ledgerOf(userId)).toEqual(['COMPLETED']);
});

test('a workflow that was terminated is made again, and the delivery that was armed is made once', async () => {
  const { userId, fireAt } = await armedUserInTokyo();
  await daybell.workflowOf(userId).terminate('by mistake');

  await daybell.scheduler.replan('birthday', userId);
  await expect.poll(() => daybell.statusOf(userId), WAIT).toMatchObject({ waitingFor: 'delivery' });
  await daybell.clock.set(fireAt);

  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  expect(instantsOf(userId)).toEqual([fireAt]);
});

test('a workflow that is made again while the request is on the wire waits for it', async () => {
  const { userId, fireAt } = await armedUserInTokyo();
  const answer = holdAnswers();
  await daybell.clock.set(fireAt);
  await expect.poll(() => instantsOf(userId), WAIT).toEqual([fireAt]);
  await daybell.workflowOf(userId).terminate('by mistake');

  await daybell.scheduler.replan('birthday', userId);
  const meanwhile = await daybell.statusOf(userId);
  answer();
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED']);
  await daybell.workflowOf(userId).signal('replan');

  expect(meanwhile).toMatchObject({ waitingFor: 'delivery', fireAt: null });
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  expect(instantsOf(userId)).toEqual([fireAt]);
});

test('a message that comes twice, or late, changes nothing', async () => {
  const { userId } = await armedUserInTokyo();
  await daybell.changeUser(userId, { timezone: 'America/Bogota' });
  const before = await daybell.statusOf(userId);

  await daybell.scheduler.userChanged('birthday', { userId, revision: 2 });
  await daybell.scheduler.userDeleted('birthday', { userId, revision: 1 });

  expect(await daybell.statusOf(userId)).toEqual(before);
  const [events = []] = await daybell.historiesOf(userId);
  expect(events.filter((event) => event.markerRecordedEventAttributes)).toHaveLength(2);
});

test('signals sent by hand without a revision plan again, and break nothing', async () => {
  const { userId } = await armedUserInTokyo();

  await daybell.workflowOf(userId).signal('userChanged');
  await daybell.workflowOf(userId).signal('userChanged', null);

  expect(await daybell.statusOf(userId)).toMatchObject({ waitingFor: 'delivery', revision: 1 });
});

/** A user whose birthday is ten days from now, 9:00 in Tokyo, with its delivery armed. */
async function armedUserInTokyo(): Promise<{ userId: string; fireAt: number }> {
  const userId = await daybell.createUser(birthdayIn(10));
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['PROCESSING']);
  const { fireAt } = await daybell.statusOf(userId);
  return { userId, fireAt: Date.parse(fireAt ?? '') };
}

/** A date that every year has, so many days from now; 9:00 in Tokyo is 00:00Z. */
function birthdayIn(days: number): { dateOfBirth: string; timezone: string } {
  const date = new Date(Date.now() + days * DAY).toISOString();
  return { dateOfBirth: `1990${monthAndDay(date)}`, timezone: 'Asia/Tokyo' };
}

/** `-MM-DD`, of a day that every year has. */
function monthAndDay(instant: string): string {
  return instant.slice(4, 10).replace('02-29', '03-01');
}

/** The receiver takes requests and says nothing, until what this gives is called. */
function holdAnswers(): () => void {
  const held: ServerResponse[] = [];
  daybell.receiver.answer((response) => held.push(response));
  return () => {
    daybell.receiver.answer(withStatus(200));
    for (const response of held) response.end();
  };
}

/** Epoch ms. */
function instantsOf(userId: string): number[] {
  return daybell.greetingsOf(userId).map(({ body }) => Date.parse(body.data.scheduledFor));
}

/** The states that the Web UI shows, by Temporal's enum; one that waits in vain is 3, cancel requested. */
async function openActivities(userId: string): Promise<unknown[]> {
  const { raw } = await daybell.workflowOf(userId).describe();
  return (raw.pendingActivities ?? []).map(({ state }) => state);
}

/** Of all that the ledger has to tell Temporal. */
function expectNothingUntold(): Promise<void> {
  const untold = `select key from events.occurrences where report is not null
    union all select occurrence_key from events.stale_tokens`;
  return expect.poll(() => daybell.api.sql(untold), WAIT).toEqual([]);
}
