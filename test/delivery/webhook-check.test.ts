/** POST /v1/webhook/check: its reports about receivers of all kinds. */
import type { ServerResponse } from 'node:http';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { openWebhookTester, type WebhookTester } from '../../src/delivery/webhook-test.ts';
import type { WebhookCheckReport } from '../../src/delivery/webhook-check.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { createTestApi } from '../support/api.ts';
import { createAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { startRawReceiver } from '../support/raw-receiver.ts';
import {
  type ReceivedWebhook,
  startWebhookReceiver,
  type WebhookReceiver,
  withStatus,
} from '../support/webhook-receiver.ts';

const SECRET = newWebhookSecret();
const webhook = new Webhook(SECRET);

let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await startWebhookReceiver();
});
afterEach(() => receiver.close());

const testerOf = (url: string, timeoutMs = 60_000): WebhookTester =>
  openWebhookTester(
    {
      WEBHOOK_URL: url,
      WEBHOOK_SECRETS: [SECRET],
      WEBHOOK_TIMEOUT_MS: timeoutMs,
      WEBHOOK_ALLOW_PRIVATE: true,
    },
    Date.now,
  );

async function check(url = receiver.url, timeoutMs?: number): Promise<WebhookCheckReport> {
  const tester = testerOf(url, timeoutMs);
  const report = await tester.check();
  tester.close();
  return report;
}

const rightOf = ({ steps }: WebhookCheckReport) =>
  Object.fromEntries(steps.map(({ step, right }) => [step, right]));

