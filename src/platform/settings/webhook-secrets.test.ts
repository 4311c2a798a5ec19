import { describe, expect, test } from 'vitest';

import { InvalidSettingsError, loadSettings } from './settings.ts';
import { newWebhookSecret, secretFingerprint } from './webhook-secrets.ts';

const ofBytes = (count: number) => `whsec_${Buffer.alloc(count, 'Zebra').toString('base64')}`;

function faultsOf(list: string): readonly string[] {
  try {
    loadSettings({ WEBHOOK_SECRETS: list });
  } catch (error) {
    if (error instanceof InvalidSettingsError) return error.faults;
  }
  return [];
}

describe('WEBHOOK_SECRETS', () => {
  test('are kept in their order, the newest first', () => {
    const [newest, oldest] = [newWebhookSecret(), newWebhookSecret()];
    const { WEBHOOK_SECRETS } = loadSettings({ WEBHOOK_SECRETS: `${newest}, ${oldest}` });
    expect(WEBHOOK_SECRETS).toEqual([newest, oldest]);
  });

  test('are not set when empty', () => {
    expect(loadSettings({ WEBHOOK_SECRETS: '' }).WEBHOOK_SECRETS).toBeUndefined();
  });

  test('hold from 24 to 64 bytes', () => {
    expect(faultsOf(`${ofBytes(24)},${ofBytes(64)}`)).toEqual([]);
    expect(faultsOf(`${ofBytes(23)},${ofBytes(65)}`)).toEqual([
      'WEBHOOK_SECRETS: secret 1 of 2 holds 23 bytes; must hold from 24 to 64',
      'WEBHOOK_SECRETS: secret 2 of 2 holds 65 bytes; must hold from 24 to 64',
    ]);
  });

  test('are standard base64, which every verifier reads the same way', () => {
    const padded = ofBytes(32);
    const spellings = [
      padded.replace(/=+$/, ''),
      `whsec_${Buffer.alloc(32, 0xff).toString('base64url')}=`,
      `${padded}\n=`,
      `${padded}!`,
    ];
    for (const spelling of spellings) {
      expect(faultsOf(spelling)).toEqual([
        'WEBHOOK_SECRETS: secret 1 of 1 must be standard base64 after whsec_, with its padding (RFC 4648, 4)',
      ]);
    }
  });

  test('are each reported by their number if they are invalid, all at once', () => {
    const secret = ofBytes(32);
    expect(faultsOf(`${secret},,hunter2hunter2,${secret}`)).toEqual([
      'WEBHOOK_SECRETS: secret 2 of 4 is empty',
      'WEBHOOK_SECRETS: secret 3 of 4 must begin with whsec_',
      'WEBHOOK_SECRETS: secret 4 of 4 is listed twice',
    ]);
  });
});

test('a new secret is usable, and each one is different', () => {
  const [one, other] = [newWebhookSecret(), newWebhookSecret()];
  expect(faultsOf(`${one},${other}`)).toEqual([]);
  expect(Buffer.from(one.slice('whsec_'.length), 'base64')).toHaveLength(32);
});

test('a fingerprint is the beginning of what sha256sum prints for the secret', () => {
  expect(secretFingerprint('abc')).toBe('ba7816bf');
});
