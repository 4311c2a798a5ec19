import { once } from 'node:events';
import { connect } from 'node:net';

import { Hono } from 'hono';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';

import { listen } from './http-server.ts';

const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A request of which only a part has been sent. */
async function beginRequest(path: string) {
  const { promise: received, resolve } = Promise.withResolvers<void>();
  const app = new Hono();
  app.post('*', async (c) => {
    const reader = c.req.raw.body?.getReader();
    await reader?.read();
    resolve();
    for (let read = 0; (await reader?.read().catch(() => null))?.done === false; read += 1);
    return c.text('done');
  });
  const place = { host: '127.0.0.1', port: 0, setting: 'PORT', keepAliveMs: 5_000 };
  const server = await listen(app, { ...place, streams: new Set(['/stream']) });
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  onTestFinished(async () => {
    socket.destroy();
    vi.useRealTimers();
    await server.stop();
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  await once(socket, 'connect');
  socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx`);
  return { socket, received, closed };
}

test('a request whose body trickles in is ended after five minutes', async () => {
  const { socket, received, closed } = await beginRequest('/users');
  await received;
  vi.advanceTimersByTime(4 * MINUTE);
  socket.write('y');
  expect(socket.closed).toBe(false);
  vi.advanceTimersByTime(MINUTE);
  await closed;
});

test('a stream may take any time while something moves, and is ended when nothing does', async () => {
  const { socket, received, closed } = await beginRequest('/stream?dryRun=true');
  await received;
  for (let minutes = 0; minutes < 30; minutes += 2) {
    await new Promise<void>((resolve) => {
      socket.write('y', () => resolve());
    });
    await new Promise((resolve) => {
      setImmediate(() => setImmediate(resolve));
    });
    vi.advanceTimersByTime(2 * MINUTE);
  }
  expect(socket.closed).toBe(false);
  vi.advanceTimersByTime(2 * MINUTE);
  await closed;
});

test('a stream that has its response is no longer watched while its connection is kept', async () => {
  const { socket, received } = await beginRequest('/stream');
  await received;
  const cleared = vi.spyOn(globalThis, 'clearInterval');
  onTestFinished(() => cleared.mockRestore());
  const answered = once(socket, 'data');
  socket.write('y'.repeat(99));
  expect(String(await answered)).toMatch(/^HTTP\/1\.1 200/);
  await vi.waitFor(() => expect(cleared).toHaveBeenCalledTimes(1));
  expect(socket.closed).toBe(false);
});