const verifies = ({ rawBody, headers }: ReceivedWebhook): boolean => {
  try {
    webhook.verify(rawBody, headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
};

type Answer = (response: ServerResponse, request: ReceivedWebhook) => void;

/** A receiver that does everything right, except for what a test changes. */
const rightly: Answer = (response, request) => withStatus(verifies(request) ? 204 : 401)(response);

const ALL_RIGHT = {
  good: true,
  duplicate: true,
  'wrong-signature': true,
  'old-timestamp': true,
  'changed-body': true,
  large: true,
};
const ADVICE_ON_HTTP = expect.stringMatching(/^Use https/);

test('sends six events, and a receiver that verifies them passes', async () => {
  receiver.answer(rightly);
  const report = await check();
  expect(rightOf(report)).toEqual(ALL_RIGHT);
  expect(report).toMatchObject({
    passed: true,
    deduplicated: null,
    connection: { tlsVersion: null, keptAlive: true },
    advice: [ADVICE_ON_HTTP],
  });
  for (const { durationMs } of report.steps) expect(durationMs).toBeGreaterThanOrEqual(0);

  const { received } = receiver;
  expect(received.map(({ id }) => id)).toEqual(report.steps.map(({ webhookId }) => webhookId));
  const [good, again, ...others] = received;
  expect(again?.id).toBe(good?.id);
  expect(again?.rawBody).toBe(good?.rawBody);
  expect(good?.headers['daybell-attempt']).toBe('1');
  expect(again?.headers['daybell-attempt']).toBe('2');
  expect(new Set(received.map(({ id }) => id)).size).toBe(5);
  for (const { body, headers } of received) {
    expect(body.type).toBe('webhook.test');
    expect(headers['webhook-id']).toMatch(/^test:/);
  }
  expect(others.map((one) => verifies(one))).toEqual([false, false, false, true]);
  const old = others[1];
  const age = (old?.at ?? 0) / 1000 - Number(old?.headers['webhook-timestamp']);
  expect(age).toBeGreaterThan(300);
  expect(Buffer.byteLength(others[3]?.rawBody ?? '')).toBe(32_768);
  expect(report.steps[5]?.sent).toContain('32768 bytes');
});

describe('a receiver that', () => {
  test('accepts everything does not verify, and is told what to verify', async () => {
    const report = await check();
    expect(rightOf(report)).toEqual({
      ...ALL_RIGHT,
      'wrong-signature': false,
      'old-timestamp': false,
      'changed-body': false,
    });
    expect(report.passed).toBe(false);
    expect(report.steps[2]?.explanation).toBe('Accepted (200), and must be refused.');
    expect(report.advice).toEqual([
      expect.stringMatching(/^Verify webhook-signature/),
      expect.stringMatching(/^Refuse a webhook-timestamp/),
      expect.stringMatching(/^Verify the signature over the body as it came/),
      ADVICE_ON_HTTP,
    ]);
  });

  test('checks the signature but not its age accepts a replay', async () => {
    receiver.answer((response, request) => {
      const seconds = Number(request.headers['webhook-timestamp']);
      const signature = webhook.sign(request.id, new Date(seconds * 1000), request.rawBody);
      withStatus(signature === request.headers['webhook-signature'] ? 200 : 401)(response);
    });
    expect(rightOf(await check())).toEqual({ ...ALL_RIGHT, 'old-timestamp': false });
  });

  test('fails on an invalid event is told to refuse it', async () => {
    receiver.answer((response, request) => withStatus(verifies(request) ? 200 : 500)(response));
    const report = await check();
    expect(rightOf(report)).toMatchObject({ 'wrong-signature': false, large: true });
    expect(report.steps[2]?.explanation).toBe('Not accepted, but not refused either (500).');
    expect(report.advice).toEqual([
      expect.stringMatching(/^Refuse what does not verify with 401/),
      ADVICE_ON_HTTP,
    ]);
  });

  test('hangs up on an invalid event has not refused it', async () => {
    receiver.answer((response, request) => {
      if (verifies(request)) response.end();
      else response.destroy();
    });
    const report = await check();
    expect(rightOf(report)).toMatchObject({ 'wrong-signature': false, large: true });
    expect(report.steps[2]).toMatchObject({ status: null, errorCode: 'ECONNRESET' });
  });

  test('asks for fewer requests is not judged by that', async () => {
    receiver.answer((response, request) => withStatus(verifies(request) ? 200 : 429)(response));
    const report = await check();
    expect(rightOf(report)).toMatchObject({ 'wrong-signature': null, 'old-timestamp': null });
    expect(report.passed).toBe(false);
    receiver.answer(withStatus(503));
    const busy = await check();
    expect(busy.steps[0]).toMatchObject({ right: null, status: 503 });
    expect(busy.advice).toEqual([ADVICE_ON_HTTP]);
  });

  test('refuses large events is told how large they may be', async () => {
    receiver.answer((response, request) =>
      request.rawBody.length > 4096 ? withStatus(413)(response) : rightly(response, request),
    );
    const report = await check();
    expect(rightOf(report)).toEqual({ ...ALL_RIGHT, large: false });
    expect(report.advice[0]).toMatch(/^Accept bodies of 32 KB/);
  });

  test('has another secret is told so, and gets nothing more', async () => {
    receiver.answer(withStatus(401));
    const report = await check();
    expect(receiver.received).toHaveLength(1);
    expect(rightOf(report)).toEqual({
      good: false,
      duplicate: null,
      'wrong-signature': null,
      'old-timestamp': null,
      'changed-body': null,
      large: null,
    });
    expect(report.steps[1]?.explanation).toMatch(
      /^Not sent\. Nothing else can be checked until the good event is accepted/,
    );
    expect(report.advice[0]).toMatch('WEBHOOK_SECRETS');
    expect(report.connection.keptAlive).toBeNull();
  });

  test('is not there is reported with the reason', async () => {
    const report = await check(`http://127.0.0.1:${await freePort()}/`);
    expect(report.steps[0]).toMatchObject({ right: false, errorCode: 'ECONNREFUSED' });
    expect(report.passed).toBe(false);
    expect(report.advice).toEqual([
      'Make the receiver reachable at its URL from here (ECONNREFUSED).',
    ]);
  });

  test('hangs ends the check within the time limit of a delivery, and the rest is not sent', async () => {
    receiver.answer((response, request) => {
      if (receiver.received.length < 3) rightly(response, request);
    });
    const report = await check(receiver.url, 3_000);
    expect(receiver.received).toHaveLength(3);
    expect(rightOf(report)).toMatchObject({
      good: true,
      duplicate: true,
      'wrong-signature': false,
      'old-timestamp': null,
      large: null,
    });
    expect(report.steps[2]).toMatchObject({
      errorCode: 'ETIMEDOUT',
      explanation: 'No answer came in time.',
    });
    expect(report.steps[3]?.explanation).toMatch(/^Not sent\. There was no answer within 3000 ms/);
    expect(report.advice[0]).toMatch(/^Answer at once/);
  });

  test('closes each connection is told to keep it', async () => {
    receiver.answer((response, request) => {
      response.setHeader('connection', 'close');
      rightly(response, request);
    });
    const report = await check();
    expect(report).toMatchObject({ passed: true, connection: { keptAlive: false } });
    expect(report.advice[0]).toMatch(/^Keep connections open/);
  });
});

describe('a duplicate', () => {
  const seen = (say: Answer): Answer => {
    const ids = new Set<string>();
    return (response, request) => {
      if (!verifies(request) || !ids.has(request.id)) rightly(response, request);
      else say(response, request);
      ids.add(request.id);
    };
  };

  test('is known to be recognized if the response says so', async () => {
    receiver.answer(seen((response) => void response.end('{"status":"duplicate"}')));
    expect(await check()).toMatchObject({ passed: true, deduplicated: true });
    receiver.answer(seen(withStatus(208)));
    expect(await check()).toMatchObject({ passed: true, deduplicated: true });
  });

  test('that is refused is recognized, and wrong: a redelivery would fail', async () => {
    receiver.answer(seen(withStatus(409)));
    const report = await check();
    expect(report).toMatchObject({ passed: false, deduplicated: true });
    expect(rightOf(report)).toEqual({ ...ALL_RIGHT, duplicate: false });
    expect(report.advice[0]).toMatch(/^Answer 2xx to a webhook-id that you have seen/);
  });

  test('is not known to be recognized by words that every response has', async () => {
    receiver.answer((response, request) => {
      if (verifies(request)) response.end('already queued');
      else rightly(response, request);
    });
    expect(await check()).toMatchObject({ passed: true, deduplicated: null });
  });
});

describe('over TLS', () => {
  const authority = createAuthority();
  const trusted = getCACertificates('default');
  beforeAll(() => setDefaultCACertificates([...trusted, authority.cert]));
  afterAll(() => setDefaultCACertificates(trusted));

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('says that it is %s', async (version) => {
    const secure = await startRawReceiver({
      ...authority.issue(),
      minVersion: version,
      maxVersion: version,
    });
    const report = await check(secure.url);
    await secure.close();
    expect(report.connection).toEqual({ tlsVersion: version, keptAlive: true });
    expect(report.advice).not.toContainEqual(ADVICE_ON_HTTP);
  });
});

describe('the route', () => {
  test('answers with the report, and the operator log has whether it passed', async () => {
    const tester = testerOf(receiver.url);
    const api = await createTestApi({ webhookTesters: new Map([['default', tester]]) });
    const { status, body } = await api.send('POST', '/v1/webhook/check');
    expect(status).toBe(200);
    expect(body).toMatchObject({ passed: false, startedAt: expect.stringMatching(/Z$/) });
    expect(body.steps).toHaveLength(6);
    const failed = ['wrong-signature', 'old-timestamp', 'changed-body'];
    const { entries } = (await api.send('GET', '/v1/operator-log')).body;
    expect(entries).toMatchObject([
      { action: 'checkWebhook', subject: 'default', detail: { passed: false, failed } },
    ]);
    expect(api.logged).toContainEqual(
      expect.objectContaining({ msg: 'webhook check', destination: 'default', failed }),
    );
    tester.close();
    await api.database.drop();
  });

  test('refuses a second check of a destination while one is running, and no later one', async () => {
    const tester = testerOf(receiver.url);
    const api = await createTestApi({ webhookTesters: new Map([['default', tester]]) });
    const asked = Promise.withResolvers<ServerResponse>();
    receiver.answer((response) => asked.resolve(response));
    const first = api.send('POST', '/v1/webhook/check');
    const held = await asked.promise;
    const second = await api.send('POST', '/v1/webhook/check');
    expect(second.status).toBe(409);
    expect(second.body).toMatchObject({ type: 'urn:daybell:problem:webhook-check-running' });
    receiver.answer(rightly);
    held.end();
    expect((await first).body).toMatchObject({ passed: true });
    expect((await api.send('POST', '/v1/webhook/check')).status).toBe(200);
    tester.close();
    await api.database.drop();
  });

  test('without a destination reports that there is nothing to check', async () => {
    const api = await createTestApi();
    const { status, body } = await api.send('POST', '/v1/webhook/check?destination=crm');
    expect(status).toBe(409);
    expect(body.detail).toBe('WEBHOOK_URL_CRM is not set for the API process.');
    await api.database.drop();
  });
});
