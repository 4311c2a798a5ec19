import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';

import { createAuthority } from '../../../test/support/certificates.ts';
import { InvalidSettingsError } from '../settings/settings.ts';
import { loadStandardSettings } from './standard-settings.ts';

const directory = mkdtempSync(join(tmpdir(), 'daybell-temporal-'));
const write = (name: string, content: string): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};
const authority = createAuthority();
const client = authority.issue('daybell');
const ca = write('ca.pem', authority.cert);
const cert = write('client.pem', client.cert);
const key = write('client.key', client.key);
const otherKey = write('other.key', authority.issue('daybell').key);
const text = write('text.pem', 'a certificate, some day');
const nowhere = join(directory, 'nowhere.pem');

afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => void vi.stubEnv('TEMPORAL_CONFIG_FILE', nowhere));
afterEach(() => void vi.unstubAllEnvs());

function faultsOf(given: Readonly<Record<string, string>>): readonly string[] {
  for (const [name, value] of Object.entries(given)) vi.stubEnv(`TEMPORAL_TLS${name}`, value);
  try {
    loadStandardSettings();
  } catch (error) {
    if (error instanceof InvalidSettingsError) return error.faults;
    throw error;
  }
  return [];
}

test.for([
  [
    { _CLIENT_CERT_PATH: cert },
    'TEMPORAL_TLS_CLIENT_CERT_PATH: needs TEMPORAL_TLS_CLIENT_KEY_PATH as well',
  ],
  [
    { _CLIENT_KEY_DATA: client.key },
    'TEMPORAL_TLS_CLIENT_KEY_DATA: needs TEMPORAL_TLS_CLIENT_CERT_PATH as well',
  ],
  [
    { _CLIENT_CERT_PATH: nowhere, _CLIENT_KEY_PATH: key },
    `TEMPORAL_TLS_CLIENT_CERT_PATH: ${nowhere} cannot be read (ENOENT)`,
  ],
  [
    { _SERVER_CA_CERT_PATH: directory },
    `TEMPORAL_TLS_SERVER_CA_CERT_PATH: ${directory} cannot be read (EISDIR)`,
  ],
  [{ _SERVER_CA_CERT_PATH: text }, 'TEMPORAL_TLS_SERVER_CA_CERT_PATH: must be certificates in PEM'],
  [
    { _CLIENT_CERT_DATA: 'x', _CLIENT_KEY_PATH: key },
    'TEMPORAL_TLS_CLIENT_CERT_DATA: must be a certificate in PEM',
  ],
  [
    { _CLIENT_CERT_PATH: cert, _CLIENT_KEY_PATH: otherKey },
    'TEMPORAL_TLS_CLIENT_KEY_PATH: must be the key of the client certificate',
  ],
  // To the SDK, it would switch TLS off.
  [{ '': 'on' }, 'TEMPORAL_TLS: must be true or false'],
] as const)('%j is refused', ([given, fault]) => {
  const [told, ...others] = faultsOf(given);
  expect(told).toContain(fault);
  expect(others).toEqual([]);
});

test('a fault in the profile is refused like a fault in a variable', () => {
  const profile = `[profile.default.tls]\nclient_cert_path = ${JSON.stringify(cert)}\n`;
  vi.stubEnv('TEMPORAL_CONFIG_FILE', write('temporal.toml', profile));
  expect(faultsOf({})).toEqual([
    "client_cert_… of Temporal's profile: needs TEMPORAL_TLS_CLIENT_KEY_PATH as well",
  ]);
});

test('a complete client certificate and an authority are accepted', () => {
  const given = { _SERVER_CA_CERT_PATH: ca, _CLIENT_CERT_PATH: cert, _CLIENT_KEY_PATH: key };
  expect(faultsOf(given)).toEqual([]);
  const { tls } = loadStandardSettings().connectionOptions;
  expect(typeof tls === 'object' && tls?.clientCertPair?.crt).toHaveLength(client.cert.length);
});
