import { describe, expect, test } from 'vitest';

import { findApiKey } from '../../access/api-key.ts';
import { API_KEY_FORM, newApiKey } from './api-keys.ts';
import { InvalidSettingsError, loadSettings } from './settings.ts';

const HASH = 'a'.repeat(64);

function faultsOf(list: string): readonly string[] {
  try {
    loadSettings({ API_KEYS: list });
  } catch (error) {
    if (error instanceof InvalidSettingsError) return error.faults;
  }
  return [];
}

describe('API_KEYS', () => {
  test('are known by their hashes, with their names and scopes', () => {
    const crm = newApiKey('crm', ['users:read', 'users:write']);
    const ops = newApiKey('ops', ['deliveries:write']);
    const { API_KEYS = [] } = loadSettings({ API_KEYS: `${crm.entry}, ${ops.entry}` });

    expect(findApiKey(API_KEYS, crm.key)).toMatchObject({
      name: 'crm',
      scopes: ['users:read', 'users:write'],
    });
    expect(findApiKey(API_KEYS, ops.key)).toMatchObject({ name: 'ops' });
    for (const other of [newApiKey('crm', []).key, crm.entry, `${crm.key} `, '']) {
      expect(findApiKey(API_KEYS, other)).toBeNull();
    }
  });

  test('contain nothing of the key itself', () => {
    const { key, entry } = newApiKey('crm', ['users:read']);
    expect(entry).not.toContain(key.slice('daybell_'.length));
  });

  test('are not set when empty', () => {
    expect(loadSettings({ API_KEYS: '' }).API_KEYS).toBeUndefined();
  });

  test.for([
    ['hunter2', 'must be name:scopes:sha256'],
    ['', 'must be name:scopes:sha256'],
    [`c r m:users:read:${HASH}`, 'must have a name of 1 to 64 letters, digits'],
    [`crm:users:all:${HASH}`, 'must have scopes of users:read, users:write, deliv'],
    [`crm:users:read users:write:${HASH}`, 'must have scopes of users:read'],
    [`crm::${HASH}`, 'must have scopes of users:read'],
    [`crm:users:read+users:read:${HASH}`, 'must have scopes of users:read'],
    ['crm:users:read:abc', 'must end with a SHA-256 of 64 hexadecimal digits'],
    [
      `crm:users:read:${newApiKey('crm', []).key}`,
      'must end with the SHA-256 of the key, not with the key',
    ],
  ] as const)('%s is refused, and no part of it is revealed', ([entry, rule]) => {
    const [fault, ...others] = faultsOf(entry === '' ? ' ' : entry);
    expect(fault).toContain(`API_KEYS: key 1 of 1 ${rule}`);
    expect(others).toEqual([]);
    for (const part of ['hunter2', 'c r m', 'users:all', 'daybell_']) {
      expect(fault).not.toContain(part);
    }
  });

  test('each have their own name and hash, and every fault is reported by its number', () => {
    const other = 'b'.repeat(64);
    const entries = [`crm:users:read:${HASH}`, 'x', `crm:users:write:${other}`];
    expect(faultsOf([...entries, `ops:users:read:${HASH}`].join(','))).toEqual([
      'API_KEYS: key 2 of 4 must be name:scopes:sha256',
      'API_KEYS: key 3 of 4 has the same name as another',
      'API_KEYS: key 4 of 4 is listed twice',
    ]);
  });
});

test('a new key matches its entry, and each one is different', () => {
  const [one, other] = [newApiKey('crm', []), newApiKey('crm', [])];
  expect(one.key).toMatch(API_KEY_FORM);
  expect(Buffer.from(one.key.slice('daybell_'.length), 'base64url')).toHaveLength(32);
  expect(one.key).not.toBe(other.key);
  expect(one.entry).not.toBe(other.entry);
});
