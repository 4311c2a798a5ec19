import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction, Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type {
  WebhookClient,
  WebhookClientOptions,
} from '../../src/delivery/wire/webhook-client.ts';
import { DESTINATION_REFUSED } from '../../src/delivery/outcome.ts';
import { CLIENTS } from '../support/webhook-clients.ts';
import {
  startWebhookReceiver,
  withStatus,
  type WebhookReceiver,
} from '../support/webhook-receiver.ts';

const REQUEST = { id: 'birthday:u1:2026', sentAt: 0, attempt: 1, latenessMs: 0, body: '{}' };
const REFUSED = { status: null, errorCode: DESTINATION_REFUSED, responseExcerpt: null };
/** In a public range, and unassigned. */
const PUBLIC: LookupAddress = { address: '3000::1', family: 6 };
const LOOPBACK: LookupAddress = { address: '127.0.0.1', family: 4 };

/** Every address that a socket of this process tried to connect to, at the receiver's port. */
let attempted: string[] = [];
let receiver: WebhookReceiver;
let clients: WebhookClient[] = [];
beforeEach(async () => {
  receiver = await startWebhookReceiver();
  attempted = [];
  subscribe('net.client.socket', watch);
});
afterEach(async () => {
  unsubscribe('net.client.socket', watch);
  for (const client of clients) client.close();
  clients = [];
  await receiver.close();
});

function watch(message: unknown): void {
  const { socket } = message as { socket: Socket };
  const { port: own } = new URL(receiver.url);
  socket.on('connectionAttempt', (address: string, port: number) => {
    // Files share a process, whose other connections are not the client's.
    if (String(port) === own) attempted.push(address);
  });
}

/** The receiver's address under another host. */
function at(host: string, protocol = 'http'): string {
  return `${protocol}://${host}:${new URL(receiver.url).port}/greetings`;
}

/** Returns these answers, one after the other, and then the last one again. */
function resolver(...answers: LookupAddress[][]): LookupFunction & { asked: string[] } {
  const asked: string[] = [];
  const lookup: LookupFunction = (hostname, options, callback) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(hostname);
    const [first] = answer;
    if (options.all) callback(null, answer);
    else callback(null, first?.address ?? '', first?.family);
  };
  return Object.assign(lookup, { asked });
}

