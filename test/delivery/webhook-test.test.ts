/** POST /v1/webhook/test: a signed event, sent like deliveries, and the response. */
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { openWebhookTester, type WebhookTester } from '../../src/delivery/webhook-test.ts';
import { createTestApi, type Answer, type TestApi } from '../support/api.ts';
import { freePort } from '../support/free-port.ts';
import {
  startWebhookReceiver,
  withStatus,
  type WebhookReceiver,
} from '../support/webhook-receiver.ts';

const SECRETS = [newWebhookSecret(), newWebhookSecret()];
const PATH = '/v1/webhook/test';

let receiver: WebhookReceiver;
let api: TestApi;
let url: string;
let allowPrivate: boolean;
let timeoutMs: number;

/** One tester per request: the test sets the destination at that moment. */
const webhookTester = {
  send: () => withTester((tester) => tester.send()),
  check: () => withTester((tester) => tester.check()),
};

async function withTester<Report>(ask: (tester: WebhookTester) => Promise<Report>) {
  const tester = openWebhookTester(
    {
      WEBHOOK_URL: url,
      WEBHOOK_SECRETS: SECRETS,
      WEBHOOK_TIMEOUT_MS: timeoutMs,
      WEBHOOK_ALLOW_PRIVATE: allowPrivate,
    },
    Date.now,
  );
  const report = await ask(tester);
  tester.close();
  return report;
}

beforeAll(async () => {
  api = await createTestApi({ webhookTesters: new Map([['default', webhookTester]]) });
});
afterAll(() => api.database.drop());
beforeEach(async () => {
  receiver = await startWebhookReceiver();
  url = `${receiver.url}?token=hunter2`;
  allowPrivate = true;
  timeoutMs = 60_000;
});
afterEach(() => receiver.close());

const ask = (): Promise<Answer> => api.send('POST', PATH);

test('sends an event that each secret verifies, without a user', async () => {
  const { status, body } = await ask();
  expect(status).toBe(200);
  expect(body).toEqual({
    webhookId: expect.stringMatching(/^test:[\da-f-]{36}$/),
    sentAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    durationMs: expect.any(Number),
    status: 200,
    errorCode: null,
    verdict: 'delivered',
    explanation: 'Delivered: a webhook with this answer is done.',
    responseExcerpt: null,
    signatures: 2,
  });
  const [received] = receiver.received;
  const headers = received?.headers as Record<string, string>;
  expect(headers).toMatchObject({ 'webhook-id': body.webhookId, 'daybell-attempt': '1' });
  for (const secret of SECRETS) {
    expect(new Webhook(secret).verify(received?.rawBody ?? '', headers)).toEqual({
      type: 'webhook.test',
      timestamp: body.sentAt,
      message: 'This is a test event from Daybell. It is about no user.',
      data: {},
    });
  }
});

test('sends a different event each time', async () => {
  const ids = [(await ask()).body.webhookId, (await ask()).body.webhookId];
  expect(new Set(ids).size).toBe(2);
});

test.each([
  [204, 'delivered', /^Delivered/],
  [401, 'give_up', /^Refused.* WEBHOOK_SECRETS/],
  [308, 'give_up', /^Refused.* Redirects are not followed/],
  [404, 'give_up', /^Refused/],
  [410, 'gone', /^Gone/],
  [429, 'retry', /^Not delivered/],
  [500, 'retry', /^Not delivered/],
])('judges %i like a delivery: %s', async (status, verdict, explanation) => {
  receiver.answer((response) => void response.writeHead(status).end(status === 204 ? '' : 'Hm.'));
  const { body } = await ask();
  const responseExcerpt = status === 204 ? null : 'Hm.';
  expect(body).toMatchObject({ status, verdict, responseExcerpt, errorCode: null });
  expect(body.explanation).toMatch(explanation);
});

test('says why there was no response', async () => {
  receiver.answer(() => {});
  timeoutMs = 1_000;
  expect((await ask()).body).toMatchObject({
    status: null,
    errorCode: 'ETIMEDOUT',
    verdict: 'retry',
  });
  url = `http://127.0.0.1:${await freePort()}/`;
  expect((await ask()).body).toMatchObject({
    status: null,
    errorCode: 'ECONNREFUSED',
    verdict: 'retry',
  });
});

test('is refused a private destination, like a delivery', async () => {
  allowPrivate = false;
  const { body } = await ask();
  expect(body).toMatchObject({ errorCode: 'ERR_DESTINATION_REFUSED', verdict: 'give_up' });
  expect(body.explanation).toMatch('WEBHOOK_ALLOW_PRIVATE=true');
  expect(receiver.received).toEqual([]);
});

test('is sent while deliveries are paused, and is not in the ledger', async () => {
  await api.sql('update events.destinations set paused_at = clock_timestamp()');
  const [before] = await api.sql('select * from events.destinations');
  expect((await ask()).body.verdict).toBe('delivered');
  receiver.answer(withStatus(503, { 'retry-after': '3600' }));
  expect((await ask()).body.verdict).toBe('retry');
  expect(await api.sql('select * from events.destinations')).toEqual([before]);
  expect(await api.sql('select key from events.occurrences')).toEqual([]);
  expect(await api.sql('select 1 from events.attempts')).toEqual([]);
  await api.sql('update events.destinations set paused_at = null');
});

test('leaves a line in the log, without the response, the address and the secrets', async () => {
  receiver.answer((response) => void response.end('a body of another'));
  const { webhookId } = (await ask()).body;
  const lines = api.logged.filter((line) => line['webhookId'] === webhookId);
  expect(lines).toMatchObject([{ msg: 'webhook test', status: 200, verdict: 'delivered' }]);
  const log = JSON.stringify(api.logged);
  for (const secret of ['a body of another', 'hunter2', ...SECRETS])
    expect(log).not.toContain(secret);
});

test('without a destination reports that there is nothing to test', async () => {
  const without = await createTestApi();
  expect(await without.send('POST', PATH)).toMatchObject({
    status: 409,
    body: {
      type: 'urn:daybell:problem:webhook-not-set-up',
      detail: expect.stringMatching(/WEBHOOK_URL is not set/),
    },
  });
  await without.database.drop();
});
