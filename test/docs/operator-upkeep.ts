/** The expected result of each command of the runbook about the installation. */
import { randomUUID } from 'node:crypto';

import { expect } from 'vitest';

import { ALL, type OperatedDaybell } from './operated-daybell.ts';
import type { People } from './operated-people.ts';
import type { ExpectedTasks } from './runbook.ts';

const WITHIN = { timeout: 60_000, interval: 100 };

export function upkeepTasks(daybell: OperatedDaybell, people: People): ExpectedTasks {
  const { variables } = daybell;
  const { statusOf, greetingsOf } = people;
  const scheduleOf = (what: string) =>
    daybell.client().schedule.getHandle(`${variables['TEMPORAL_TASK_QUEUE']}/${what}`);
  const reconcileSchedule = () => scheduleOf('reconcile');
  const timesTriggered = async (): Promise<number> =>
    (await reconcileSchedule().describe()).info.numActionsTaken;
  const outboxOf = (condition: string) =>
    daybell.sql(`select id from users.outbox where ${condition}`);
  const notErased = () =>
    daybell.sql('select user_id from users.erasures where temporal_at is null');

  let triggered = 0;
  const notNotified = () =>
    daybell.sql(
      'select id from events.occasions where ended_at is null and notified_wake_at is null',
    );

  return {
    Reconcile: [
      {
        of: 'npm run reconcile',
        given: () => people.isLost(people.soon),
        says: /^unwatched: 1 found/m,
        effect: () => expect.poll(() => statusOf(people.soon), WITHIN).toBe('RUNNING'),
      },
      {
        of: 'workflow list',
        given: async () => {
          variables['RUN'] = `${variables['TEMPORAL_TASK_QUEUE']}/reconcile-now`;
          const query = `WorkflowId = '${variables['RUN']}'`;
          const known = async () => (await daybell.client().workflow.count(query)).count;
          await expect.poll(known, WITHIN).toBeGreaterThan(0);
        },
        says: /Completed +\S+\/reconcile-/,
      },
      { of: 'workflow result', says: /"detected"[^}]*"unwatched": ?1/ },
      {
        of: 'schedule trigger',
        given: async () => {
          triggered = await timesTriggered();
        },
        effect: () => expect.poll(timesTriggered, WITHIN).toBeGreaterThan(triggered),
      },
      { of: 'schedule describe', says: /\/reconcile-\d{4}-/ },
      {
        of: 'schedule toggle',
        given: () => reconcileSchedule().pause(),
        effect: async () => expect((await reconcileSchedule().describe()).state.paused).toBe(false),
      },
    ],
    'Audit a day': [
      { of: 'npm run audit', says: /^due +[4-9]$[\s\S]*Everyone is accounted for\./m },
      { of: '/v1/audit/$DATE"', says: /"clean":true/ },
    ],
    'The outbox': [
      {
        of: 'npm run outbox',
        given: async () => {
          await people.isParked(people.asleep);
          await people.isParked(people.soon);
        },
        says: new RegExp(`UserUpdated +${people.asleep}`),
      },
      {
        of: 'retry --all',
        says: /^2 /m,
        effect: async () => {
          expect(await outboxOf('parked_at is not null')).toEqual([]);
          await expect.poll(() => outboxOf('done_at is null'), WITHIN).toEqual([]);
        },
      },
      { of: '/metrics"', says: /^daybell_outbox_parked 0$/m },
    ],
    'Erase deleted users': [
      { of: 'schedule describe', says: /\/erasure/ },
      {
        of: 'schedule trigger',
        given: async () => {
          // It would do the same by itself, minutes later.
          await scheduleOf('erasure').pause();
          await people.isDeleted();
        },
        effect: async () => {
          await expect.poll(notErased, WITHIN).toEqual([]);
          await scheduleOf('erasure').unpause();
        },
      },
      { of: '/metrics"', says: /^daybell_erasures_waiting 0$/m },
    ],
    'Drain a worker': [
      { of: 'task-queue describe', says: /activity[\s\S]*workflow|workflow[\s\S]*activity/ },
      { of: 'worker:current', says: /all of its workers get work/ },
      {
        of: 'kill -TERM',
        given: async () => {
          variables['WORKER_PID'] = String(daybell.process('worker').child.pid);
        },
        effect: async () => {
          expect(await daybell.process('worker').exited).toBe(0);
          await daybell.start('worker');
        },
      },
    ],
    'To restore': [
      {
        of: 'npm run restored',
        given: async () => {
          variables['BACKUP_TAKEN_AT'] = new Date(Date.now() - 60_000).toISOString();
          await daybell.stop(...ALL);
        },
        says: /^Noted\. .*earlier state/m,
      },
      {
        of: 'npm run reconcile',
        given: async () => {
          await daybell.start(...ALL);
        },
        says: /^The workflows, by .* at .*:$/m,
        effect: () => expect.poll(notNotified, WITHIN).toEqual([]),
      },
      { of: 'npm run audit', says: /Everyone is accounted for\./ },
      { of: 'npm run due', says: /to be sent when deliveries are resumed \(paused: restored:/ },
      { of: '/v1/deliveries/resume"', says: /"paused":false/ },
    ],
    'Move to another namespace': [
      {
        of: 'namespace create',
        given: async () => {
          variables['NEW_NAMESPACE'] = `moved-${randomUUID()}`;
        },
      },
      {
        of: 'npm run reconcile',
        given: async () => {
          await daybell.stop(...ALL);
          await daybell.moveTo(variables['NEW_NAMESPACE'] ?? '');
          await daybell.start(...ALL);
        },
        says: /^The workflows, by .* at .*:$/m,
        effect: async () => {
          await expect.poll(() => people.statusOf(people.asleep), WITHIN).toBe('RUNNING');
          expect(greetingsOf(people.owed)).toHaveLength(1);
        },
      },
      { of: 'workflow count', says: new RegExp(`Total: ${people.count}$`, 'm') },
      {
        of: 'namespace delete',
        effect: async () => {
          const gone = await daybell.run('temporal workflow count');
          expect(gone.said).toMatch(/not found|Deleted/i);
        },
      },
    ],
  };
}
