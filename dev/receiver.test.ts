import type { AddressInfo } from 'node:net';

import { describe, expect, onTestFinished, test } from 'vitest';

import { newWebhookSecret } from '../src/platform/settings/webhook-secrets.ts';
import { webhookBody } from '../src/delivery/webhook-body.ts';
import { createSign, type Sign } from '../src/delivery/wire/signing.ts';
import { ADA, claimedAt } from '../test/support/delivery-values.ts';
import { createReceiver } from './receiver.ts';

const DUE = Date.parse('2026-12-10T09:00:00Z');
const GREETING = webhookBody({
  claimed: {
    ...claimedAt(DUE),
    timezone: 'Europe/London',
    nominalDate: '2026-12-10',
    keptDate: '2026-12-10',
  },
  recipient: ADA,
  late: false,
});

describe('the embedded receiver', () => {
  test('prints a greeting in one line, with how late it came', async () => {
    const { post, printed } = await start(() => DUE + 41);
    expect(await post('birthday:1:2026', GREETING)).toBe(200);
    expect(printed).toEqual([
      "Hey, Ada Lovelace it's your birthday · Europe/London 2026-12-10 · 41 ms after its instant · birthday:1:2026",
    ]);
  });

  test('counts long lateness in seconds', async () => {
    const { post, printed } = await start(() => DUE + 90_000);
    await post('birthday:1:2026', GREETING);
    expect(printed[0]).toContain('90 s after its instant (late)');
  });

  test('ignores a message that it has already received, and says so', async () => {
    const { post, printed } = await start(() => DUE);
    await post('birthday:1:2026', GREETING);
    expect(await post('birthday:1:2026', GREETING)).toBe(200);
    expect(await post('birthday:2:2026', GREETING)).toBe(200);
    expect(printed[1]).toBe('birthday:1:2026 again: already received, ignored');
    expect(printed[2]).toContain('birthday:2:2026');
  });

  test('recognizes a test event, and accepts unknown messages', async () => {
    const { post, printed } = await start(() => DUE);
    expect(await post('test:1', { type: 'webhook.test' })).toBe(200);
    expect(await post('other:1', { type: 'other' })).toBe(200);
    expect(printed).toEqual([
      'A test event, and its signature is good · test:1',
      'other:1 received',
    ]);
  });

  test('refuses what is not signed with one of its secrets, says so, and does not count it as seen', async () => {
    const { post, printed, sign } = await start(() => DUE);
    const other = createSign([newWebhookSecret()]);
    expect(await post('birthday:1:2026', GREETING, other)).toBe(401);
    expect(await post('birthday:1:2026', GREETING, () => ({}))).toBe(401);
    const changed: Sign = (id, timestamp, body) => sign(id, timestamp, `${body} `);
    expect(await post('birthday:1:2026', GREETING, changed)).toBe(401);
    expect(printed).toEqual([
      'REFUSED birthday:1:2026: No matching signature found',
      'REFUSED birthday:1:2026: Missing required headers',
      'REFUSED birthday:1:2026: No matching signature found',
    ]);
    expect(await post('birthday:1:2026', GREETING)).toBe(200);
    expect(printed[3]).toMatch(/^Hey, Ada/);
  });

  test('accepts a message that any of its secrets verifies', async () => {
    const secrets = [newWebhookSecret(), newWebhookSecret()];
    const { post, printed } = await start(() => DUE, secrets);
    for (const [index, secret] of secrets.entries()) {
      expect(await post(`test:${index}`, { type: 'webhook.test' }, createSign([secret]))).toBe(200);
    }
    expect(printed).toHaveLength(2);
  });

  test('refuses one without an id', async () => {
    const { post, printed } = await start(() => DUE);
    expect(await post('', GREETING)).toBe(401);
    expect(printed).toEqual(['REFUSED a request without an id: Missing required headers']);
  });

  test('prints nothing that would control the terminal', async () => {
    const { post, printed } = await start(() => DUE);
    await post('birthday:1:2026', { ...GREETING, message: 'Hey, \u001B[2J' });
    expect(printed[0]).toMatch(/^Hey, \uFFFD\[2J · /);
  });
});

async function start(now: () => number, secrets = [newWebhookSecret()]) {
  const printed: string[] = [];
  const server = createReceiver({ secrets, print: (line) => void printed.push(line), now });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const sign = createSign(secrets);
  const post = async (id: string, event: object, signedBy = sign): Promise<number> => {
    const body = JSON.stringify(event);
    const timestamp = Math.floor(Date.now() / 1000);
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(id !== '' && { 'webhook-id': id }),
        'webhook-timestamp': String(timestamp),
        ...signedBy(id, timestamp, body),
      },
      body,
    });
    return response.status;
  };
  return { post, printed, sign };
}
