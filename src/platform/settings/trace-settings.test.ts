import { expect, test } from 'vitest';

import { loadSettings } from './settings.ts';

test('traces are off unless they are requested', () => {
  expect(loadSettings({})).toMatchObject({
    OTEL_TRACES_EXPORTER: 'none',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
    OTEL_TRACES_SAMPLER_ARG: 1,
  });
  // Others on the machine may send theirs there.
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  expect(loadSettings(endpoint).OTEL_TRACES_EXPORTER).toBe('none');
});

test.each([
  ['0', 0],
  ['1', 1],
  ['0.25', 0.25],
  ['.5', 0.5],
  ['1.0', 1],
])('a share of %s is accepted', (text, share) => {
  expect(loadSettings({ OTEL_TRACES_SAMPLER_ARG: text }).OTEL_TRACES_SAMPLER_ARG).toBe(share);
});

test.each([
  ['OTEL_TRACES_EXPORTER', 'console', 'must be none or otlp'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318', 'must be a URL such as http://collector:4318'],
  ['OTEL_TRACES_SAMPLER_ARG', '1.5', 'must be a number from 0 to 1'],
  ['OTEL_TRACES_SAMPLER_ARG', '-1', 'must be a number from 0 to 1'],
  ['OTEL_TRACES_SAMPLER_ARG', 'half', 'must be a number from 0 to 1'],
])('%s=%s is refused, with the rule', (name, value, rule) => {
  expect(() => loadSettings({ [name]: value })).toThrow(`${name}: ${rule}`);
});
