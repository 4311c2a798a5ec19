/** docs/receiving.md against real deliveries: fields, and verifiers in two languages. */
import { readFile } from 'node:fs/promises';

import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { createSign } from '../../src/delivery/wire/signing.ts';
import { openWebhookTester } from '../../src/delivery/webhook-test.ts';
import { runCommand } from '../../dev/run-command.ts';
import { useDispatcherFixture, WITHIN } from '../support/dispatcher-fixture.ts';
import { findPython, STANDARD_WEBHOOKS } from '../support/python.ts';
import { startSnippet, type SnippetLanguage } from './receiving-snippets.ts';
import type { ReceivedWebhook } from '../support/webhook-receiver.ts';

beforeAll(() => findPython(STANDARD_WEBHOOKS), 5 * 60_000);

const fixture = useDispatcherFixture();

/** Enough to use every kept connection many times. */
const RUN = 300;

async function start(language: SnippetLanguage, secret: string) {
  const receiver = await startSnippet(language, secret);
  onTestFinished(() => receiver.stop());
  return receiver;
}

/** A delivery as a dispatcher made it. */
async function realDelivery(secrets: readonly string[]): Promise<ReceivedWebhook> {
  const userId = await fixture.rows.addUser({ firstName: 'Žofie 🎂', lastName: 'O\u2019Neill' });
  const key = await fixture.planned(userId, Date.now());
  await fixture.dispatch({ secrets });
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  const delivery = fixture.receiver.received.find(({ id }) => id === key);
  if (delivery === undefined) throw new Error('It never came.');
  return delivery;
}

test('the page names exactly the fields of the body', async () => {
  const { rawBody } = await realDelivery([newWebhookSecret()]);
  const [, table = ''] = (await readFile('docs/receiving.md', 'utf8')).split('| field of the body');
  const [rows = ''] = table.split('\n\n');
  const described = [...rows.matchAll(/^\| `([\w.]+)`/gm)].map(([, name]) => name);
  expect(described.toSorted()).toEqual(fieldsOf(JSON.parse(rawBody)).toSorted());
});

function fieldsOf(value: object, path = ''): string[] {
  return Object.entries(value).flatMap(([name, field]: [string, unknown]) =>
    typeof field === 'object' && field !== null
      ? fieldsOf(field, `${path}${name}.`)
      : [`${path}${name}`],
  );
}

interface Post {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
  readonly body: string;
}

function asPost({ id, headers, rawBody }: ReceivedWebhook): Post {
  const timestamp = String(headers['webhook-timestamp']);
  return { id, timestamp, signature: String(headers['webhook-signature']), body: rawBody };
}

async function post(url: string, { id, timestamp, signature, body }: Post): Promise<number> {
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signature,
  };
  return (await fetch(url, { method: 'POST', headers, body })).status;
}

