/**
 * What an operator can do to a delivery with the `temporal` command, at each moment of it:
 * whatever it is, the receiver accepts the greeting once, and next year is planned.
 */
import { execFile } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';

import { afterEach, beforeAll, expect, test } from 'vitest';

import { useDaybell } from '../support/daybell.ts';
import { findDevServerProgram } from '../support/temporal.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const run = promisify(execFile);
const DAY = 86_400_000;
const WAIT = { timeout: 60_000, interval: 50 };

// Armed long before, since the server's time can't be moved; Daybell's own clocks can.
const daybell = useDaybell({ armLeadMs: 20 * DAY });
let program: string;
beforeAll(async () => {
  program = await findDevServerProgram();
});
afterEach(async () => {
  daybell.receiver.answer(withStatus(200));
  await daybell.clock.set(Date.now());
  await daybell.deleteAllUsers();
});

/** As the server's API numbers them. */
const ACTIVITY_STATE_SCHEDULED = 1;
const ACTIVITY_STATE_STARTED = 2;

const RESET = ['workflow', 'reset', '--reason', 'test', '--type', 'FirstWorkflowTask'];
const TERMINATE = ['workflow', 'terminate', '--reason', 'test'];
const ACTIVITY = ['--activity-type', 'deliver'];
/** Stands for the option that this command wants in the place of the type. */
const ACTIVITY_ID = '--activity-id';
const LEVERS: Record<string, readonly string[][]> = {
  'activity pause, and unpause': [
    ['activity', 'pause', ...ACTIVITY],
    ['activity', 'unpause', ...ACTIVITY],
  ],
  'activity reset': [['activity', 'reset', ...ACTIVITY]],
  'activity reset of its attempts': [['activity', 'reset', ...ACTIVITY, '--reset-attempts']],
  'activity update-options with a timeout of a second': [
    ['activity', 'update-options', ACTIVITY_ID, '--start-to-close-timeout', '1s'],
  ],
  'workflow reset': [RESET],
  'workflow terminate': [TERMINATE],
};

test('while armed, each lever: sent once at its instant', async () => {
  const users = await leveredUsers();

  await ofEach(users, pullAll);

  await daybell.clock.set(dueAt(users));
  await ofEach(users, expectDoneOnce);
  expect(await ofEach(users, ({ userId }) => instantsOf(userId))).toEqual(
    await ofEach(users, ({ fireAt }) => [fireAt]),
  );
});

test('while the request is on the wire, each lever: sent once', async () => {
  const users = await leveredUsers();
  const answer = holdAnswers();
  await daybell.clock.set(dueAt(users));
  await ofEach(users, ({ userId }) => expect.poll(() => instantsOf(userId), WAIT).toHaveLength(1));

  await ofEach(users, pullAll);

  answer();
  await ofEach(users, expectDoneOnce);
  expect(await ofEach(users, ({ userId }) => instantsOf(userId))).toEqual(
    await ofEach(users, ({ fireAt }) => [fireAt]),
  );
});

test('while Temporal waits to try again, each lever: accepted once', async () => {
  const users = await leveredUsers();
  daybell.receiver.answer(withStatus(500));
  await daybell.clock.set(dueAt(users));
  await untilTemporalRetries(users);

  await ofEach(users, pullAll);

  const failed = await ofEach(users, ({ userId }) => instantsOf(userId).length);
  daybell.receiver.answer(withStatus(200));
  // Past the pause that the ledger asks for, if not past Temporal's own.
  await daybell.clock.set(dueAt(users) + DAY / 24);
  await ofEach(users, expectDoneOnce);
  await ofEach(users, ({ lever, userId }) =>
    expect(instantsOf(userId).length).toBeGreaterThan(failed[lever] ?? Infinity),
  );
  expect(await ofEach(users, ({ userId }) => acceptedOf(userId))).toEqual(
    await ofEach(users, () => 1),
  );
});

test('activity pause holds Temporal’s retries, but not what is armed: that is what pausing deliveries is for', async () => {
  const user = await armedUser();
  await pull(['activity', 'pause', ...ACTIVITY], user.userId);
  daybell.receiver.answer(withStatus(500));
  await daybell.clock.set(user.fireAt);
  await expect.poll(() => instantsOf(user.userId), WAIT).toHaveLength(1);
  await daybell.clock.set(user.fireAt + DAY / 24);
  await expect.poll(() => pausedOf(user.userId), WAIT).toBe(true);

  daybell.receiver.answer(withStatus(200));
  await pull(['activity', 'unpause', ...ACTIVITY], user.userId);

  await expectDoneOnce({ ...user, commands: [] });
  expect(await acceptedOf(user.userId)).toBe(1);
});

