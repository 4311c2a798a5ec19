// @module-tag long
/** Sixty due at once, and a receiver that breaks the rules of HTTP: each is delivered once, at the first attempt. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { useDispatcherFixture, WITHIN } from '../support/dispatcher-fixture.ts';
import { OK, startRawReceiver, type RawAnswer, type RawReceiver } from '../support/raw-receiver.ts';
import { describeClients } from '../support/describe-clients.ts';

const HERD = 60;

/** Responds with a head, and some ms later with a body that must have no effect. */
function withLeftovers(head: string): RawAnswer {
  return async (connection) => {
    connection.write(`${head}\r\n\r\n`);
    await sleep(2 + Math.random() * 48);
    connection.write('{}');
  };
}

const KINDS: readonly [name: string, answer: RawAnswer][] = [
  ['204 with a length, and its body later', withLeftovers('HTTP/1.1 204 No\r\ncontent-length: 2')],
  ['204 with a type, and its body later', withLeftovers('HTTP/1.1 204 No\r\ncontent-type: a/b')],
  [
    '20,000 bytes of headers',
    (connection) => {
      const header = `a: ${'x'.repeat(997)}\r\n`;
      connection.write(`HTTP/1.1 200 OK\r\n${header.repeat(20)}content-length: 0\r\n\r\n`);
    },
  ],
  [
    'a folded header',
    (connection) => {
      connection.write('HTTP/1.1 200 OK\r\na: a;\r\n b\r\ncontent-length: 0\r\n\r\n');
    },
  ],
];

describeClients(({ name: client }) => {
  const fixture = useDispatcherFixture();
  let receiver: RawReceiver;
  beforeEach(async () => {
    receiver = await startRawReceiver();
  });
  afterEach(() => receiver.close());

  test.each(KINDS)('%s', async (_, answer) => {
    receiver.answer(answer);
    await fixture.rows.addHerd(HERD, Date.now() - 1_000);
    await fixture.dispatch({ client, webhookUrl: receiver.url });
    await vi.waitFor(async () => expect(await fixture.countIn('COMPLETED')).toBe(HERD), WITHIN);
    expect(receiver.requests).toHaveLength(HERD);
    expect(new Set(receiver.requests.map(({ id }) => id)).size).toBe(HERD);
    expect(await fixture.rows.sql('select 1 from events.attempts')).toHaveLength(HERD);
  });

  test('connections that are closed silently while nothing is due', async () => {
    // Before the next herd, every connection is closed, which is noticed only then.
    let isAwake = true;
    receiver.answer((connection, { number }) => {
      if (isAwake || number === 1) connection.write(OK);
      else connection.resetAndDestroy();
    });
    await fixture.dispatch({ client, webhookUrl: receiver.url });
    await fixture.rows.addHerd(HERD, Date.now() - 1_000);
    await vi.waitFor(async () => expect(await fixture.countIn('COMPLETED')).toBe(HERD), WITHIN);
    isAwake = false;
    await fixture.rows.addHerd(HERD, Date.now() - 1_000);
    await vi.waitFor(async () => expect(await fixture.countIn('COMPLETED')).toBe(2 * HERD), WITHIN);
    expect(new Set(receiver.requests.map(({ id }) => id)).size).toBe(2 * HERD);
    expect(await fixture.rows.sql('select 1 from events.attempts')).toHaveLength(2 * HERD);
  });
});
