import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { WebhookClient, WebhookReply } from '../../src/delivery/wire/webhook-client.ts';
import { describeClients } from '../support/describe-clients.ts';
import { slowDrip, switchProtocols } from './bad-answers.ts';
import {
  startWebhookReceiver,
  withStatus,
  type WebhookReceiver,
} from '../support/webhook-receiver.ts';

const REQUEST = {
  id: 'birthday:u1:2026',
  sentAt: Date.UTC(2026, 4, 20, 7, 0, 1, 500),
  attempt: 3,
  latenessMs: 1500,
  body: JSON.stringify({ message: 'Hey, Ada' }),
};

/** For requests that end only by it: short, but long enough for a request to get there. */
const SHORT_MS = 1_500;
const WITHIN = { timeout: 60_000, interval: 20 };

function options(url: string, timeoutMs = 60_000) {
  return { url, timeoutMs, maxSockets: 2, allowPrivate: true };
}

/** Listens, accepts nobody, and its queue is full: the system answers no further connection. */
async function startDeafReceiver() {
  const listen = `
    const { parentPort } = require('node:worker_threads');
    const server = require('node:net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
    });`;
  const worker = new Worker(listen, { eval: true });
  const [port] = (await once(worker, 'message')) as [number];
  const waiting = Array.from({ length: 8 }, () => connect(port, '127.0.0.1'));
  for (const socket of waiting) socket.on('error', () => {});
  await once(waiting[0] as Socket, 'connect');
  return {
    port,
    async close() {
      for (const socket of waiting) socket.destroy();
      await worker.terminate();
    },
  };
}

