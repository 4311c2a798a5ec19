/** Imports over a socket: what is in transit when a connection ends, and clients that read late. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { listen } from '../../src/platform/http-server.ts';
import { useTestApi } from '../support/api.ts';

const api = useTestApi();
let server: Awaited<ReturnType<typeof listen>>;
let port: number;
beforeAll(async () => {
  const place = { host: '127.0.0.1', port: 0, setting: 'PORT', keepAliveMs: 5_000 };
  server = await listen(api.app, { ...place, streams: new Set(['/v1/imports']) });
  port = Number(new URL(server.url).port);
});
afterAll(() => server.stop());
beforeEach(() => api.sql('truncate users.users cascade'));

const HEADER = 'externalId,firstName,dateOfBirth,timezone\n';
const rows = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, at) => `u${from + at},Ada,1990-12-10,UTC\n`).join('');
const stored = async (): Promise<number> => (await api.counts())['users'] ?? 0;

test('everything that was confirmed before the connection breaks is stored, and the file can be sent again', async () => {
  const sending = request({
    port,
    path: '/v1/imports?sync=true&maxDeletes=9999',
    method: 'POST',
    headers: { 'Content-Type': 'text/csv' },
  });
  sending.on('error', () => {});
  sending.write(HEADER + rows(0, 700));
  const [response] = await once(sending, 'response');
  response.on('error', () => {});
  // The response arrives while the file is still being sent.
  const [first] = await once(response, 'data');
  const progress = JSON.parse(String(first).split('\n')[0] ?? '');
  expect(progress).toMatchObject({ type: 'progress', line: 501, users: { created: 500 } });
  sending.destroy();
  expect(await stored()).toBeGreaterThanOrEqual(500);

  const answer = await fetch(`${server.url}/v1/imports`, {
    method: 'POST',
    headers: { 'Content-Type': 'text/csv' },
    body: HEADER + rows(0, 1_000),
  });
  const summary = JSON.parse((await answer.text()).trim().split('\n').at(-1) ?? '');
  expect(summary).toMatchObject({ type: 'summary', rows: 1_000, refused: 0 });
  expect(summary.users.created + summary.users.unchanged).toBe(1_000);
  expect(await stored()).toBe(1_000);
});

test('a client may send its whole file before it reads any of the response', async () => {
  const count = 30_000;
  const body =
    HEADER + Array.from({ length: count }, (_, at) => `u${at},Ada,1990-02-30,Nowhere\n`).join('');
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  await once(socket, 'connect');
  const head = `POST /v1/imports HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: text/csv\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  await new Promise<void>((resolve) => {
    socket.write(head + body, () => resolve());
  });
  let text = '';
  socket.setEncoding('utf8');
  for await (const part of socket) text += part;
  expect(text.match(/"type":"refused"/g)).toHaveLength(count);
  expect(text).toContain('"type":"summary"');
});

test('a response that no client waits for ends the import, and the next one takes its place', async () => {
  for (let time = 0; time < 3; time += 1) {
    const sending = request({
      port,
      path: '/v1/imports',
      method: 'POST',
      headers: { 'Content-Type': 'text/csv' },
    });
    sending.on('error', () => {});
    sending.write(HEADER + rows(0, 600));
    const [response] = await once(sending, 'response');
    response.on('error', () => {});
    await once(response, 'data');
    sending.destroy();
    await expect
      .poll(async () => {
        const answer = await fetch(`${server.url}/v1/imports?dryRun=true`, {
          method: 'POST',
          headers: { 'Content-Type': 'text/csv' },
          body: HEADER,
        });
        await answer.text();
        return answer.status;
      })
      .toBe(200);
  }
});
