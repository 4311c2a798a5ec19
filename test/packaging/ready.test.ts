/** The health check of the containers: `src/cli/ready.ts`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect, onTestFinished, test } from 'vitest';

import { freePort } from '../support/free-port.ts';
import { runProcess } from '../support/process.ts';

async function check(port: number | string) {
  const command = runProcess('src/cli/ready.ts', { METRICS_PORT: String(port) });
  return { exitCode: await command.exited, said: command.lines.join('\n') };
}

/** Stands in for a process that has, or lacks, what it needs. */
async function processThat(status: number, body: object): Promise<number> {
  const server = createServer(({ url }, response) => {
    response.writeHead(url === '/readyz' ? status : 404).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test('a ready process passes', async () => {
  expect(await check(await processThat(200, { ready: true }))).toMatchObject({ exitCode: 0 });
});

test('a process that is not ready fails, with what is missing', async () => {
  const body = { ready: false, checks: [{ name: 'database', ready: false }] };
  const { exitCode, said } = await check(await processThat(503, body));
  expect({ exitCode, said: JSON.parse(said) }).toEqual({ exitCode: 1, said: body });
});

test('a process that does not answer fails', async () => {
  const { exitCode, said } = await check(await freePort());
  expect(exitCode).toBe(1);
  expect(said).toContain('It does not answer');
});

test('a missing setting is named', async () => {
  const { exitCode, said } = await check('');
  expect(exitCode).toBe(78);
  expect(said).toContain('METRICS_PORT: must be set');
});
