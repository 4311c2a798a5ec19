import { describe, expect, test } from 'vitest';

import { InvalidSettingsError, loadSettings, SETTING_NAMES } from './settings.ts';

/** For each setting with a rule, a value that breaks it. Empty means unset, and is never wrong. */
const WRONG: Readonly<Record<string, readonly string[]>> = {
  PORT: ['none', '-1', '3000.5', '65536', '0x10', ' 3000'],
  API_KEYS: ['hunter2', ',', 'crm:users:read:hunter2'],
  API_MAX_PER_SECOND: ['0', 'fast', '100001'],
  API_KEY: ['hunter2', 'daybell_', `daybell_${'x'.repeat(44)}`],
  DATABASE_URL: ['daybell', 'mysql://a:hunter2@b/c', '127.0.0.1:5432'],
  DATABASE_POOL: ['0', '201'],
  DATABASE_CORES: ['0', 'two'],
  POSTGRES_DEV_PORT: ['65536'],
  TEMPORAL_ADDRESS: ['temporal', 'http://temporal:7233', 'temporal:', ':7233', 'a b:7233'],
  TEMPORAL_DEV_PORT: ['-1'],
  TEMPORAL_DEV_UI_PORT: ['ui'],
  TEMPORAL_UI_URL: ['temporal.example.com', 'ftp://temporal.example.com'],
  TEMPORAL_PAYLOAD_KEYS: ['hunter2', 'first:hunter2'],
  CODEC_PORT: ['none'],
  CODEC_TOKEN: ['short', 'a token with spaces in it'],
  CODEC_ORIGINS: ['temporal.example.com', 'https://temporal.example.com/ui'],
  WORKER_ROLE: ['both', 'ALL'],
  WORKER_BUILD_ID: ['a b', 'x'.repeat(129)],
  WEBHOOK_URL: ['example.com', 'ftp://example.com', 'mailto:hunter2@example.com'],
  WEBHOOK_SECRETS: ['hunter2', 'whsec_hunter2'],
  WEBHOOK_TIMEOUT_MS: ['99', '120001', '15s'],
  WEBHOOK_MAX_PER_SECOND: ['0', '1e3'],
  WEBHOOK_CONCURRENCY: ['0', '4097'],
  WEBHOOK_ALLOW_PRIVATE: ['yes', '1', 'TRUE'],
  OPERATIONS_WEBHOOK_URL: ['example.com', 'mailto:hunter2@example.com'],
  OPERATIONS_WEBHOOK_SECRETS: ['hunter2', 'whsec_hunter2'],
  RECEIVER_DEV_PORT: ['99999'],
  PROMETHEUS_DEV_PORT: ['web'],
  GIVE_UP_AFTER: ['3', '59s', '31d', 'P3D'],
  LATE_LIMIT: ['soon', '59s', '31d'],
  LATE_AFTER: ['0s', '25h'],
  HTTP_KEEP_ALIVE: ['500ms', '2h', '75'],
  DELIVERY_LOCAL_TIME: ['9:00', '24:00', '09:60', '9am'],
  LEAP_DAY_POLICY: ['feb29', 'FEB28'],
  WAKE_AFTER: ['-1s', '11m', '10'],
  WAKE_RATE: ['-1', '10001', '1.5'],
  RETAIN_ATTEMPTS: ['1h', '4000d'],
  RETAIN_RESPONSE_EXCERPTS: ['1m'],
  RETAIN_IDEMPOTENCY_KEYS: ['23h', '8d'],
  RETAIN_OUTBOX: ['1m', '366d'],
  RETAIN_OCCURRENCES: ['69d', '40000d'],
  ERASE_AFTER: ['-1s', '31d'],
  RECONCILE_EVERY: ['59s', '2h'],
  METRICS_PORT: ['65533', 'on'],
  OTEL_TRACES_EXPORTER: ['jaeger'],
  OTEL_EXPORTER_OTLP_ENDPOINT: ['collector:4318'],
  OTEL_TRACES_SAMPLER_ARG: ['2', '-1', 'half'],
  LOG_LEVEL: ['loud', 'INFO'],
};

/** Any text is valid here; whether it exists is checked where it is used. */
const ANY_TEXT = [
  'HOST',
  'CODEC_HOST',
  'DATA_DIR',
  'TEMPORAL_TASK_QUEUE',
  'WORKFLOW_BUNDLE',
  'ZONE_DATA',
];

function faultsOf(settings: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadSettings(settings);
  } catch (error) {
    if (error instanceof InvalidSettingsError) return error.faults;
  }
  return [];
}

test('every setting is in one of the two lists above', () => {
  expect([...Object.keys(WRONG), ...ANY_TEXT].sort()).toEqual([...SETTING_NAMES].sort());
});

describe.for(Object.entries(WRONG))('%s', ([name, values]) => {
  test.for(values)('as "%s" is refused with its name and rule, without the value', (value) => {
    const faults = faultsOf({ [name]: value });
    expect(faults.length).toBeGreaterThan(0);
    for (const fault of faults) expect(fault).toMatch(new RegExp(`^${name}: \\S`));
    expect(faults.join()).not.toContain('hunter2');
  });

  test('empty counts as unset', () => {
    expect(faultsOf({ [name]: '' })).toEqual([]);
  });
});

test('all faults are reported at once', () => {
  const wrong = Object.fromEntries(Object.entries(WRONG).map(([name, [value]]) => [name, value]));
  const named = faultsOf(wrong).map((fault) => fault.split(':')[0]);
  expect(new Set(named)).toEqual(new Set(Object.keys(WRONG)));
});
