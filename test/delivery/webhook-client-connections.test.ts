/** What a receiver does to a connection, and the effect on the request after it. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import pLimit from 'p-limit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { WebhookClient, WebhookReply } from '../../src/delivery/wire/webhook-client.ts';
import { OK, startRawReceiver, type RawReceiver } from '../support/raw-receiver.ts';
import { describeClients } from '../support/describe-clients.ts';

const SOCKETS = 8;
const WITHIN = { timeout: 60_000, interval: 20 };
const DELIVERED = { status: 200, errorCode: null };

const requestOf = (id: string) => ({ id, sentAt: 0, attempt: 1, latenessMs: 0, body: '{}' });

describeClients(({ create }) => {
  let receiver: RawReceiver;
  let client: WebhookClient;
  let reconnects: number;
  beforeEach(async () => {
    receiver = await startRawReceiver();
    reconnects = 0;
    client = clientOf(60_000);
  });
  afterEach(async () => {
    client.close();
    await receiver.close();
  });

  function clientOf(timeoutMs: number): WebhookClient {
    const onReconnect = () => (reconnects += 1);
    const limits = { timeoutMs, maxSockets: SOCKETS, allowPrivate: true };
    return create({ url: receiver.url, ...limits, onReconnect });
  }

  /** Like a dispatcher: at most as many at a time as there are connections. */
  function postAll(count: number): Promise<WebhookReply[]> {
    const ids = Array.from({ length: count }, (_, index) => `birthday:${index}:2026`);
    return pLimit(SOCKETS).map(ids, (id) => client.post(requestOf(id)));
  }

  const received = () => receiver.requests.map(({ id }) => id);

  describe('what follows an answer is not taken for the next one', () => {
    test.each([
      ['204 that announces a length', 204, 'content-length: 2\r\n'],
      ['204 that announces a type', 204, 'content-type: application/json\r\n'],
      ['204 that announces chunks', 204, 'transfer-encoding: chunked\r\n'],
      ['304 that announces a length', 304, 'content-length: 2\r\n'],
      ['304 that announces a type', 304, 'content-type: application/json\r\n'],
      ['205 without a length', 205, ''],
    ])('%s, and its body later: 60 come once each', async (_, status, header) => {
      receiver.answer((connection) => {
        connection.write(`HTTP/1.1 ${status} Nothing\r\n${header}\r\n`);
        setTimeout(() => connection.write('{}'), 2 + Math.random() * 48);
      });
      for (const reply of await postAll(60))
        expect(reply).toMatchObject({ status, errorCode: null });
      expect(received()).toHaveLength(60);
      expect(new Set(received()).size).toBe(60);
    });

    test.each([
      ['204', 'HTTP/1.1 204 No Content\r\n\r\n{}', 204],
      ['200 longer than its length', `${OK}{}`, 200],
      ['205 longer than its length', 'HTTP/1.1 205 Reset\r\ncontent-length: 0\r\n\r\n{}', 205],
      ['200 twice', `${OK}${OK}`, 200],
    ])('%s, and the rest at once: 60 come once each', async (_, answer, status) => {
      receiver.answer((connection) => void connection.write(answer));
      for (const reply of await postAll(60))
        expect(reply).toMatchObject({ status, errorCode: null });
      expect(new Set(received()).size).toBe(60);
      expect(received()).toHaveLength(60);
    });

    test.each([
      ['204', 'HTTP/1.1 204 No Content\r\n\r\n'],
      ['200 longer than its length', OK],
    ])('%s, and the rest while no request is open: the connection is closed', async (_, answer) => {
      receiver.answer((connection) => void connection.write(answer));
      for (const id of ['a', 'b', 'c']) {
        receiver.answer((connection) => {
          connection.write(answer);
          setTimeout(() => connection.write('{}'), 10);
        });
        expect(await client.post(requestOf(id))).toMatchObject({ errorCode: null });
        await vi.waitFor(() => expect(receiver.open).toBe(0), WITHIN);
      }
      expect(received()).toEqual(['a', 'b', 'c']);
      expect(receiver.connections).toBe(3);
      expect(reconnects).toBe(0);
    });

    test('what could not be known in time costs each connection one request, and then none', async () => {
      receiver.answer((connection) => {
        connection.write('HTTP/1.1 204 No Content\r\n\r\n');
        setTimeout(() => connection.write('{}'), 2);
      });
      const failed = (await postAll(100)).filter(({ status }) => status !== 204);
      expect(failed.length).toBeLessThanOrEqual(SOCKETS);
      for (const reply of failed) {
        expect(reply).toMatchObject({ status: null, errorCode: 'HPE_INVALID_CONSTANT' });
      }
      expect((await postAll(50)).filter(({ status }) => status !== 204)).toEqual([]);
    });

    test('a response as long as it announces keeps its connection', async () => {
      const answers = [
        OK,
        'HTTP/1.1 204 No Content\r\n\r\n',
        'HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n',
        'HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n',
        'HTTP/1.1 304 Not Modified\r\n\r\n',
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      ];
      for (const [index, answer] of answers.entries()) {
        receiver.answer((connection) => void connection.write(answer));
        await client.post(requestOf(String(index)));
      }
      expect(receiver.connections).toBe(1);
    });
  });

  describe('a kept connection that is closed by then', () => {
    /** Serves this many requests on a connection, and closes it at the next. */
    function closeAfter(most: number, close: (connection: Socket) => void) {
      receiver.answer((connection, { number }) => {
        if (number > most) close(connection);
        else connection.write(OK);
      });
    }

    test.each([
      ['a reset', (connection: Socket) => connection.resetAndDestroy()],
      ['an end', (connection: Socket) => void connection.end()],
    ])('by %s: the request goes out again at once, on a new one', async (_, close) => {
      closeAfter(1, close);
      expect(await client.post(requestOf('first'))).toMatchObject(DELIVERED);
      expect(reconnects).toBe(0);
      expect(await client.post(requestOf('second'))).toMatchObject(DELIVERED);
      expect(reconnects).toBe(1);
      // The receiver saw it twice, if at all, with every header the same but for the connection's.
      const [first, again] = receiver.requests
        .filter(({ id }) => id === 'second')
        .map(({ text }) => text.replace(/^connection: .*$/im, ''));
      expect(again).toBe(first);
    });

    test('also delivers a herd at the first attempt that finds all of them closed', async () => {
      await postAll(SOCKETS);
      const kept = receiver.connections;
      closeAfter(1, (connection) => connection.resetAndDestroy());
      for (const reply of await postAll(60)) expect(reply).toMatchObject(DELIVERED);
      expect(receiver.connections).toBeGreaterThan(kept);
      expect(reconnects).toBeGreaterThanOrEqual(SOCKETS);
    });

    test('also serves a receiver that closes each at its second request', async () => {
      closeAfter(1, (connection) => connection.destroy());
      for (const reply of await postAll(60)) expect(reply).toMatchObject(DELIVERED);
    });

    test('is no reason for a third request', async () => {
      await client.post(requestOf('first'));
      receiver.answer((connection) => connection.resetAndDestroy());
      const reply = await client.post(requestOf('second'));
      expect(reply).toMatchObject({ status: null, errorCode: 'ECONNRESET' });
      expect(received()).toEqual(['first', 'second', 'second']);
      expect(reconnects).toBe(1);
    });

    test('is no reason if a byte of the response had come', async () => {
      await client.post(requestOf('first'));
      receiver.answer((connection) => {
        connection.write('H', () => setTimeout(() => connection.resetAndDestroy(), 20));
      });
      const reply = await client.post(requestOf('second'));
      expect(reply).toMatchObject({ status: null, errorCode: 'ECONNRESET' });
      expect(received()).toEqual(['first', 'second']);
      expect(reconnects).toBe(0);
    });

    test('gives both requests together the time of one', async () => {
      const hasty = clientOf(1_500);
      await hasty.post(requestOf('first'));
      receiver.answer((connection, { number }) => {
        // By then, half of the time is over.
        if (number > 1) setTimeout(() => connection.resetAndDestroy(), 750);
      });
      const reply = await hasty.post(requestOf('second'));
      hasty.close();
      expect(reply).toMatchObject({ status: null, errorCode: 'ETIMEDOUT' });
      expect(reconnects).toBe(1);
      expect(reply.durationMs).toBeGreaterThanOrEqual(1_490);
      expect(reply.durationMs).toBeLessThan(2_200);
    });
  });

  test('a new connection that breaks is reported, and not retried', async () => {
    receiver.answer((connection) => connection.resetAndDestroy());
    const reply = await client.post(requestOf('first'));
    expect(reply).toMatchObject({ status: null, errorCode: 'ECONNRESET' });
    expect(received()).toEqual(['first']);
    expect(reconnects).toBe(0);
  });

  test('a timeout on a kept connection is reported, and not retried', async () => {
    const hasty = clientOf(1_500);
    await hasty.post(requestOf('first'));
    receiver.answer(() => {});
    const reply = await hasty.post(requestOf('second'));
    hasty.close();
    expect(reply).toMatchObject({ status: null, errorCode: 'ETIMEDOUT' });
    expect(received()).toEqual(['first', 'second']);
  });

  test.each([
    ['an end', 'end'],
    ['a reset', 'reset'],
  ])('an answer that ends anywhere by %s counts from its last head line on', async (_, by) => {
    const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
    const head = answer.length - 2;
    for (let length = 0; length <= answer.length; length += 1) {
      receiver.answer((connection) => {
        connection.write(answer.slice(0, length));
        // Unread data is lost with a reset.
        if (by === 'end') connection.end();
        else setTimeout(() => connection.resetAndDestroy(), 20);
      });
      const { status, errorCode } = await client.post(requestOf(String(length)));
      const expected = length < head ? [null, 'ECONNRESET'] : [200, null];
      expect([length, status, errorCode]).toEqual([length, ...expected]);
      if (by === 'reset' && length === answer.length) await sleep(30);
    }
    expect(received()).toHaveLength(answer.length + 1);
  });
});
