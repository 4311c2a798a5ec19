import { expect, test } from 'vitest';

import { loadSettings } from '../src/platform/settings/settings.ts';
import { banner } from './banner.ts';

test('only what runs here has a row', () => {
  const ports = {
    api: 3000,
    postgres: null,
    temporal: 7233,
    temporalUi: 8233,
    receiver: 3001,
    metrics: null,
    prometheus: 9090,
  };
  const said = banner({ settings: loadSettings({}), ports, dataDir: '/data' });
  expect(said).toMatch(/^ +Temporal +127\.0\.0\.1:7233$/m);
  expect(said).toMatch(/^ +Prometheus +http:\/\/127\.0\.0\.1:9090$/m);
  expect(said).not.toContain('PostgreSQL');
});
