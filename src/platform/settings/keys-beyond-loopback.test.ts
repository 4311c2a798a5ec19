import { describe, expect, test } from 'vitest';

import { newApiKey } from './api-keys.ts';
import { loadSettings, requireKeysBeyondLoopback } from './settings.ts';

const given = (settings: NodeJS.ProcessEnv) => () =>
  requireKeysBeyondLoopback(loadSettings(settings));

describe('an API without keys', () => {
  test.for(['127.0.0.1', '127.8.0.1', '::1', '::ffff:127.0.0.1', 'localhost', 'LOCALHOST'])(
    'listens at %s, which only this machine can reach',
    (HOST) => {
      expect(given({ HOST })().HOST).toBe(HOST);
    },
  );

  test.for([
    '0.0.0.0',
    '::',
    '10.0.0.7',
    '192.0.2.1',
    'fe80::1',
    'daybell.example',
    '127.0.0.1.nip.example',
  ])('does not listen at %s; with keys it does', (HOST) => {
    expect(given({ HOST })).toThrow('HOST: must be a loopback address');
    const API_KEYS = newApiKey('crm', ['users:read']).entry;
    expect(given({ HOST, API_KEYS })().HOST).toBe(HOST);
  });
});
