/** Secrets and test events, as operators of the processes see them. */
import { Webhook } from 'standardwebhooks';
import { expect, onTestFinished, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { freePort } from '../support/free-port.ts';
import { runProcess, runProgram, type TestProcess, urlOf } from '../support/process.ts';
import { runHere } from '../support/run-here.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { startWebhookReceiver, withStatus } from '../support/webhook-receiver.ts';

const COMMAND = 'src/cli/webhook-test.ts';

async function startReceiver() {
  const receiver = await startWebhookReceiver();
  onTestFinished(() => receiver.close());
  return receiver;
}

async function endOf(started: TestProcess): Promise<{ code: number | null; said: string }> {
  const code = await started.exited;
  return { code, said: started.lines.join('\n') };
}

test('a new secret is printed, and nothing else', async () => {
  const { code, said } = await endOf(
    runProgram(process.execPath, ['src/cli/new-secret.ts', 'webhook-secret'], {
      settings: {},
    }),
  );
  expect(code).toBe(0);
  expect(said).toMatch(/^whsec_[\w+/]{43}=$/);
  expect(() => new Webhook(said)).not.toThrow();
});

test.each([
  ['the dispatcher', 'src/delivery/main.ts'],
  ['the API', 'src/api/main.ts'],
  ['a test event', COMMAND],
])('%s does not start with a destination and without a secret', async (_name, entry) => {
  const settings = {
    DATABASE_URL: 'postgresql://daybell@127.0.0.1:1/daybell',
    WEBHOOK_URL: 'https://example.com/hook',
    PORT: '0',
  };
  expect(await endOf(runProcess(entry, settings))).toEqual({
    code: 78,
    said: expect.stringMatching(/WEBHOOK_SECRETS: must be set .*npm run secret:new prints one/),
  });
});

test('the command sends from here when there is a destination, and shows what came back', async () => {
  const receiver = await startReceiver();
  const secret = newWebhookSecret();
  const settings = {
    WEBHOOK_URL: `${receiver.url}?token=hunter2`,
    WEBHOOK_SECRETS: secret,
    WEBHOOK_ALLOW_PRIVATE: 'true',
  };
  const { code, said } = await endOf(runProcess(COMMAND, settings));
  expect(code).toBe(0);
  expect(said).toMatch(/signed +with 1 secret\n +came back +status 200\n +after +\d+ ms/);
  expect(said).not.toMatch(/hunter2|whsec_/);
  const [received] = receiver.received;
  const headers = received?.headers as Record<string, string>;
  expect(new Webhook(secret).verify(received?.rawBody ?? '', headers)).toMatchObject({
    type: 'webhook.test',
  });

  receiver.answer(withStatus(401));
  const refused = await runHere(COMMAND, [], settings);
  expect(refused.code).toBe(1);
  expect(refused.text).toMatch(/status 401(.|\n)*verdict +give_up\n\nRefused/);
});

test('the command asks the running Daybell if there is none', async () => {
  const receiver = await startReceiver();
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const PORT = String(await freePort());
  const given = {
    DATABASE_URL: database.url,
    PORT,
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRETS: `${newWebhookSecret()},${newWebhookSecret()}`,
    WEBHOOK_ALLOW_PRIVATE: 'true',
  };
  const api = untilTestEnds(runProcess('src/api/main.ts', given));
  await urlOf(api);
  const { code, text } = await runHere(COMMAND, [], { PORT });
  expect(text).toMatch(/signed +with 2 secrets\n +came back +status 200/);
  expect(code).toBe(0);
  expect(receiver.received.map(({ body }) => body.type)).toEqual(['webhook.test']);

  expect(await api.stop()).toBe(0);
  expect(await runHere(COMMAND, [], { PORT })).toEqual({
    code: 69,
    text: expect.stringMatching(/WEBHOOK_URL is not set, and no Daybell answers/),
  });
});
