// @module-tag long
/** Receivers that do not answer properly, or not at all. */
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo, type Server } from 'node:net';

import { afterEach, describe, expect, test, vi } from 'vitest';

import { DESTINATION_REFUSED } from '../../src/delivery/outcome.ts';
import {
  halfABody,
  halfAHead,
  late,
  never,
  page,
  slowDrip,
  slowHead,
  switchProtocols,
  tenGigabytes,
  type Answer,
} from './bad-answers.ts';
import { selfSigned } from '../support/certificates.ts';
import { describeClients } from '../support/describe-clients.ts';
import { deliver } from './delivery-story.ts';
import { useDispatcherFixture, WITHIN } from '../support/dispatcher-fixture.ts';

/** For requests that end only by it: short, but long enough for a request to get there. */
const SHORT_MS = 1_500;

/** Four times with short pauses and once at the moment of giving up, each with this outcome. */
function retriedToTheEnd(attempt: object) {
  const attempts = Array.from({ length: 5 }, () => expect.objectContaining(attempt));
  return { state: 'FAILED', reason: 'gave_up', attempts, pauses: expect.any(Array) };
}

describeClients(({ name: client }) => {
  const fixture = useDispatcherFixture();
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function listening(server: Server): Promise<number> {
    servers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  }

  describe('delivered by its status, whatever the body', () => {
    test.each<[string, Answer, string]>([
      ['a body of 10 GB', tenGigabytes, 'x'.repeat(1024)],
      ['half a body and a reset', halfABody, 'ten bytes.'],
      ['a body that drips for ever', slowDrip, 'drip'],
    ])('200 and %s', async (_, answer, excerpt) => {
      fixture.receiver.answer(answer);
      const { attempts, ...story } = await deliver(fixture, { client, timeoutMs: SHORT_MS });
      expect(story).toMatchObject({ state: 'COMPLETED', reason: null });
      expect(attempts).toMatchObject([{ outcome: 'delivered', status: 200, errorCode: null }]);
      expect(attempts[0]?.excerpt?.startsWith(excerpt)).toBe(true);
    });

    test('200 after 9 s is in time by the default timeout', async () => {
      fixture.receiver.answer(late(9_000, page(200)));
      const { attempts, state } = await deliver(fixture, { client, timeoutMs: 15_000 });
      expect(state).toBe('COMPLETED');
      expect(attempts).toMatchObject([{ outcome: 'delivered', status: 200 }]);
      expect(fixture.receiver.received).toHaveLength(1);
    });
  });

  describe('tried again to the end', () => {
    test.each<[string, Answer, string]>([
      ['no answer', never, 'ETIMEDOUT'],
      ['a head that drips for ever', slowHead, 'ETIMEDOUT'],
      ['half a head and a reset', halfAHead, 'ECONNRESET'],
    ])('%s', async (_, answer, errorCode) => {
      fixture.receiver.answer(answer);
      const story = await deliver(fixture, { client, timeoutMs: SHORT_MS });
      expect(story).toEqual(
        retriedToTheEnd({ outcome: 'retry', status: null, errorCode, excerpt: null }),
      );
      expect(fixture.receiver.received).toHaveLength(5);
    });

    test('after a switch to another protocol, which was not requested; and its connection is closed', async () => {
      let open = 0;
      fixture.receiver.answer((response) => {
        open += 1;
        response.socket?.once('close', () => (open -= 1));
        switchProtocols(response);
      });
      expect(await deliver(fixture, { client })).toEqual(
        retriedToTheEnd({ outcome: 'retry', status: 101 }),
      );
      await vi.waitFor(() => expect(open).toBe(0), WITHIN);
    });

    test('after an untrusted certificate', async () => {
      let requests = 0;
      const port = await listening(createHttpsServer(selfSigned(), () => (requests += 1)));
      const story = await deliver(fixture, { client, webhookUrl: `https://localhost:${port}/` });
      const errorCode = 'DEPTH_ZERO_SELF_SIGNED_CERT';
      expect(story).toEqual(retriedToTheEnd({ outcome: 'retry', status: null, errorCode }));
      expect(requests).toBe(0);
    });

    test('without TLS where it is expected', async () => {
      const { port } = new URL(fixture.receiver.url);
      const story = await deliver(fixture, { client, webhookUrl: `https://127.0.0.1:${port}/` });
      expect(story).toEqual(
        retriedToTheEnd({
          outcome: 'retry',
          status: null,
          errorCode: expect.stringMatching(/^(EPROTO|ERR_SSL_)/),
        }),
      );
    });

    test('on a closed port', async () => {
      const server = createServer();
      const port = await listening(server);
      server.close();
      const story = await deliver(fixture, { client, webhookUrl: `http://127.0.0.1:${port}/` });
      expect(story).toEqual(
        retriedToTheEnd({ outcome: 'retry', status: null, errorCode: 'ECONNREFUSED' }),
      );
    });

    test('for a name that does not resolve', async () => {
      const story = await deliver(fixture, { client, webhookUrl: 'http://no..body/' });
      const errorCode = expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/);
      expect(story).toEqual(retriedToTheEnd({ outcome: 'retry', status: null, errorCode }));
    });
  });

  test('a destination that the guard refuses is given up at once', async () => {
    const { attempts, ...story } = await deliver(fixture, { client, allowPrivate: false });
    expect(story).toMatchObject({ state: 'FAILED', reason: 'refused' });
    expect(attempts).toMatchObject([
      { outcome: 'give_up', status: null, errorCode: DESTINATION_REFUSED },
    ]);
    expect(fixture.receiver.received).toEqual([]);
  });
});
