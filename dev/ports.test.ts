import { createServer, type AddressInfo } from 'node:net';

import { expect, onTestFinished, test } from 'vitest';

import { newApiKey } from '../src/platform/settings/api-keys.ts';
import { loadSettings } from '../src/platform/settings/settings.ts';
import { banner } from './banner.ts';
import { findPorts, withMetricsPort } from './ports.ts';

const FREE = {
  PORT: '0',
  POSTGRES_DEV_PORT: '0',
  TEMPORAL_DEV_PORT: '0',
  TEMPORAL_DEV_UI_PORT: '0',
  RECEIVER_DEV_PORT: '0',
};
const find = (settings: NodeJS.ProcessEnv) => findPorts(loadSettings({ ...FREE, ...settings }));

test('without METRICS_PORT no process gets one', async () => {
  const { metrics } = await find({});
  expect(metrics).toBeNull();
  expect(withMetricsPort({ PATH: '/bin' }, 'worker', metrics)).toEqual({ PATH: '/bin' });
});

test('with METRICS_PORT=0 each process gets a free port of its own, and the banner says which', async () => {
  const ports = await find({ METRICS_PORT: '0' });
  const { metrics } = ports;
  expect(Object.keys(metrics ?? {})).toEqual(['api', 'worker', 'dispatcher', 'scheduler']);
  expect(new Set(Object.values({ ...metrics, api_: ports.api })).size).toBe(5);
  const environment = { METRICS_PORT: '0', PATH: '/bin' };
  expect(withMetricsPort(environment, 'scheduler', metrics)).toEqual({
    METRICS_PORT: String(metrics?.scheduler),
    PATH: '/bin',
  });
  expect(withMetricsPort(environment, 'receiver', metrics)).toBe(environment);

  const settings = loadSettings({ HOST: '0.0.0.0' });
  const said = banner({ settings, ports, dataDir: '/data' });
  for (const [name, port] of Object.entries(metrics ?? {})) {
    expect(said).toContain(`http://127.0.0.1:${port}/metrics ${name}`);
  }
});

test('one of the four that is taken is named', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as AddressInfo;
  await expect(find({ METRICS_PORT: String(port - 2) })).rejects.toThrow(
    `METRICS_PORT + 2 (dispatcher): port ${port} on 127.0.0.1 is taken by another program`,
  );
});

test('two settings with one port are both named', async () => {
  await expect(find({ PORT: '8499', RECEIVER_DEV_PORT: '8499' })).rejects.toThrow(
    'RECEIVER_DEV_PORT: port 8499 is also that of PORT',
  );
});

test('an address of another machine is said to be that', async () => {
  const { entry } = newApiKey('crm', ['users:read']);
  await expect(find({ HOST: '192.0.2.1', API_KEYS: entry })).rejects.toThrow(
    'PORT: 192.0.2.1 is not an address of this machine (HOST)',
  );
});

test('there must be four of them', () => {
  expect(() => loadSettings({ METRICS_PORT: '65533' })).toThrow(
    'METRICS_PORT: must be a whole number from 0 to 65532',
  );
});
