import { expect, test } from 'vitest';

import { loadSettings } from '../../platform/settings/settings.ts';
import { newWebhookSecret } from '../../platform/settings/webhook-secrets.ts';
import { requireAllowedHost } from './destination-guard.ts';

function settingsOf(host: string, allowPrivate = false) {
  return {
    WEBHOOK_URL: `https://user:hunter2@${host}/hook`,
    WEBHOOK_ALLOW_PRIVATE: allowPrivate,
    DESTINATIONS: new Map(),
  };
}

test.each([
  '127.0.0.1:3000',
  '2130706433',
  '10.1.2.3',
  '169.254.169.254',
  '[::1]:3000',
  '[::ffff:10.1.2.3]',
  'localhost:3000',
  'LOCALHOST',
  'app.localhost.',
])('%s is refused at the start, with the name of the setting', (host) => {
  expect(() => requireAllowedHost(settingsOf(host))).toThrow(
    /^These settings are not usable:\n {2}WEBHOOK_URL: must have a host on the public internet, unless WEBHOOK_ALLOW_PRIVATE=true\n.*\n {2}export WEBHOOK_ALLOW_PRIVATE=true$/,
  );
  expect(requireAllowedHost(settingsOf(host, true))).toEqual(settingsOf(host, true));
});

test.each([
  'example.com',
  '1.1.1.1',
  '[2606:4700:4700::1111]',
  'notlocalhost',
  'localhost.example',
])('%s is allowed', (host) => {
  expect(requireAllowedHost(settingsOf(host))).toEqual(settingsOf(host));
});

test('having no destination is allowed too', () => {
  const settings = {
    WEBHOOK_URL: undefined,
    WEBHOOK_ALLOW_PRIVATE: false,
    DESTINATIONS: new Map(),
  };
  expect(requireAllowedHost(settings)).toBe(settings);
});

test('each destination is checked, and refused with the name of its own setting', () => {
  const { DESTINATIONS } = loadSettings({
    WEBHOOK_URL_CRM: 'https://example.com/',
    WEBHOOK_SECRETS_CRM: newWebhookSecret(),
    WEBHOOK_URL_CRM_EU: 'http://localhost/',
    WEBHOOK_SECRETS_CRM_EU: newWebhookSecret(),
  });
  expect(() => requireAllowedHost({ ...settingsOf('example.com'), DESTINATIONS })).toThrow(
    /usable:\n {2}WEBHOOK_URL_CRM_EU: must have a host[^\n]*\nType/,
  );
});
