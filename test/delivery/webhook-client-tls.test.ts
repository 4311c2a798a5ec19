/** HTTPS receivers: which ones both clients trust, and what they report otherwise. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates, type TlsOptions } from 'node:tls';

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import type { WebhookClientOptions, WebhookReply } from '../../src/delivery/wire/webhook-client.ts';
import { createAuthority, selfSigned } from '../support/certificates.ts';
import { OK, startRawReceiver, type RawReceiver } from '../support/raw-receiver.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';
import { describeClients } from '../support/describe-clients.ts';

const REQUEST = { id: 'birthday:u1:2026', sentAt: 0, attempt: 1, latenessMs: 0, body: '{}' };
const DELIVERED = { status: 200, errorCode: null, responseExcerpt: 'ok' };
const HOUR = 3_600_000;

const authority = createAuthority();
const trusted = getCACertificates('default');
beforeAll(() => setDefaultCACertificates([...trusted, authority.cert]));
afterAll(() => setDefaultCACertificates(trusted));

describeClients(({ create }) => {
  let receiver: RawReceiver | null = null;
  afterEach(async () => {
    await receiver?.close();
    receiver = null;
  });

  /** Posts this many, one after the other, to a receiver with these options. */
  async function post(
    tls: TlsOptions,
    { host = 'localhost', count = 1, ...options }: Posting = {},
  ): Promise<WebhookReply[]> {
    receiver ??= await startRawReceiver(tls);
    const client = create({
      url: `https://${host}:${receiver.port}/`,
      timeoutMs: 60_000,
      maxSockets: 2,
      allowPrivate: true,
      lookup: (_name, { all }, callback) => {
        if (all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
        else callback(null, '127.0.0.1', 4);
      },
      ...options,
    });
    const replies: WebhookReply[] = [];
    for (let sent = 0; sent < count; sent += 1) replies.push(await client.post(REQUEST));
    client.close();
    return replies;
  }

  type Posting = Partial<WebhookClientOptions> & { host?: string; count?: number };

  test('a certificate of a private authority is trusted, and its connection kept', async () => {
    for (const reply of await post(authority.issue(), { count: 3 })) {
      expect(reply).toMatchObject(DELIVERED);
    }
    expect(receiver?.connections).toBe(1);
  });

  test.each([
    ['of nobody', () => selfSigned(), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    [
      'of another authority of that name',
      () => createAuthority().issue(),
      'CERT_SIGNATURE_FAILURE',
    ],
    [
      'that has expired',
      () => authority.issue('localhost', { validUntil: Date.now() - HOUR / 2 }),
      'CERT_HAS_EXPIRED',
    ],
    [
      'for another name',
      () => authority.issue('localhost', { host: 'other.example' }),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
  ])('a certificate %s is refused, and nothing is sent', async (_, certificate, errorCode) => {
    const [reply] = await post(certificate());
    expect(reply).toMatchObject({ status: null, errorCode });
    expect(receiver?.requests).toEqual([]);
  });

  test('the requested name is the receiver’s, and its certificate is checked against it', async () => {
    const asked: string[] = [];
    const tls: TlsOptions = {
      ...authority.issue('receiver', { host: 'receiver.example' }),
      SNICallback(name, callback) {
        asked.push(name);
        callback(null);
      },
    };
    expect(await post(tls, { host: 'receiver.example' })).toMatchObject([DELIVERED]);
    expect(asked).toEqual(['receiver.example']);
    expect(receiver?.requests[0]?.text).toMatch(/^host: receiver\.example:\d+\r$/im);
  });

  test('an IP address is requested without a server name', async () => {
    const asked: string[] = [];
    const SNICallback: TlsOptions['SNICallback'] = (name, callback) => {
      asked.push(name);
      callback(null);
    };
    const [reply] = await post({ ...authority.issue(), SNICallback }, { host: '127.0.0.1' });
    expect(reply).toMatchObject(DELIVERED);
    expect(asked).toEqual([]);
  });

  test('a missing TLS where it is expected is reported by its code', async () => {
    const plain = await startWebhookReceiver();
    const client = create({
      url: plain.url.replace('http:', 'https:'),
      timeoutMs: 60_000,
      maxSockets: 1,
      allowPrivate: true,
    });
    const reply = await client.post(REQUEST);
    expect(reply).toMatchObject({
      status: null,
      errorCode: expect.stringMatching(/^(EPROTO|ERR_SSL_|ECONNRESET)/),
    });
    client.close();
    await plain.close();
  });

  test('a handshake that never ends does not exceed the time limit', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const client = create({
      url: `https://127.0.0.1:${port}/`,
      timeoutMs: 1_500,
      maxSockets: 1,
      allowPrivate: true,
    });
    expect(await client.post(REQUEST)).toMatchObject({ status: null, errorCode: 'ETIMEDOUT' });
    client.close();
    silent.close();
  });

  test('a kept connection that turns out to be closed is replaced at once', async () => {
    let reconnects = 0;
    receiver = await startRawReceiver(authority.issue());
    receiver.answer((connection, { number }) => {
      if (number > 1) connection.destroy();
      else connection.write(OK);
    });
    const replies = await post({}, { count: 4, onReconnect: () => (reconnects += 1) });
    for (const reply of replies) expect(reply).toMatchObject(DELIVERED);
    expect(reconnects).toBe(2);
  });

  test('what follows an answer is not taken for the next one', async () => {
    receiver = await startRawReceiver(authority.issue());
    receiver.answer((connection) => {
      connection.write('HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n');
      setTimeout(() => connection.write('{}'), 5);
    });
    for (const reply of await post({}, { count: 10 })) expect(reply.status).toBe(204);
    expect(receiver.requests).toHaveLength(10);
  });
});
