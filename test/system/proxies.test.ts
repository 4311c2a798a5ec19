/** Daybell behind HAProxy and nginx, and a receiver behind them, as docs/production.md has them. */
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';

import { describe, expect, onTestFinished, test } from 'vitest';

import { newApiKey } from '../../src/platform/settings/api-keys.ts';
import { ADA } from '../support/api.ts';
import { startDispatcherProcess } from '../support/dispatcher-process.ts';
import { createEventRows } from '../support/event-rows.ts';
import { freePort } from '../support/free-port.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';
import { PROXIES, startProxy } from './support/proxies.ts';

const HERD = 600;
const WITHIN = { timeout: 120_000, interval: 100 };

describe.each(PROXIES)('%s', (name) => {
  test('in front of the API, whose health check passes, hands on every request', async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const { key, entry } = newApiKey('crm', ['users:read', 'users:write']);
    const [port, front] = [await freePort(), await freePort()];
    const api = untilTestEnds(
      runProcess(ENTRIES.api, {
        DATABASE_URL: database.url,
        TEMPORAL_ADDRESS: '127.0.0.1:1',
        PORT: String(port),
        API_KEYS: entry,
      }),
    );
    await api.line(/"ready"/);
    const proxy = await startProxy(name, 'A proxy in front of the API', {
      '127.0.0.1:3000': `127.0.0.1:${port}`,
      443: String(front),
    });
    onTestFinished(() => proxy.stop());

    const send = async (method: string, path: string, body?: object) => {
      const asked = request({
        host: 'localhost',
        port: front,
        path,
        method,
        ca: proxy.ca,
        servername: 'localhost',
        headers: {
          host: 'daybell.example.com',
          authorization: `Bearer ${key}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
      });
      asked.end(body === undefined ? undefined : JSON.stringify(body));
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      return { status: answer.statusCode ?? 0, body: await text(answer) };
    };
    const listed = () =>
      send('GET', '/v1/users').then(
        ({ status }) => status,
        () => 0,
      );
    await expect.poll(listed, WITHIN).toBe(200);
    const created = await send('POST', '/v1/users', ADA);
    expect(created.status).toBe(201);
    expect((await send('GET', `/v1/users/${JSON.parse(created.body).id}`)).status).toBe(200);
    if (name === 'haproxy') {
      // At first it takes a server for one that is up.
      await expect.poll(proxy.checkStatus, WITHIN).toMatch(/^L\d/);
      expect(await proxy.checkStatus()).toBe('L7OK');
    }
    await proxy.restart();
    await expect.poll(listed, WITHIN).toBe(200);
  });

  test('in front of a receiver, restarted while a herd is sent: each is greeted once', async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const receiver = await startWebhookReceiver();
    onTestFinished(() => receiver.close());
    const front = await freePort();
    const proxy = await startProxy(name, 'A proxy in front of the receiver', {
      '127.0.0.1:8080': new URL(receiver.url).host,
      8443: String(front),
    });
    onTestFinished(() => proxy.stop());
    const rows = createEventRows(database.orm);
    await startDispatcherProcess(database.url, `https://localhost:${front}/greetings`, {
      NODE_EXTRA_CA_CERTS: proxy.caPath,
      // So that the restart is in the middle of it.
      WEBHOOK_MAX_PER_SECOND: '100',
      WEBHOOK_CONCURRENCY: '16',
    });
    const keys = await rows.addHerd(HERD, Date.now() - 1_000);
    await expect.poll(() => receiver.received.length, WITHIN).toBeGreaterThan(20);

    const restartedAt = Date.now();
    await proxy.restart();

    const completed = `select count(*)::int as done from events.occurrences where state = 'COMPLETED'`;
    await expect.poll(() => rows.sql(completed), WITHIN).toEqual([{ done: HERD }]);
    // Between the first and the 300th.
    const times = receiver.received.map(({ at }) => at).toSorted((a, b) => a - b);
    expect(times[0]).toBeLessThan(restartedAt);
    expect(times[299]).toBeGreaterThan(restartedAt);
    const greeted = Map.groupBy(receiver.received, ({ id }) => id);
    expect([...greeted.keys()].toSorted()).toEqual(keys.toSorted());
    // Twice, with one webhook-id: only what was under way when the proxy was ended.
    const twice = [...greeted.values()].filter(({ length }) => length > 1);
    expect(twice.length).toBeLessThanOrEqual(16);
    for (const [first] of twice) expect(first?.at).toBeLessThanOrEqual(restartedAt + 2_000);
  });
});