describe.each(['ts', 'python'] as const)('the receiver in %s', (language) => {
  test('accepts every delivery of a run', async () => {
    const secret = newWebhookSecret();
    const receiver = await start(language, secret);
    const keys = await fixture.rows.addHerd(RUN, Date.now());
    await fixture.dispatch({ webhookUrl: receiver.url, secrets: [secret] });
    await expect.poll(() => fixture.countIn('COMPLETED'), WITHIN).toBe(RUN);
    expect(receiver.inbox().toSorted()).toEqual(keys.toSorted());
    const attempts = await fixture.rows.sql('select 1 from events.attempts where status = 204');
    expect(attempts).toHaveLength(RUN);
  });

  test('refuses one whose body, id, time or signature was changed', async () => {
    const secret = newWebhookSecret();
    const receiver = await start(language, secret);
    const genuine = asPost(await realDelivery([secret]));
    const changed: Post[] = [
      { ...genuine, body: genuine.body.replace('Žofie', 'Zofie') },
      { ...genuine, body: `${genuine.body} ` },
      { ...genuine, body: JSON.stringify(JSON.parse(genuine.body), null, 1) },
      { ...genuine, id: genuine.id.replace('2026', '2027') },
      { ...genuine, timestamp: String(Number(genuine.timestamp) + 1) },
      { ...genuine, timestamp: 'soon' },
      { ...genuine, signature: genuine.signature.replace('v1,', 'v2,') },
      { ...genuine, signature: 'v1,' },
      { ...genuine, signature: 'nonsense' },
      { ...genuine, signature: '' },
    ];
    for (const one of changed) expect(await post(receiver.url, one)).toBe(401);
    expect(receiver.inbox()).toEqual([]);
    expect(await post(receiver.url, genuine)).toBe(204);
    expect(receiver.inbox()).toEqual([genuine.id]);
  });

  test('refuses one that is signed with another secret, and the ledger says FAILED', async () => {
    const receiver = await start(language, newWebhookSecret());
    const key = await fixture.planned(await fixture.rows.addUser(), Date.now());
    await fixture.dispatch({ webhookUrl: receiver.url, secrets: [newWebhookSecret()] });
    await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('FAILED');
    expect(receiver.inbox()).toEqual([]);
    expect(await fixture.rows.sql('select status from events.attempts')).toEqual([{ status: 401 }]);
  });

  test('refuses one that is older than five minutes, or that far in the future', async () => {
    const secret = newWebhookSecret();
    const receiver = await start(language, secret);
    const sign = createSign([secret]);
    const { body } = asPost(await realDelivery([secret]));
    const answers: number[] = [];
    for (const [index, minutes] of [-6, 6, -4, 4].entries()) {
      const [id, timestamp] = [`birthday:${index}`, Math.floor(Date.now() / 1000) + minutes * 60];
      const signature = String(sign(id, timestamp, body)['webhook-signature']);
      answers.push(await post(receiver.url, { id, timestamp: String(timestamp), signature, body }));
    }
    expect(answers).toEqual([401, 401, 204, 204]);
    expect(receiver.inbox().toSorted()).toEqual(['birthday:2', 'birthday:3']);
  });

  test('works with the old secret and with the new one while both are set', async () => {
    const [older, newer] = [newWebhookSecret(), newWebhookSecret()];
    const [before, after] = [await start(language, older), await start(language, newer)];
    const steps: [readonly string[], number[]][] = [
      [[older], [204, 401]],
      [
        [newer, older],
        [204, 204],
      ],
      [[newer], [401, 204]],
    ];
    for (const [secrets, answers] of steps) {
      const delivery = asPost(await realDelivery(secrets));
      await fixture.dispatchers.pop()?.stop();
      expect(delivery.signature.split(' ')).toHaveLength(secrets.length);
      expect([await post(before.url, delivery), await post(after.url, delivery)]).toEqual(answers);
    }
  });

  test('processes one that arrives many times at once only once', async () => {
    const secret = newWebhookSecret();
    const receiver = await start(language, secret);
    const delivery = asPost(await realDelivery([secret]));
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(receiver.url, delivery)),
    );
    expect(new Set(answers)).toEqual(new Set([204]));
    const said = () =>
      receiver.process.lines.filter((line) => /^(new: |seen)/.test(line)).toSorted();
    await expect.poll(said).toHaveLength(20);
    expect(said()[0]).toBe("new: Hey, Žofie 🎂 O\u2019Neill it's your birthday");
    expect(said().slice(1)).toEqual(Array.from({ length: 19 }, () => 'seen before'));
  });

  test('accepts a test event, and keeps nothing of it', async () => {
    const secret = newWebhookSecret();
    const receiver = await start(language, secret);
    const tester = openWebhookTester(
      {
        WEBHOOK_URL: receiver.url,
        WEBHOOK_SECRETS: [secret],
        WEBHOOK_TIMEOUT_MS: 5000,
        WEBHOOK_ALLOW_PRIVATE: true,
      },
      Date.now,
    );
    onTestFinished(() => tester.close());
    expect(await tester.send()).toMatchObject({ status: 204, verdict: 'delivered' });
    expect(receiver.inbox()).toEqual([]);
  });

  test('passes npm run webhook:check', async () => {
    const secret = newWebhookSecret();
    const receiver = await start(language, secret);
    const tester = openWebhookTester(
      {
        WEBHOOK_URL: receiver.url,
        WEBHOOK_SECRETS: [newWebhookSecret(), secret],
        WEBHOOK_TIMEOUT_MS: 60_000,
        WEBHOOK_ALLOW_PRIVATE: true,
      },
      Date.now,
    );
    onTestFinished(() => tester.close());
    const { steps, ...report } = await tester.check();
    expect(steps.map(({ step, status }) => [step, status])).toEqual([
      ['good', 204],
      ['duplicate', 204],
      ['wrong-signature', 401],
      ['old-timestamp', 401],
      ['changed-body', 401],
      ['large', 204],
    ]);
    expect(report).toMatchObject({
      passed: true,
      deduplicated: null,
      connection: { tlsVersion: null, keptAlive: true },
    });
    expect(receiver.inbox()).toEqual([]);
  });

  test('refuses a body that is too large before reading it', async () => {
    const receiver = await start(language, newWebhookSecret());
    const large = { id: 'x', timestamp: '1', signature: 'v1,', body: 'x'.repeat(65_537) };
    expect(await post(receiver.url, large)).toBe(413);
  });
});

test('the receiver in ts has the types that it declares', async () => {
  const receiver = await start('ts', newWebhookSecret());
  const options = ['--noEmit', '--strict', '--target', 'esnext', '--module', 'nodenext'];
  const types = ['--types', 'node', '--skipLibCheck', 'receiver.ts'];
  const checked = await runCommand('node_modules/.bin/tsc', [...options, ...types], {
    cwd: receiver.folder,
    env: process.env,
    timeoutMs: 60_000,
  });
  expect(checked).toMatchObject({ ok: true, output: '' });
});
