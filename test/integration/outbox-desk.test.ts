import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { createOutboxDesk } from '../../src/persistence/outbox-desk.ts';
import { createOutbox, createOutboxState } from '../../src/persistence/outbox-store.ts';
import type { Outbox, OutboxDesk } from '../../src/users/outbox.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runProgram } from '../support/process.ts';

let database: TestDatabase;
let outbox: Outbox;
let desk: OutboxDesk;
beforeEach(async () => {
  database = await createTestDatabase();
  outbox = createOutbox(database.orm);
  desk = createOutboxDesk(database.orm);
});
afterEach(() => database.drop());

test('what is set aside is listed with its reason, counted, and waits again when it is put back', async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  await setAside(first, 1, 'answered 3: \u001b[31mbad');
  await setAside(second, 1, 'answered 3');

  const listed = await run('list');
  expect(listed.exitCode).toBe(0);
  expect(listed.said).toMatch(/^scheduling +0 +- +2$/m);
  expect(listed.said).toMatch(
    new RegExp(
      `^\\d+ +scheduling +UserCreated +${first} +1 +\\S+Z +1 +answered 3: +\\[31mbad$`,
      'm',
    ),
  );
  expect(await createOutboxState(database.orm).backlog()).toMatchObject({ length: 0, setAside: 2 });

  const [{ id = '' } = {}] = await desk.setAside(10);
  expect((await run('retry', id, '999999')).said).toContain(
    '1 put back, to be relayed again; 1 not',
  );
  expect(await waiting()).toEqual([first]);
  expect((await run('retry', '--all')).said).toContain('1 put back');
  expect((await run()).said).toContain('nothing is set aside');
});

test('an event that is put back goes before what its user still waits for, and has failed never', async () => {
  const userId = randomUUID();
  await setAside(userId, 1);
  await publish(userId, 2);
  await desk.putBack('all');
  expect(await outbox.claim('scheduling', 10, 1_000)).toMatchObject([
    { event: { userId, revision: 1 }, failures: 0 },
  ]);
});

test('a subscriber that is no more loses what waits for it, and the others nothing', async () => {
  await outbox.subscribe('crm');
  const userId = randomUUID();
  await publish(userId, 1);
  await publish(userId, 1, 'crm');
  expect((await run('list')).said).toMatch(/^crm +1 +\d+ s +0$/m);

  expect((await run('unsubscribe', 'crm')).said).toContain('1 of its events were dropped');

  expect(await waiting()).toEqual([userId]);
  expect((await run('list')).said).not.toContain('crm');
  expect(await run('unsubscribe', 'crm')).toMatchObject({ exitCode: 1 });
  const refused = await run('unsubscribe', 'scheduling');
  expect(refused).toMatchObject({ exitCode: 1 });
  expect(refused.said).toContain('scheduling cannot be unsubscribed');
});

test('what cannot be stored of an error holds up nothing that is settled with it', async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  await setAside(first, 1, `answered\0 with ${'🎂'.repeat(600)}`);
  await setAside(second, 1, `${'x'.repeat(999)}🎂`);
  const { said } = await run('list');
  expect(said).toContain(first);
  expect(said).toContain(second);
});

test.for([
  [['retry'], 64, 'npm run outbox -- retry <id>'],
  [['retry', 'birthday:1'], 64, 'npm run outbox -- retry <id>'],
  [['list', 'all'], 64, 'npm run outbox -- list'],
  [['forget'], 64, 'npm run outbox -- list'],
] as const)('%j says nothing: it tells what would', async ([args, code, said]) => {
  const told = await run(...args);
  expect(told.exitCode).toBe(code);
  expect(told.said).toContain(said);
});

async function publish(userId: string, revision: number, subscriber = 'scheduling'): Promise<void> {
  await database.orm.em.fork().execute(
    `insert into users.outbox (subscriber, type, user_id, revision, occurred_at)
     values (?, ?, ?, ?, now())`,
    [subscriber, revision === 1 ? 'UserCreated' : 'UserUpdated', userId, revision],
  );
}

async function setAside(userId: string, revision: number, error = 'no'): Promise<void> {
  await publish(userId, revision);
  const [{ id = '', lease = '' } = {}] = await outbox.claim('scheduling', 1, 1_000);
  await outbox.settle([{ id, lease, kind: 'set-aside', error }]);
}

async function waiting(): Promise<string[]> {
  const entries = await outbox.claim('scheduling', 10, 1);
  return entries.map(({ event }) => event.userId);
}

async function run(...args: readonly string[]) {
  const program = runProgram(process.execPath, ['src/commands/outbox.ts', ...args], {
    settings: { DATABASE_URL: database.url },
  });
  const exitCode = await program.exited;
  return { exitCode, said: program.lines.join('\n') };
}