test('workflow reset after a delivery plans next year again, and sends nothing', async () => {
  const user = await armedUser();
  await daybell.clock.set(user.fireAt);
  await expect.poll(() => daybell.ledgerOf(user.userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  const before = await daybell.statusOf(user.userId);

  await pull(RESET, user.userId);

  expect(await daybell.statusOf(user.userId)).toMatchObject({ fireAt: before.fireAt });
  expect(await daybell.ledgerOf(user.userId)).toEqual(['COMPLETED', 'PENDING']);
  expect(instantsOf(user.userId)).toEqual([user.fireAt]);
});

interface ArmedUser {
  readonly userId: string;
  /** Epoch ms. */
  readonly fireAt: number;
}

/** Each has a lever of its own: all are pulled at the same moment. */
interface LeveredUser extends ArmedUser {
  readonly lever: string;
  readonly commands: readonly string[][];
}

function leveredUsers(): Promise<LeveredUser[]> {
  return Promise.all(
    Object.entries(LEVERS).map(async ([lever, commands]) => {
      const { userId, fireAt } = await armedUser();
      return { lever, commands, userId, fireAt };
    }),
  );
}

/** All are due at one instant. */
function dueAt(users: readonly ArmedUser[]): number {
  return Math.max(...users.map(({ fireAt }) => fireAt));
}

/** What comes of each, by its lever; what goes wrong says by which. */
async function ofEach<Result>(
  users: readonly LeveredUser[],
  work: (user: LeveredUser) => Result | Promise<Result>,
): Promise<Record<string, Result>> {
  const results = users.map(async (user) => {
    try {
      return [user.lever, await work(user)] as const;
    } catch (error) {
      throw new Error(`${user.lever}: ${String(error)}`, { cause: error });
    }
  });
  return Object.fromEntries(await Promise.all(results));
}

async function pullAll({ commands, userId }: LeveredUser): Promise<void> {
  for (const command of commands) await pull(command, userId);
}

/** The birthday is in ten days, at 9:00 in Tokyo. */
async function armedUser(): Promise<ArmedUser> {
  const date = new Date(Date.now() + 10 * DAY).toISOString().slice(4, 10);
  const dateOfBirth = `1990${date.replace('02-29', '03-01')}`;
  const userId = await daybell.createUser({ dateOfBirth, timezone: 'Asia/Tokyo' });
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['PROCESSING']);
  const { fireAt } = await daybell.statusOf(userId);
  return { userId, fireAt: Date.parse(fireAt ?? '') };
}

/** Runs the operator's command on the user's workflow. */
async function pull(command: readonly string[], userId: string): Promise<void> {
  const { workflowId } = daybell.workflowOf(userId);
  const target = ['--workflow-id', workflowId, '--address', daybell.temporal.address];
  const isolated = ['--disable-config-file', '--disable-config-env'];
  const activityId = (await pendingOf(userId))?.activityId ?? '';
  const named = command.flatMap((word) => (word === ACTIVITY_ID ? [word, activityId] : [word]));
  await run(program, [...named, ...target, ...isolated]);
}

/** The burst from the ledger is over, and the activity is in Temporal's backoff. */
async function untilTemporalRetries(users: readonly LeveredUser[]): Promise<void> {
  for (let attempts = 1; attempts <= 4; attempts++) {
    await ofEach(users, ({ userId }) =>
      expect.poll(() => instantsOf(userId), WAIT).toHaveLength(attempts),
    );
    await daybell.clock.set(dueAt(users) + attempts * 5_000);
  }
  await ofEach(users, ({ userId }) =>
    expect.poll(async () => (await pendingOf(userId))?.state, WAIT).toBe(ACTIVITY_STATE_SCHEDULED),
  );
}

/** COMPLETED, and the next is planned; a workflow that was terminated is made again for that. */
async function expectDoneOnce({
  userId,
  commands,
}: Pick<LeveredUser, 'userId' | 'commands'>): Promise<void> {
  if (commands.includes(TERMINATE)) await daybell.scheduler.replan('birthday', userId);
  await expect.poll(async () => (await daybell.ledgerOf(userId))[0], WAIT).toBe('COMPLETED');
  await expect.poll(() => daybell.ledgerOf(userId), WAIT).toEqual(['COMPLETED', 'PENDING']);
  await expect.poll(() => daybell.statusOf(userId), WAIT).toMatchObject({ waitingFor: 'arming' });
  await expect.poll(() => pendingOf(userId), WAIT).toBeUndefined();
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

/** Of each request that the receiver got, in epoch ms. */
function instantsOf(userId: string): number[] {
  return daybell.greetingsOf(userId).map(({ body }) => Date.parse(body.data.scheduledFor));
}

async function acceptedOf(userId: string): Promise<number> {
  const accepted = await daybell.api.sql(
    `select number from events.attempts
     where status = 200 and occurrence_key like ?`,
    [`birthday:${userId}:%`],
  );
  return accepted.length;
}

async function pendingOf(userId: string) {
  const { raw } = await daybell.workflowOf(userId).describe();
  return raw.pendingActivities?.[0];
}

async function pausedOf(userId: string): Promise<boolean> {
  const pending = await pendingOf(userId);
  return pending?.paused === true && pending.state !== ACTIVITY_STATE_STARTED;
}
