// @module-tag long
/**
 * What an operator can do to a delivery with the `temporal` command, at each moment of it:
 * whatever it is, the receiver accepts the greeting once, and next year is planned.
 */
import { execFile } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, type ExpectStatic, test, type TestContext } from 'vitest';

import { type InstantDaybell, startInstantDaybell } from '../support/instant-daybell.ts';
import { findDevServerProgram, type TestTemporal, useDevServer } from '../support/temporal.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const run = promisify(execFile);
const PATIENT = { timeout: 150_000, interval: 100 };

let temporal: TestTemporal;
let program: string;
beforeAll(async () => {
  [temporal, program] = await Promise.all([useDevServer(), findDevServerProgram()]);
});
afterAll(() => temporal.close());

const RESET = ['workflow', 'reset', '--reason', 'test', '--type', 'FirstWorkflowTask'];
const TERMINATE = ['workflow', 'terminate', '--reason', 'test'];
const CANCEL = ['workflow', 'cancel'];
const SIGNAL = ['workflow', 'signal', '--name', 'changed'];
const OF_WORKFLOW = {
  'workflow reset': [RESET],
  'workflow terminate': [TERMINATE],
  'workflow cancel, twice': [CANCEL, CANCEL],
  'workflow signal, three times': [SIGNAL, SIGNAL, SIGNAL],
};
const ACTIVITY_ID = '--activity-id';
const OF_ACTIVITY = {
  'activity pause, and unpause': [
    ['activity', 'pause', ACTIVITY_ID],
    ['activity', 'unpause', ACTIVITY_ID],
  ],
  'activity reset': [['activity', 'reset', ACTIVITY_ID]],
  'activity update-options with a timeout of a second': [
    ['activity', 'update-options', '--start-to-close-timeout', '1s', ACTIVITY_ID],
  ],
};

/** Each has its own Daybell, and waits for its own instant: side by side. */
describe.concurrent('each lever', { timeout: 300_000 }, () => {
  test('while it sleeps: sent once at its instant', async ({ expect, onTestFinished }) => {
    const daybell = await start(onTestFinished);
    await daybell.dispatcher.start();
    // Before its first task there is nothing to reset it to.
    const { 'workflow reset': _, ...levers } = OF_WORKFLOW;
    // Time enough for all commands.
    const users = await usersDue(daybell, levers, 30_000);

    await ofEach(users, (user) => pullAll(daybell, user));

    await ofEach(users, (user) => expectDoneOnce(expect, daybell, user));
    await ofEach(users, ({ userId, dueAt }) => {
      expect(daybell.greetingsOf(userId)).toHaveLength(1);
      expect(daybell.greetingsOf(userId)[0]?.at).toBeGreaterThanOrEqual(dueAt);
    });
  });

  test('while the request is in flight: sent once', async ({ expect, onTestFinished }) => {
    const daybell = await start(onTestFinished);
    const held: ServerResponse[] = [];
    daybell.receiver.answer((response) => held.push(response));
    const users = await usersDue(daybell, { ...OF_WORKFLOW, ...OF_ACTIVITY });
    await ofEach(users, ({ userId }) =>
      expect.poll(() => daybell.greetingsOf(userId), PATIENT).toHaveLength(1),
    );

    await ofEach(users, (user) => pullAll(daybell, user));
    daybell.receiver.answer(withStatus(200));
    for (const response of held) response.end();

    await ofEach(users, (user) => expectDoneOnce(expect, daybell, user));
    await ofEach(users, ({ userId }) => expect(daybell.greetingsOf(userId)).toHaveLength(1));
  });

  test('while it waits for its next attempt: accepted once', async ({ expect, onTestFinished }) => {
    const daybell = await start(onTestFinished);
    daybell.receiver.answer(withStatus(500));
    const { 'workflow terminate': _, ...ofWorkflow } = OF_WORKFLOW;
    const users = await usersDue(daybell, { ...ofWorkflow, ...OF_ACTIVITY });
    // The pauses between attempts are ten seconds by then.
    await ofEach(users, ({ userId }) =>
      expect.poll(() => daybell.greetingsOf(userId).length, PATIENT).toBeGreaterThanOrEqual(4),
    );

    await ofEach(users, (user) => pullAll(daybell, user));
    daybell.receiver.answer(withStatus(200));

    await ofEach(users, (user) => expectDoneOnce(expect, daybell, user));
  });
});

async function start(whenFinished: TestContext['onTestFinished']): Promise<InstantDaybell> {
  const daybell = await startInstantDaybell({ ...temporal, dispatches: false });
  whenFinished(daybell.stop);
  return daybell;
}

interface LeveredUser {
  readonly lever: string;
  readonly commands: readonly string[][];
  readonly userId: string;
  /** Epoch ms. */
  readonly dueAt: number;
}

/** Each user has its own lever; all are due at the first instant this far away. */
async function usersDue(
  daybell: InstantDaybell,
  levers: Record<string, string[][]>,
  leadMs = 10_000,
): Promise<LeveredUser[]> {
  const { dateOfBirth } = daybell.instants;
  const { at: dueAt, timezone } = daybell.instants.next(leadMs);
  return Promise.all(
    Object.entries(levers).map(async ([lever, commands]) => {
      const userId = await daybell.createUser({ dateOfBirth, timezone });
      return { lever, commands, userId, dueAt };
    }),
  );
}

/** The result of each; a failure says which lever it was. */
async function ofEach(
  users: readonly LeveredUser[],
  work: (user: LeveredUser) => unknown,
): Promise<void> {
  await Promise.all(
    users.map(async (user) => {
      try {
        await work(user);
      } catch (error) {
        throw new Error(`${user.lever}: ${String(error)}`, { cause: error });
      }
    }),
  );
}

/** Runs the operator's commands on the user's workflow. */
async function pullAll(daybell: InstantDaybell, { commands, userId }: LeveredUser): Promise<void> {
  const { workflowId } = daybell.workflowOf(userId);
  const target = ['--workflow-id', workflowId, '--address', temporal.address];
  const isolated = ['--disable-config-file', '--disable-config-env'];
  for (const command of commands) {
    const { raw } = await daybell.workflowOf(userId).describe();
    const activity = command.includes(ACTIVITY_ID)
      ? [raw.pendingActivities?.[0]?.activityId ?? '']
      : [];
    await run(program, [...command, ...activity, ...target, ...isolated]);
  }
}

/** COMPLETED, accepted once, and the next one is planned. */
async function expectDoneOnce(
  expect: ExpectStatic,
  daybell: InstantDaybell,
  { userId }: LeveredUser,
): Promise<void> {
  await expect.poll(() => daybell.ledgerOf(userId), PATIENT).toEqual(['COMPLETED', 'PENDING']);
  const accepted = await daybell.api.sql(
    `select number from events.attempts where status = 200 and occurrence_key like ?`,
    [`birthday:${userId}:%`],
  );
  expect(accepted).toHaveLength(1);
}
