// @module-tag long
/**
 * What an operator can do to a delivery with the `temporal` command, at each moment of it:
 * whatever it is, the receiver accepts the greeting once, and next year is planned.
 */
import { execFile } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';

import { afterEach, beforeAll, expect, test } from 'vitest';

import { recordRules } from '../../src/planning/rules.ts';
import { useDaybell } from '../support/daybell.ts';
import { findDevServerProgram } from '../support/temporal.ts';
import { withStatus } from '../support/webhook-receiver.ts';
import { bundledTz } from '../support/tz-databases.ts';

const run = promisify(execFile);
const MINUTE = 60_000;
const PATIENT = { timeout: 150_000, interval: 100 };

const daybell = useDaybell({ dispatches: false });
let program: string;
beforeAll(async () => {
  program = await findDevServerProgram();
});
afterEach(async () => {
  daybell.receiver.answer(withStatus(200));
  await daybell.dispatcher.stop();
});

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

test('while it sleeps, each lever: sent once at its instant', { timeout: 300_000 }, async () => {
  await daybell.dispatcher.start();
  // Before its first task there is nothing to reset it to.
  const { 'workflow reset': _, ...levers } = OF_WORKFLOW;
  const users = await usersDue(levers);

  for (const user of users) await pullAll(user);

  await ofEach(users, expectDoneOnce);
  await ofEach(users, ({ userId, dueAt }) => {
    expect(daybell.greetingsOf(userId)).toHaveLength(1);
    expect(daybell.greetingsOf(userId)[0]?.at).toBeGreaterThanOrEqual(dueAt);
  });
});

test('while the request is on the wire, each lever: sent once', { timeout: 300_000 }, async () => {
  const held: ServerResponse[] = [];
  daybell.receiver.answer((response) => held.push(response));
  const users = await usersDue({ ...OF_WORKFLOW, ...OF_ACTIVITY });
  await ofEach(users, ({ userId }) =>
    expect.poll(() => daybell.greetingsOf(userId), PATIENT).toHaveLength(1),
  );

  for (const user of users) await pullAll(user);
  daybell.receiver.answer(withStatus(200));
  for (const response of held) response.end();

  await ofEach(users, expectDoneOnce);
  await ofEach(users, ({ userId }) => expect(daybell.greetingsOf(userId)).toHaveLength(1));
});

test(
  'while it waits for its next attempt, each lever: accepted once',
  { timeout: 300_000 },
  async () => {
    daybell.receiver.answer(withStatus(500));
    const { 'workflow terminate': _, ...ofWorkflow } = OF_WORKFLOW;
    const users = await usersDue({ ...ofWorkflow, ...OF_ACTIVITY });
    // The pauses between attempts are ten seconds by then.
    await ofEach(users, ({ userId }) =>
      expect.poll(() => daybell.greetingsOf(userId), PATIENT).toHaveLength(4),
    );

    for (const user of users) await pullAll(user);
    daybell.receiver.answer(withStatus(200));

    await ofEach(users, expectDoneOnce);
  },
);

interface LeveredUser {
  readonly lever: string;
  readonly commands: readonly string[][];
  readonly userId: string;
  /** Epoch ms. */
  readonly dueAt: number;
}

/** Each has a lever of its own; all are due at the first full minute that leaves time for it. */
async function usersDue(levers: Record<string, string[][]>): Promise<LeveredUser[]> {
  const dueAt = Math.ceil((Date.now() + 0.75 * MINUTE) / MINUTE) * MINUTE;
  const due = new Date(dueAt).toISOString();
  const rules = { leapDayPolicy: 'feb28', tzVersion: bundledTz.version } as const;
  await recordRules(daybell.api.database.orm.em.fork(), { localTime: due.slice(11, 16), ...rules });
  return Promise.all(
    Object.entries(levers).map(async ([lever, commands]) => {
      const dateOfBirth = `1992${due.slice(4, 10)}`;
      const userId = await daybell.createUser({ dateOfBirth, timezone: 'Etc/UTC' });
      return { lever, commands, userId, dueAt };
    }),
  );
}

/** What comes of each; what goes wrong says by which lever. */
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
async function pullAll({ commands, userId }: LeveredUser): Promise<void> {
  const { workflowId } = daybell.workflowOf(userId);
  const target = ['--workflow-id', workflowId, '--address', daybell.temporal.address];
  const isolated = ['--disable-config-file', '--disable-config-env'];
  for (const command of commands) {
    const { raw } = await daybell.workflowOf(userId).describe();
    const activity = command.includes(ACTIVITY_ID)
      ? [raw.pendingActivities?.[0]?.activityId ?? '']
      : [];
    await run(program, [...command, ...activity, ...target, ...isolated]);
  }
}

/** COMPLETED, accepted once, and the next is planned. */
async function expectDoneOnce({ userId }: LeveredUser): Promise<void> {
  await expect.poll(() => daybell.ledgerOf(userId), PATIENT).toEqual(['COMPLETED', 'PENDING']);
  const accepted = await daybell.api.sql(
    `select number from events.attempts where status = 200 and occurrence_key like ?`,
    [`birthday:${userId}:%`],
  );
  expect(accepted).toHaveLength(1);
}
