import { pino } from 'pino';
import { expect, test } from 'vitest';

import { temporalLogger } from './runtime.ts';

test("Temporal's log lines become ours: routine ones at a lower level, errors without their data", () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: 'trace' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const temporal = temporalLogger(logger);
  const error = Object.assign(new Error("insert ('1815-12-10')"), { name: 'DriverException' });

  temporal.info('Worker state changed', { state: 'RUNNING', [Symbol('at')]: 1n, nanos: 1n });
  temporal.log('WARN', 'Activity failed', { error });

  expect(lines).toMatchObject([
    { level: 20, msg: 'Worker state changed', state: 'RUNNING' },
    { level: 40, msg: 'Activity failed', error: { name: 'DriverException' } },
  ]);
  expect(JSON.stringify(lines)).not.toContain('1815');
});

test('an unavailable server is logged once a minute, not for each try of each poller', () => {
  const lines: { level: number }[] = [];
  const logger = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const temporal = temporalLogger(logger);

  for (let tries = 0; tries < 5; tries++) {
    temporal.warn('gRPC call retried', { target: 'temporalio_client::retry' });
    temporal.warn('something else', { target: 'temporalio_sdk_core::worker' });
  }

  expect(lines.filter(({ level }) => level === 40)).toHaveLength(6);
});
