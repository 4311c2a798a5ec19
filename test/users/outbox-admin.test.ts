import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { createOutbox, createOutboxAdmin, type Outbox } from '../../src/users/outbox.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runProgram } from '../support/process.ts';
import { type CommandRun, runHere } from '../support/run-here.ts';

const COMMAND = 'src/cli/outbox.ts';

let database: TestDatabase;
let outbox: Outbox;
beforeEach(async () => {
  database = await createTestDatabase();
  outbox = createOutbox(database.orm);
});
afterEach(() => database.drop());

test('parked entries are listed with their reasons, counted, and wait again after a retry', async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  await park(first, 'answered 3: \u001b[31mbad');
  await park(second, 'answered 3');

  const list = runProgram(process.execPath, [COMMAND, 'list'], {
    settings: { DATABASE_URL: database.url },
  });
  expect(await list.exited).toBe(0);
  const listed = list.lines.join('\n');
  expect(listed).toMatch(/^0 waiting; 2 parked$/m);
  expect(listed).toMatch(
    new RegExp(`^\\d+ +UserCreated +${first} +1 +\\S+Z +1 +answered 3: +\\[31mbad$`, 'm'),
  );
  expect(await createOutboxAdmin(database.orm).backlog()).toMatchObject({ length: 0, parked: 2 });

  const [{ id = '' } = {}] = await createOutboxAdmin(database.orm).listParked(10);
  expect((await run('retry', id, '999999')).text).toContain('1 will be planned again; 1 not');
  expect(await outbox.claim(10, 1)).toMatchObject([{ userId: first, failures: 0 }]);
  expect((await run('retry', '--all')).text).toContain('1 will be planned again');
  expect((await run()).text).toMatch(/^2 waiting, the oldest for \d+ s; 0 parked$/m);
});

test('characters of an error that cannot be stored do not block what is written with it', async () => {
  const [first, second] = [randomUUID(), randomUUID()];
  await park(first, `answered\0 with ${'🎂'.repeat(600)}`);
  await park(second, `${'x'.repeat(999)}🎂`);
  const parked = await createOutboxAdmin(database.orm).listParked(10);
  expect(parked.map(({ userId }) => userId)).toEqual([first, second]);
});

test.for([
  [['retry'], 64, 'npm run outbox -- retry <id>'],
  [['retry', 'birthday:1'], 64, 'npm run outbox -- retry <id>'],
  [['list', 'all'], 64, 'npm run outbox -- list'],
  [['forget'], 64, 'npm run outbox -- list'],
] as const)('%j is not a command, and the usage is printed', async ([args, code, said]) => {
  const ended = await run(...args);
  expect(ended.code).toBe(code);
  expect(ended.text).toContain(said);
});

async function park(userId: string, error: string): Promise<void> {
  await database.orm.em.fork().execute(
    `insert into users.outbox (type, user_id, revision, occurred_at)
     values ('UserCreated', :userId, 1, now())`,
    { userId },
  );
  const [{ id = '', leaseToken = 0 } = {}] = await outbox.claim(1, 1_000);
  await outbox.acknowledge([{ id, leaseToken, kind: 'parked', error }]);
}

function run(...args: readonly string[]): Promise<CommandRun> {
  return runHere(COMMAND, args, { DATABASE_URL: database.url });
}
