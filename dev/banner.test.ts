import { expect, test } from 'vitest';

import { loadSettings } from '../src/platform/settings/settings.ts';
import { banner } from './banner.ts';

const PORTS = {
  api: 3000,
  postgres: null,
  temporal: 7233,
  temporalUi: 8233,
  receiver: 3001,
  metrics: null,
  prometheus: 9090,
};

test('only what runs here has a row', () => {
  const said = banner({ settings: loadSettings({}), ports: PORTS, dataDir: '/data' });
  expect(said).toMatch(/^ +Temporal +127\.0\.0\.1:7233$/m);
  expect(said).toMatch(/^ +Prometheus +http:\/\/127\.0\.0\.1:9090$/m);
  expect(said).not.toContain('PostgreSQL');
});

test('each node of a Temporal cluster is shown, after what clients connect to', () => {
  const names = ['temporal-frontend-1', 'temporal-frontend-2', 'temporal-history-1'];
  const temporalNodes = names.map((name, index) => ({
    name,
    port: 17_001 + index,
    metricsPort: 0,
  }));
  const settings = loadSettings({});
  const said = banner({ settings, ports: PORTS, dataDir: '/data', temporalNodes });
  expect(said).toContain(
    'Temporal   127.0.0.1:7233 temporal-balancer · 127.0.0.1:17001 temporal-frontend-1 · 127.0.0.1:17002 temporal-frontend-2 · 127.0.0.1:17003 temporal-history-1\n',
  );
});
