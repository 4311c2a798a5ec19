/** The expected result of each command of the runbook about a user or a delivery. */
import { expect } from 'vitest';

import type { OperatedDaybell } from './operated-daybell.ts';
import type { People } from './operated-people.ts';
import type { ExpectedTasks } from './runbook.ts';
import { withStatus } from '../support/webhook-receiver.ts';

const WITHIN = { timeout: 60_000, interval: 100 };

export function operatorTasks(daybell: OperatedDaybell, people: People): ExpectedTasks {
  const { variables, receiver } = daybell;
  const { workflowOf, statusOf, greetingsOf } = people;
  const about = (userId: string): void => {
    variables['USER_ID'] = userId;
  };
  const waiting = async (): Promise<number> =>
    (await daybell.send('GET', '/v1/deliveries')).waiting.due;
  const scraped = async (): Promise<number> => {
    const url = `${variables['PROMETHEUS']}/api/v1/query?query=sum(up)`;
    const { data } = (await (await fetch(url)).json()) as {
      data: { result: { value: [number, string] }[] };
    };
    return Number(data.result[0]?.value[1] ?? 0);
  };
  const terminatedRun = () => people.terminatedRunOf(people.asleep);
  const pausedActivity = async (userId: string): Promise<boolean> =>
    (await workflowOf(userId).describe()).raw.pendingActivities?.[0]?.paused === true;
  const signalsOf = async (userId: string): Promise<number> => {
    const { events } = await workflowOf(userId).fetchHistory();
    const names = events?.map(
      (event) => event.workflowExecutionSignaledEventAttributes?.signalName,
    );
    return names?.filter((name) => name === 'changed').length ?? 0;
  };

  return {
    'The first five minutes': [
      { of: '/readyz"', says: /"ready":true/ },
      {
        of: "'query=up'",
        given: () => expect.poll(scraped, WITHIN).toBe(4),
        says: /(?=.*"job":"api")(?=.*"job":"scheduler")/,
      },
      { of: 'ALERTS', says: /"status":"success"/ },
      { of: 'ps -eo', says: /src\/planning\/main/ },
      { of: '/v1/deliveries"', says: /"paused":false/ },
      { of: 'npm run forecast', says: /due/ },
    ],
    "Find a user's workflow": [
      {
        of: '/v1/users?externalId=',
        given: async () => about(people.asleep),
        says: new RegExp(`"id":"${people.asleep}"`),
      },
      { of: 'workflow describe', says: new RegExp(`WorkflowId +birthday/${people.asleep}`) },
      { of: 'workflow list', says: new RegExp(`Running +birthday/${people.asleep}`) },
    ],
    'See why it waits': [
      {
        of: 'workflow metadata',
        given: () => people.wake(people.asleep),
        says: /Asleep until .* birthday:/,
      },
      { of: '--name status', says: /"waitingFor": ?"instant"/ },
      { of: 'workflow show', says: /TimerStarted/ },
      {
        of: '/v1/users/$USER_ID/occurrences',
        says: /"status":"PENDING"/,
        effect: async () => {
          variables['KEY'] = await people.keyOf(people.asleep);
        },
      },
      { of: '/v1/occurrences/$KEY', says: /"attempts":\[\]/ },
    ],
    'Wake it': [
      {
        of: '--signal-name changed',
        effect: () => expect.poll(() => signalsOf(people.asleep), WITHIN).toBe(2),
      },
    ],
    'Pause and resume deliveries': [
      { of: '/v1/deliveries"', says: /"paused":false/ },
      {
        of: '/v1/deliveries/pause"',
        says: /"paused":true.*"pauseReason":"receiver maintenance"/,
        effect: async () => {
          await people.comesDue(people.owed);
          await expect.poll(waiting, WITHIN).toBe(1);
          expect(greetingsOf(people.owed)).toEqual([]);
        },
      },
      { of: 'npm run due', says: new RegExp(`^birthday:${people.owed}:[\\s\\S]*^1 due`, 'm') },
      {
        of: '/v1/deliveries/resume"',
        says: /"paused":false/,
        effect: () => expect.poll(() => greetingsOf(people.owed).length, WITHIN).toBe(1),
      },
    ],
    'Pause one activity': [
      {
        of: 'activity pause',
        given: async () => {
          about(people.soon);
          receiver.answer(withStatus(503));
          await people.comesDue(people.soon);
          // From then on deliver waits for the next attempt: an earlier check would find nothing
          // due.
          await expect.poll(() => greetingsOf(people.soon).length, WITHIN).toBeGreaterThan(0);
          await people.wake(people.soon);
          await expect.poll(() => people.isBeingDelivered(people.soon), WITHIN).toBe(true);
        },
        effect: () => expect.poll(() => pausedActivity(people.soon), WITHIN).toBe(true),
      },
      {
        of: 'activity unpause',
        effect: async () => {
          await expect.poll(() => pausedActivity(people.soon), WITHIN).toBe(false);
          receiver.answer(withStatus(200));
          await daybell.send('POST', '/v1/deliveries/resume');
          await expect.poll(() => people.statesOf(people.soon), WITHIN).toContain('COMPLETED');
        },
      },
    ],
    Redeliver: [
      {
        of: '?status=FAILED"',
        given: async () => {
          receiver.answer(withStatus(400));
          for (const userId of people.refused) await people.comesDue(userId);
          for (const userId of people.refused) {
            await expect.poll(() => people.statesOf(userId), WITHIN).toContain('FAILED');
          }
          receiver.answer(withStatus(200));
          variables['KEY'] = await people.keyOf(people.refused[0], 'FAILED');
        },
        says: new RegExp(people.refused.map((userId) => `(?=[\\s\\S]*${userId})`).join('')),
      },
      {
        of: '/v1/occurrences/$KEY/redeliver"',
        says: /"redeliveries":1/,
        effect: () =>
          expect.poll(() => people.statesOf(people.refused[0]), WITHIN).toContain('COMPLETED'),
      },
      { of: '"dryRun": true', says: /"matching":2\b/ },
      {
        of: '"reason": "refused" }',
        says: /"redelivered":2\b/,
        effect: async () => {
          for (const userId of people.refused) {
            await expect.poll(() => people.statesOf(userId), WITHIN).toContain('COMPLETED');
            const ids = greetingsOf(userId).map(({ id }) => id);
            expect(ids).toHaveLength(2);
            expect(new Set(ids).size).toBe(1);
          }
        },
      },
    ],
    'Terminate a workflow': [
      {
        of: 'workflow terminate',
        given: async () => about(people.asleep),
        effect: () => expect.poll(() => statusOf(people.asleep), WITHIN).toBe('TERMINATED'),
      },
      {
        of: 'workflow start',
        effect: async () => {
          expect(await statusOf(people.asleep)).toBe('RUNNING');
          await expect.poll(() => people.waitsFor(people.asleep), WITHIN).toBe('instant');
        },
      },
    ],
    'See who ended workflows': [
      {
        of: 'workflow list',
        given: async () => {
          await expect.poll(terminatedRun, WITHIN).not.toBeNull();
          variables['RUN_ID'] = (await terminatedRun()) ?? '';
        },
        says: new RegExp(`"workflowId": "birthday/${people.asleep}",\\s+"runId": "`),
      },
      { of: 'workflow show', says: /"reason": "stuck"[\s\S]*"identity": "/ },
    ],
  };
}
