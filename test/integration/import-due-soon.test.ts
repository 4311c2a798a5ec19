/** A large file with a user who is due in a moment, against the processes that plan and send. */
import { once } from 'node:events';
import { request } from 'node:http';
import { createInterface } from 'node:readline';

import { expect, onTestFinished, test } from 'vitest';

import { PLAN_PAGE } from '../../src/planning/planner.ts';
import { dueInstants } from '../support/instant-zones.ts';
import { querySql, useTestDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess, urlOf } from '../support/process.ts';
import { settingsToSend } from '../support/process-settings.ts';
import { temporaryDataDir } from '../support/started-daybell.ts';
import { useDevServer } from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

const database = useTestDatabase();

const HEADER = 'externalId,firstName,dateOfBirth,timezone\n';
/**
 * Users who can wait: several times what the scheduler plans at once, before and after the one who
 * is due.
 */
const OTHERS = 3_000;

test('a user who is due before the whole file has been sent is greeted on time', async () => {
  const receiver = await startWebhookReceiver();
  onTestFinished(() => receiver.close());
  const temporal = await useDevServer();
  await temporal.close();
  const instants = dueInstants(await temporaryDataDir());
  const settings = {
    ...(await settingsToSend(temporal.address, receiver.url)),
    ...instants.settings,
    DATABASE_URL: database.url,
  };
  // It records the settings that decide dates.
  expect(await runProcess(ENTRIES.migrate, settings).exited).toBe(0);
  const start = (name: 'api' | 'scheduler' | 'dispatcher') =>
    untilTestEnds(runProcess(ENTRIES[name], settings));
  const [api, dispatcher] = [start('api'), start('dispatcher')];
  const url = await urlOf(api);
  await dispatcher.line(/"msg":"ready"/);

  const sending = request(`${url}/v1/imports`, {
    method: 'POST',
    headers: { 'Content-Type': 'text/csv' },
  });
  const dateOfBirth = instants.dateOfBirthIn(90);
  const others = (name: string): string =>
    Array.from({ length: OTHERS }, (_, at) => `${name}${at},Bob,${dateOfBirth},UTC\n`).join('');
  sending.write(HEADER + others('before'));
  const [response] = await once(sending, 'response');
  const lines = createInterface({ input: response })[Symbol.asyncIterator]();
  const confirmed = async (rows: number): Promise<void> => {
    for (;;) {
      const { value = '{}' } = await lines.next();
      const line = JSON.parse(value);
      expect(line).toMatchObject({ type: 'progress', refused: 0 });
      if (line.rows >= rows) return;
    }
  };
  await confirmed(OTHERS);

  // Processes are compiled and connected before the instant is chosen.
  const { at: dueAt, timezone } = instants.next(15_000);
  sending.write(`ada,Ada,${instants.dateOfBirth},${timezone}\n${others('behind')}`);
  await confirmed(2 * OTHERS);
  // All of them wait for it.
  start('scheduler');
  await expect.poll(() => receiver.received.length).toBe(1);

  const [greeting] = receiver.received;
  expect(greeting?.body.data).toMatchObject({
    late: false,
    occasion: { type: 'birthday', dueAt: new Date(dueAt).toISOString() },
    user: { externalId: 'ada' },
  });
  const [plannedFirst] = await querySql(
    database.url,
    `select count(*)::int as others from users.outbox
     where done_at < (select done_at from users.outbox join users.users as u on u.id = user_id
       where u.external_id = 'ada')`,
  );
  // At most those that were planned together with Ada.
  expect(plannedFirst?.['others']).toBeLessThan(PLAN_PAGE);

  sending.end();
  let last = '';
  for await (const line of { [Symbol.asyncIterator]: () => lines }) last = line;
  expect(JSON.parse(last)).toMatchObject({
    type: 'summary',
    refused: 0,
    users: { created: 2 * OTHERS + 1 },
  });
});
