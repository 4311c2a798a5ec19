import { expect, test } from 'vitest';

import { loadSettings } from '../src/platform/settings/settings.ts';
import { stackBanner } from './banner.ts';

test.for([
  [null, /^ +Prometheus +left out: there is no `prometheus` on the PATH/m],
  [9090, /^ +Prometheus +http:\/\/127\.0\.0\.1:9090$/m],
] as const)('Prometheus at port %s is told of', ([prometheus, said]) => {
  const ports = {
    api: 3000,
    postgres: 5433,
    temporal: 7233,
    temporalUi: 8233,
    receiver: 3001,
    metrics: null,
    prometheus,
  };
  expect(stackBanner({ settings: loadSettings({}), ports, dataDir: '/data' })).toMatch(said);
});
