import { createHmac } from 'node:crypto';

import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';

import { newWebhookSecret } from '../../platform/settings/webhook-secrets.ts';
import { createSign } from './signing.ts';

const ID = 'birthday:01939d1c-0000-7000-8000-000000000001:2027';
const BODY = JSON.stringify({ message: "Hey, Žofie 🎂 it's your birthday" });
const now = () => Math.floor(Date.now() / 1000);

describe('a signature', () => {
  test('is HMAC-SHA256 of id, timestamp and body under the decoded secret (Standard Webhooks)', () => {
    const key = Buffer.alloc(32, 7);
    const sign = createSign([`whsec_${key.toString('base64')}`]);
    const expected = createHmac('sha256', key).update(`${ID}.1779267600.${BODY}`).digest('base64');
    expect(sign(ID, 1_779_267_600, BODY)).toEqual({ 'webhook-signature': `v1,${expected}` });
  });

  test('is made with each secret, the newest first, and each proves the message', () => {
    const secrets = [newWebhookSecret(), newWebhookSecret(), newWebhookSecret()];
    const timestamp = now();
    const signed = createSign(secrets)(ID, timestamp, BODY);
    const alone = secrets.map(
      (secret) => createSign([secret])(ID, timestamp, BODY)['webhook-signature'],
    );
    expect(signed['webhook-signature']).toBe(alone.join(' '));
    for (const secret of secrets) {
      const headers = { 'webhook-id': ID, 'webhook-timestamp': String(timestamp), ...signed };
      expect(new Webhook(secret).verify(BODY, headers)).toEqual(JSON.parse(BODY));
    }
  });

  test('is never missing for want of a secret', () => {
    expect(() => createSign([])).toThrow('no secret');
  });
});
