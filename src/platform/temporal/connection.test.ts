import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { connectTemporal, type TemporalConnection } from './connection.ts';

let directory: string;
let temporal: TemporalConnection | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'daybell-profile-'));
  vi.stubEnv('TEMPORAL_CONFIG_FILE', join(directory, 'temporal.toml'));
  vi.stubEnv('TEMPORAL_ADDRESS', undefined);
  vi.stubEnv('TEMPORAL_NAMESPACE', undefined);
});
afterEach(async () => {
  await temporal?.close();
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

function connect(TEMPORAL_ADDRESS?: string): TemporalConnection {
  temporal = connectTemporal({
    TEMPORAL_ADDRESS,
    TEMPORAL_DEV_PORT: 7345,
    TEMPORAL_TASK_QUEUE: 'daybell',
  });
  return temporal;
}

function writeProfile(): void {
  const profile = '[profile.default]\naddress = "cloud.test:7233"\nnamespace = "greetings"\n';
  writeFileSync(join(directory, 'temporal.toml'), profile);
}

test('without settings it is the embedded server, and nothing is connected yet', () => {
  expect(connect()).toMatchObject({
    address: '127.0.0.1:7345',
    namespace: 'default',
    taskQueue: 'daybell',
  });
});

test('TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE decide the server and the namespace', () => {
  vi.stubEnv('TEMPORAL_NAMESPACE', 'birthdays');
  expect(connect('temporal.test:7233')).toMatchObject({
    address: 'temporal.test:7233',
    namespace: 'birthdays',
  });
});

test("Temporal's own profile is used, and the environment takes precedence", () => {
  writeProfile();
  expect(connect()).toMatchObject({ address: 'cloud.test:7233', namespace: 'greetings' });
  expect(connect('other.test:7233').address).toBe('other.test:7233');
});

test.for(['TEMPORAL_NAMESPACE', 'TEMPORAL_PROFILE'])(
  '%s counts as unset when it is empty',
  (name) => {
    writeProfile();
    vi.stubEnv(name, '');
    expect(connect()).toMatchObject({ address: 'cloud.test:7233', namespace: 'greetings' });
  },
);
