import { expect, test } from 'vitest';

import { requireAllowedHost } from './destination-guard.ts';

function settingsOf(host: string, allowPrivate = false) {
  return {
    WEBHOOK_URL: `https://user:hunter2@${host}/hook`,
    WEBHOOK_ALLOW_PRIVATE: allowPrivate,
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
])('%s is refused at the start, by the name of the setting', (host) => {
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
])('%s is not', (host) => {
  expect(requireAllowedHost(settingsOf(host))).toEqual(settingsOf(host));
});

test('nor is no destination at all', () => {
  const settings = { WEBHOOK_URL: undefined, WEBHOOK_ALLOW_PRIVATE: false };
  expect(requireAllowedHost(settings)).toBe(settings);
});
