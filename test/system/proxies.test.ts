/** Daybell behind HAProxy and nginx, configured as in docs/production.md. */
import { describe, expect, onTestFinished, test } from 'vitest';

import { newApiKey } from '../../src/platform/settings/api-keys.ts';
import { ADA } from '../support/api.ts';
import { createAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { createHttpsClient } from './support/https-client.ts';
import { PROXIES, startProxy } from './support/proxies.ts';

const WITHIN = { timeout: 120_000, interval: 100 };

describe.each(PROXIES)('%s', (name) => {
  test('in front of the API, with a passing health check, forwards every request', async () => {
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
    const authority = createAuthority();
    const proxy = await startProxy(name, authority, {
      'A proxy in front of the API': {
        '127.0.0.1:3000': `127.0.0.1:${port}`,
        443: String(front),
      },
    });
    onTestFinished(() => proxy.stop());
    const client = createHttpsClient(authority, key);
    onTestFinished(() => client.close());
    const send = (method: string, path: string, body?: object) =>
      client.send(front, method, path, body);
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
});