describe.each(CLIENTS)('$name', ({ name, create }) => {
  function clientOf(url: string, options: Partial<WebhookClientOptions> = {}): WebhookClient {
    const limits = { timeoutMs: 5000, maxSockets: 2 };
    const client = create({ url, ...limits, allowPrivate: false, ...options });
    clients.push(client);
    return client;
  }

  describe('an address instead of a name', () => {
    test.each([
      '127.0.0.1',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '127.1',
      '①②⑦.0.0.1',
      '0.0.0.0',
      '10.0.0.1',
      '169.254.169.254',
      '[::1]',
      '[::]',
      '[::ffff:127.0.0.1]',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '[fd00:ec2::254]',
    ])('%s is refused, and nothing is connected', async (host) => {
      expect(await clientOf(at(host)).post(REQUEST)).toMatchObject(REFUSED);
      expect(await clientOf(at(host, 'https')).post(REQUEST)).toMatchObject(REFUSED);
      expect(attempted).toEqual([]);
    });

    test('a public one is connected to', async () => {
      const { errorCode } = await clientOf(at('[3000::1]')).post(REQUEST);
      expect(errorCode).not.toBe(DESTINATION_REFUSED);
      expect(attempted).toEqual(['3000::1']);
    });
  });

  describe('a name', () => {
    test.each([
      ['of loopback', [LOOPBACK]],
      ['of loopback, mapped', [{ address: '::ffff:127.0.0.1', family: 6 }]],
      ['of several, the first of which is not public', [LOOPBACK, PUBLIC]],
      ['of several, the last of which is not public', [PUBLIC, PUBLIC, LOOPBACK]],
      ['of none', []],
    ])('%s is refused, and nothing is connected', async (_, answer) => {
      const lookup = resolver(answer);
      for (const protocol of ['http', 'https']) {
        const client = clientOf(at('rebind.example', protocol), { lookup });
        expect(await client.post(REQUEST)).toMatchObject(REFUSED);
      }
      expect(lookup.asked).toEqual(['rebind.example', 'rebind.example']);
      expect(attempted).toEqual([]);
    });

    test('localhost is refused by the resolver of the system', async () => {
      expect(await clientOf(at('localhost')).post(REQUEST)).toMatchObject(REFUSED);
      expect(attempted).toEqual([]);
    });

    test('that was public when it was resolved, and is loopback from then on, gains nothing', async () => {
      const lookup = resolver([PUBLIC], [LOOPBACK]);
      const client = clientOf(at('rebind.example'), { lookup });
      const { errorCode } = await client.post(REQUEST);
      expect(errorCode).not.toBe(DESTINATION_REFUSED);
      // Resolved once: the address that was checked is the one that was connected to.
      expect(lookup.asked).toHaveLength(1);
      expect(attempted).toEqual(['3000::1']);

      expect(await client.post(REQUEST)).toMatchObject(REFUSED);
      expect(lookup.asked).toHaveLength(2);
      expect(attempted).toEqual(['3000::1']);
      expect(receiver.received).toEqual([]);
    });

    test('that does not resolve is reported by its own code', async () => {
      const { errorCode } = await clientOf(at('no..body')).post(REQUEST);
      expect(errorCode).toMatch(/^(ENOTFOUND|EAI_AGAIN)$/);
    });
  });

  test.each(['127.0.0.1', 'rebind.example'])(
    'requests to %s that wait for a socket are refused too',
    async (host) => {
      const client = clientOf(at(host), { lookup: resolver([LOOPBACK]), maxSockets: 1 });
      const replies = await Promise.all(Array.from({ length: 5 }, () => client.post(REQUEST)));
      for (const reply of replies) expect(reply).toMatchObject(REFUSED);
      expect(attempted).toEqual([]);
    },
  );

  test('a redirect to a metadata service leads nowhere', async () => {
    receiver.answer(withStatus(307, { location: 'http://169.254.169.254/latest/meta-data' }));
    const reply = await clientOf(receiver.url, { allowPrivate: true }).post(REQUEST);
    expect(reply).toMatchObject({ status: 307 });
    expect(attempted).toEqual(['127.0.0.1']);
  });

  test('if private addresses are allowed, they are connected to, with or without a name', async () => {
    const lookup = resolver([LOOPBACK]);
    for (const host of ['127.0.0.1', '2130706433', 'inside.example']) {
      const client = clientOf(at(host), { allowPrivate: true, lookup });
      expect(await client.post(REQUEST)).toMatchObject({ status: 200 });
    }
    expect(lookup.asked).toEqual(['inside.example']);
  });

  test('proxy variables cannot bypass it', async () => {
    const source = join(import.meta.dirname, '../support/webhook-clients.ts');
    const code = `
    const { CLIENTS } = await import(${JSON.stringify(source)});
    const { create } = CLIENTS.find(({ name }) => name === ${JSON.stringify(name)});
    const [url] = process.argv.slice(1);
    const limits = { timeoutMs: 5000, maxSockets: 1 };
    const client = create({ url, ...limits, allowPrivate: false });
    console.log((await client.post(${JSON.stringify(REQUEST)})).errorCode);
    client.close();`;
    const proxy = new URL(receiver.url).origin;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', code, 'http://10.0.0.1:8080/'],
      {
        env: {
          ...process.env,
          NODE_USE_ENV_PROXY: '1',
          ...Object.fromEntries(
            ['http_proxy', 'https_proxy', 'all_proxy'].flatMap((name) => [
              [name, proxy],
              [name.toUpperCase(), proxy],
            ]),
          ),
          no_proxy: '',
          NO_PROXY: '',
        },
      },
    );
    expect(stdout.trim()).toBe(DESTINATION_REFUSED);
    expect(receiver.received).toEqual([]);
  });
});