describeClients(({ create }) => {
  let receiver: WebhookReceiver;
  let client: WebhookClient;
  beforeEach(async () => {
    receiver = await startWebhookReceiver();
    client = create(options(receiver.url));
  });
  afterEach(async () => {
    client.close();
    await receiver.close();
  });

  /** With a client whose timeout is short. */
  async function postInTime(): Promise<WebhookReply> {
    const hasty = create(options(receiver.url, SHORT_MS));
    return hasty.post(REQUEST).finally(() => hasty.close());
  }

  test('a greeting carries its id, the time, its attempt and its lateness', async () => {
    expect(await client.post(REQUEST)).toMatchObject({ status: 200, errorCode: null });
    expect(receiver.received).toMatchObject([
      {
        body: { message: 'Hey, Ada' },
        headers: {
          'content-type': 'application/json',
          'user-agent': 'Daybell',
          'webhook-id': 'birthday:u1:2026',
          'webhook-timestamp': '1779260401',
          'idempotency-key': 'birthday:u1:2026',
          'daybell-attempt': '3',
          'daybell-lateness-ms': '1500',
        },
      },
    ]);
  });

  test('headers of a signature are sent too', async () => {
    const signing = create({
      ...options(receiver.url),
      sign: (id, timestamp, body) => ({ 'webhook-signature': `${id} ${timestamp} ${body.length}` }),
    });
    await signing.post(REQUEST);
    signing.close();
    expect(receiver.received[0]?.headers['webhook-signature']).toBe(
      'birthday:u1:2026 1779260401 22',
    );
  });

  test('a redirect is a response, and not followed', async () => {
    receiver.answer(withStatus(307, { location: receiver.url }));
    expect(await client.post(REQUEST)).toMatchObject({ status: 307, errorCode: null });
    expect(receiver.received).toHaveLength(1);
  });

  test('an error status is a response, is not retried, and says when to retry', async () => {
    receiver.answer(withStatus(503, { 'retry-after': '120' }));
    expect(await client.post(REQUEST)).toMatchObject({ status: 503, retryAfter: '120' });
    expect(receiver.received).toHaveLength(1);
  });

  test('the beginning of the body is kept, without control characters', async () => {
    receiver.answer((response) => {
      response.writeHead(400).end(`no\u0000such\r\n\u001b[31mcolor ${'é'.repeat(2000)}`);
    });
    const { responseExcerpt } = await client.post(REQUEST);
    expect(responseExcerpt).toMatch(/^no such \[31mcolor é+$/);
    expect(Buffer.byteLength(responseExcerpt ?? '')).toBeLessThanOrEqual(1024);
  });

  test('a body without end is not read to the end: the status counts', async () => {
    let sent = 0;
    receiver.answer((response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16_384))) sent += 16_384;
      };
      response.writeHead(200).on('drain', more);
      more();
    });
    const reply = await client.post(REQUEST);
    expect(reply).toMatchObject({ status: 200, errorCode: null });
    expect(reply.durationMs).toBeLessThan(60_000);
    // What the sockets' buffers hold, and no more.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  test('a body that stalls counts by its status too', async () => {
    receiver.answer((response) => void response.writeHead(202).write('thinking'));
    expect(await postInTime()).toMatchObject({ status: 202, responseExcerpt: 'thinking' });
  });

  test('a body that drips forever does not exceed the timeout, and neither does its connection', async () => {
    let closed = false;
    receiver.answer((response) => {
      response.once('close', () => (closed = true));
      slowDrip(response);
    });
    const reply = await postInTime();
    expect(reply).toMatchObject({ status: 200, responseExcerpt: expect.stringMatching(/^drip\./) });
    expect(reply.durationMs).toBeLessThan(20 * SHORT_MS);
    await vi.waitFor(() => expect(closed).toBe(true), WITHIN);
  });

  test('a missing response is a timeout of the whole exchange', async () => {
    receiver.answer(() => {});
    const reply = await postInTime();
    expect(reply).toMatchObject({ status: null, errorCode: 'ETIMEDOUT', responseExcerpt: null });
    expect(reply.durationMs).toBeGreaterThanOrEqual(SHORT_MS - 10);
  });

  test('a connection that breaks before the response is reported by its code', async () => {
    receiver.answer((response) => void response.destroy());
    expect(await client.post(REQUEST)).toMatchObject({ status: null, errorCode: 'ECONNRESET' });
  });

  test('only the code of an error leaves the client: not the request, its headers or its address', async () => {
    receiver.answer((response) => void response.destroy());
    const url = receiver.url.replace('http://', 'http://user:hunter2@');
    const talking = create(options(url));
    const reply = await talking.post(REQUEST);
    talking.close();
    expect(reply).toEqual({
      status: null,
      errorCode: 'ECONNRESET',
      retryAfter: null,
      responseExcerpt: null,
      durationMs: expect.any(Number),
    });
  });

  test('a switch of protocols is a response, and its connection is closed', async () => {
    let closed = false;
    receiver.answer((response) => {
      response.socket?.once('close', () => (closed = true));
      switchProtocols(response);
    });
    expect(await client.post(REQUEST)).toMatchObject({ status: 101, errorCode: null });
    await vi.waitFor(() => expect(closed).toBe(true), WITHIN);
  });

  test('a refused connection is reported by its code', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    server.close();
    const lost = create(options(`http://127.0.0.1:${port}/`));
    expect(await lost.post(REQUEST)).toMatchObject({ status: null, errorCode: 'ECONNREFUSED' });
    lost.close();
  });

  test('connections that several addresses refuse are reported by the code of the first', async () => {
    const lost = create({
      ...options('http://nobody.example:1/'),
      lookup: (_name, _options, callback) =>
        callback(null, [
          { address: '127.0.0.1', family: 4 },
          { address: '::1', family: 6 },
        ]),
    });
    expect(await lost.post(REQUEST)).toMatchObject({ status: null, errorCode: 'ECONNREFUSED' });
    lost.close();
  });

  test('a resolver that never answers is a timeout', async () => {
    const lost = create({
      ...options('http://nobody.example/', SHORT_MS),
      lookup: () => {},
    });
    expect(await lost.post(REQUEST)).toMatchObject({ status: null, errorCode: 'ETIMEDOUT' });
    lost.close();
  });

  test('a connection that is never accepted is a timeout', async () => {
    const { port, close } = await startDeafReceiver();
    const lost = create(options(`http://127.0.0.1:${port}/`, SHORT_MS));
    expect(await lost.post(REQUEST)).toMatchObject({ status: null, errorCode: 'ETIMEDOUT' });
    lost.close();
    await close();
  });

  test('a response that is not HTTP is reported by a code, and nothing is thrown', async () => {
    const server = createServer((socket) => void socket.end('220 mail.example.com ESMTP\r\n'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const odd = create(options(`http://127.0.0.1:${port}/`));
    const reply = await odd.post(REQUEST);
    expect(reply.status).toBeNull();
    expect(reply.errorCode).toMatch(/^(HPE|E)/);
    odd.close();
    server.close();
  });

  test('connections are kept open, and no more are opened than allowed', async () => {
    const sockets = new Set<unknown>();
    receiver.answer((response) => {
      sockets.add(response.socket);
      setTimeout(() => response.end(), 5);
    });
    await Promise.all(Array.from({ length: 10 }, () => client.post(REQUEST)));
    await client.post(REQUEST);
    expect(receiver.received).toHaveLength(11);
    expect(sockets.size).toBeLessThanOrEqual(2);
  });
});
