/** Responses of receivers: how both clients read each of them, to the byte. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { WebhookClient } from '../../src/delivery/wire/webhook-client.ts';
import { startRawReceiver, type RawReceiver } from '../support/raw-receiver.ts';
import { describeClients } from '../support/describe-clients.ts';

const REQUEST = { id: 'birthday:u1:2026', sentAt: 0, attempt: 1, latenessMs: 0, body: '{}' };
/** For requests that end only by it. */
const SHORT_MS = 1_500;
const WITHIN = { timeout: 60_000, interval: 20 };

/** A head with these lines. */
const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;

describeClients(({ create }) => {
  let receiver: RawReceiver;
  let client: WebhookClient;
  beforeEach(async () => {
    receiver = await startRawReceiver();
    client = clientOf(60_000);
  });
  afterEach(async () => {
    client.close();
    await receiver.close();
  });

  function clientOf(timeoutMs: number): WebhookClient {
    return create({ url: receiver.url, timeoutMs, maxSockets: 2, allowPrivate: true });
  }

  function answerWith(bytes: string | Uint8Array): void {
    receiver.answer((connection) => void connection.write(bytes));
  }

  describe('a status decides', () => {
    test.each([
      200, 201, 202, 203, 206, 207, 226, 299, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405,
      408, 410, 413, 418, 422, 425, 429, 451, 499, 500, 501, 502, 503, 504, 599, 600, 999,
    ])('%i', async (status) => {
      answerWith(head(`HTTP/1.1 ${status} Words`, 'content-length: 2') + 'ok');
      expect(await client.post(REQUEST)).toMatchObject({ status, errorCode: null });
      expect(receiver.requests).toHaveLength(1);
    });

    test.each([
      ['without words', head('HTTP/1.1 200', 'content-length: 0')],
      ['of HTTP/1.0, to the end of the connection', `${head('HTTP/1.0 200 OK')}ok`],
      ['of HTTP/1.0 with a length', `${head('HTTP/1.0 200 OK', 'content-length: 2')}ok`],
      ['after 100', head('HTTP/1.1 100 Continue') + head('HTTP/1.1 200 OK', 'content-length: 0')],
      [
        'after 102 and 103',
        head('HTTP/1.1 102 Processing') +
          head('HTTP/1.1 103 Early Hints', 'link: </a>') +
          head('HTTP/1.1 200 OK', 'content-length: 0'),
      ],
      ['with a header twice', head('HTTP/1.1 200 OK', 'a: 1', 'a: 2', 'content-length: 0')],
    ])('200 %s', async (_, answer) => {
      receiver.answer((connection) => void connection.end(answer));
      expect(await client.post(REQUEST)).toMatchObject({ status: 200, errorCode: null });
    });

    test('200 that comes a byte at a time', async () => {
      receiver.answer(async (connection) => {
        for (const byte of `${head('HTTP/1.1 200 OK', 'content-length: 2')}ok`) {
          connection.write(byte);
          await sleep(1);
        }
      });
      const reply = await client.post(REQUEST);
      expect(reply).toMatchObject({ status: 200, errorCode: null, responseExcerpt: 'ok' });
    });
  });

  describe('the status line counts, and the connection is closed, if the rest of the head is broken', () => {
    const broken: [string, string][] = [
      ['a folded line', head('HTTP/1.1 200 OK', 'a: b;', ' c', 'content-length: 2') + 'ok'],
      ['line feeds alone', 'HTTP/1.1 200 OK\ncontent-length: 2\n\nok'],
      ['one line feed alone', 'HTTP/1.1 200 OK\r\na: b\ncontent-length: 2\r\n\r\nok'],
      ['two lengths', head('HTTP/1.1 200 OK', 'content-length: 2', 'content-length: 3') + 'ok'],
      [
        'a length and chunks',
        head('HTTP/1.1 200 OK', 'content-length: 2', 'transfer-encoding: chunked') +
          '2\r\nok\r\n0\r\n\r\n',
      ],
      ['a length that is none', head('HTTP/1.1 200 OK', 'content-length: two') + 'ok'],
      ['a negative length', head('HTTP/1.1 200 OK', 'content-length: -1') + 'ok'],
      ['a length without end', head('HTTP/1.1 200 OK', `content-length: 9${'9'.repeat(30)}`)],
      ['a line without a colon', head('HTTP/1.1 200 OK', 'nonsense', 'content-length: 2') + 'ok'],
      ['a space before a colon', head('HTTP/1.1 200 OK', 'content-length : 2') + 'ok'],
      ['a name with a space', head('HTTP/1.1 200 OK', 'a b: c', 'content-length: 2') + 'ok'],
      ['a header without a name', head('HTTP/1.1 200 OK', ': c', 'content-length: 2') + 'ok'],
      ['a NUL', head('HTTP/1.1 200 OK', 'a: \0', 'content-length: 2') + 'ok'],
      ['a control character', head('HTTP/1.1 200 OK', 'a: \u0001', 'content-length: 2') + 'ok'],
      ['a carriage return alone', head('HTTP/1.1 200 OK', 'a: b\rc', 'content-length: 2') + 'ok'],
      ['an interim answer before it', head('HTTP/1.1 100 Continue') + head('HTTP/1.1 200 OK', 'a')],
      ['a status line in its body', `${head('HTTP/1.1 200 OK', 'a')}HTTP/1.1 500 No\r\n\r\n`],
    ];

    test.each(broken)('%s', async (_, answer) => {
      answerWith(answer);
      expect(await client.post(REQUEST)).toMatchObject({ status: 200, errorCode: null });
      await vi.waitFor(() => expect(receiver.open).toBe(0), WITHIN);
      expect(receiver.requests).toHaveLength(1);
    });

    test.each(broken)('%s, a byte at a time', async (_, answer) => {
      receiver.answer(async (connection) => {
        for (const byte of answer) {
          if (connection.writable) connection.write(byte, 'latin1');
          await sleep(1);
        }
      });
      expect(await client.post(REQUEST)).toMatchObject({ status: 200, errorCode: null });
      await vi.waitFor(() => expect(receiver.open).toBe(0), WITHIN);
    });

    test('503 still says when to retry, even on a folded line', async () => {
      answerWith(`${head('HTTP/1.1 503 Later', 'Retry-After:', ' 120', 'content-length: 4')}busy`);
      expect(await client.post(REQUEST)).toMatchObject({
        status: 503,
        errorCode: null,
        retryAfter: '120',
        responseExcerpt: 'busy',
      });
    });

    test.each([
      ['no HTTP', '220 mail.example.com ESMTP\r\n'],
      ['an empty line and no more', '\r\n\r\n{}'],
      ['a status of two digits', head('HTTP/1.1 20 OK')],
      ['a status of four digits', head('HTTP/1.1 2000 OK')],
      ['a status that is none', head('HTTP/1.1 two OK')],
      ['words after a tab', head('HTTP/1.1 200\tOK', 'content-length: 0')],
      ['two spaces before the status', head('HTTP/1.1  200 OK', 'content-length: 0')],
      ['a version of one number', head('HTTP/2 200', 'content-length: 0')],
      ['an interim answer and then none', `${head('HTTP/1.1 100 Continue')}{}`],
      ['a body and nothing before it', '{"status":"HTTP/1.1 200 OK"}\r\n'],
      ['a body before it', `{}\r\n${head('HTTP/1.1 200 OK', 'content-length: 0')}`],
    ])('without a status line there is no status: %s', async (_, answer) => {
      answerWith(answer);
      const reply = await client.post(REQUEST);
      expect(reply).toMatchObject({ status: null, errorCode: expect.stringMatching(/^HPE_/) });
      expect(reply).toMatchObject({ responseExcerpt: null, retryAfter: null });
    });
  });

  describe('headers', () => {
    test.each([20_000, 60_000])('of %i bytes are read', async (bytes) => {
      const lines = Array.from({ length: bytes / 1000 }, () => `a: ${'x'.repeat(996)}`);
      answerWith(`${head('HTTP/1.1 503 Later', ...lines, 'retry-after: 7', 'content-length: 0')}`);
      expect(await client.post(REQUEST)).toMatchObject({ status: 503, retryAfter: '7' });
    });

    test.each([
      ['one line', (): string => 'x'.repeat(16_384)],
      ['many lines', (): string => `${'x'.repeat(98)}\r\na: `.repeat(160)],
    ])('without end in %s are not read to the end: the status line counts', async (_, more) => {
      let written = 0;
      receiver.answer((connection) => {
        connection.write('HTTP/1.1 200 OK\r\na: ');
        const write = (): void => {
          while (connection.writable && connection.write(more())) written += 16_000;
        };
        connection.on('drain', write);
        write();
      });
      expect(await client.post(REQUEST)).toMatchObject({ status: 200, errorCode: null });
      await vi.waitFor(() => expect(receiver.open).toBe(0), WITHIN);
      // What the sockets' buffers hold, and no more.
      expect(written).toBeLessThan(32 * 1024 * 1024);
    });
  });

  describe('a response body', () => {
    test('of 1 GB is not read to the end', async () => {
      let written = 0;
      receiver.answer((connection) => {
        connection.write(head('HTTP/1.1 200 OK', `content-length: ${1024 ** 3}`));
        const write = (): void => {
          while (connection.writable && connection.write('x'.repeat(16_384))) written += 16_384;
        };
        connection.on('drain', write);
        write();
      });
      expect(await client.post(REQUEST)).toMatchObject({
        status: 200,
        errorCode: null,
        responseExcerpt: 'x'.repeat(1024),
      });
      await vi.waitFor(() => expect(receiver.open).toBe(0), WITHIN);
      expect(written).toBeLessThan(32 * 1024 * 1024);
    });

    test('of 64 KB keeps its connection, and a larger one does not', async () => {
      for (const bytes of [65_536, 65_536, 65_537, 1]) {
        answerWith(head('HTTP/1.1 200 OK', `content-length: ${bytes}`) + 'x'.repeat(bytes));
        expect(await client.post(REQUEST)).toMatchObject({ status: 200 });
      }
      expect(receiver.connections).toBe(2);
    });

    test('that would decompress to 100 MB is not decompressed', async () => {
      const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024));
      const headers = ['content-encoding: gzip', `content-length: ${bomb.length}`];
      answerWith(Buffer.concat([Buffer.from(head('HTTP/1.1 200 OK', ...headers)), bomb]));
      const { status, responseExcerpt } = await client.post(REQUEST);
      expect(status).toBe(200);
      expect(Buffer.byteLength(responseExcerpt ?? '')).toBeLessThan(4_096);
      expect(receiver.requests[0]?.text).not.toMatch(/^accept-encoding/im);
    });

    test.each([
      ['of broken chunks', `${head('HTTP/1.1 202 OK', 'transfer-encoding: chunked')}2\r\nokx`],
      ['that breaks off', `${head('HTTP/1.1 202 OK', 'content-length: 9')}ok`],
      [
        'that breaks off in a chunk',
        `${head('HTTP/1.1 202 OK', 'transfer-encoding: chunked')}9\r\nok`,
      ],
      ['without a length', `${head('HTTP/1.1 202 OK')}ok`],
      ['in an encoding that nobody knows', `${head('HTTP/1.1 202 OK', 'transfer-encoding: x')}ok`],
    ])('%s counts by its status', async (_, answer) => {
      receiver.answer((connection) => void connection.end(answer));
      expect(await client.post(REQUEST)).toMatchObject({ status: 202, errorCode: null });
      await vi.waitFor(() => expect(receiver.open).toBe(0), WITHIN);
    });
  });

  describe('the time limit holds', () => {
    test.each([
      ['before the first byte', ''],
      ['in the status line', 'HTTP/1.1 200'],
      ['in the head', 'HTTP/1.1 200 OK\r\ncontent-le'],
      ['after an interim answer', head('HTTP/1.1 100 Continue')],
    ])('%s', async (_, beginning) => {
      answerWith(beginning);
      const hasty = clientOf(SHORT_MS);
      const reply = await hasty.post(REQUEST);
      expect(reply).toMatchObject({ status: null, errorCode: 'ETIMEDOUT', responseExcerpt: null });
      await vi.waitFor(() => expect(receiver.open).toBe(0), WITHIN);
      hasty.close();
    });

    test.each([
      ['in a body with a length', 'content-length: 9'],
      ['in chunks', 'transfer-encoding: chunked'],
      ['in a body that ends with its connection', 'a: b'],
    ])('%s, and the status counts', async (_, header) => {
      answerWith(head('HTTP/1.1 200 OK', header));
      const hasty = clientOf(SHORT_MS);
      const reply = await hasty.post(REQUEST);
      expect(reply).toMatchObject({ status: 200, errorCode: null });
      await vi.waitFor(() => expect(receiver.open).toBe(0), WITHIN);
      hasty.close();
    });
  });

  test('a response counts even if it comes while the request is still being written', async () => {
    // It reads the head, answers, and reads no more.
    const body = JSON.stringify('x'.repeat(32 * 1024 * 1024));
    let reading: Socket | null = null;
    receiver.onHead((connection) => {
      reading = connection.pause();
      connection.write(`${head('HTTP/1.1 413 Too much', 'content-length: 2')}no`);
    });
    const reply = await client.post({ ...REQUEST, body });
    expect(reply).toMatchObject({ status: 413, errorCode: null, responseExcerpt: 'no' });
    (reading as Socket | null)?.resume();
    await vi.waitFor(() => expect(receiver.open).toBe(0), WITHIN);
    expect(receiver.requests).toEqual([]);
  });
});
