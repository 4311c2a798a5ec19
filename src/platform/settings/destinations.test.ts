import { expect, test } from 'vitest';

import { urlSettingOf } from './destinations.ts';
import { destinationsOf, loadSettings, requireSettings } from './settings.ts';
import { newWebhookSecret } from './webhook-secrets.ts';

const SECRET = newWebhookSecret();
const OTHER = newWebhookSecret();

const CRM = { WEBHOOK_URL_CRM_EU: 'https://crm.example.com/', WEBHOOK_SECRETS_CRM_EU: OTHER };

test('a named destination has its own URL, secrets and rate, and shares the rest', () => {
  const settings = requireSettings(
    loadSettings({
      WEBHOOK_URL: 'https://example.com/',
      WEBHOOK_SECRETS: SECRET,
      WEBHOOK_MAX_PER_SECOND: '100',
      WEBHOOK_TIMEOUT_MS: '5000',
      ...CRM,
    }),
    'WEBHOOK_URL',
    'WEBHOOK_SECRETS',
  );
  const all = destinationsOf(settings);
  expect([...all.keys()]).toEqual(['default', 'crm-eu']);
  expect(all.get('default')).toBe(settings);
  expect(all.get('crm-eu')).toMatchObject({
    WEBHOOK_URL: 'https://crm.example.com/',
    WEBHOOK_SECRETS: [OTHER],
    WEBHOOK_MAX_PER_SECOND: undefined,
    WEBHOOK_TIMEOUT_MS: 5000,
  });
  expect(urlSettingOf('crm-eu')).toBe('WEBHOOK_URL_CRM_EU');
  expect(urlSettingOf('default')).toBe('WEBHOOK_URL');
});

test('its rate limit is read', () => {
  const { DESTINATIONS } = loadSettings({ ...CRM, WEBHOOK_MAX_PER_SECOND_CRM_EU: '7' });
  expect(DESTINATIONS.get('crm-eu')?.WEBHOOK_MAX_PER_SECOND).toBe(7);
});

test('by default there are none, and an empty variable counts as unset', () => {
  expect(loadSettings({ WEBHOOK_URL_CRM: '' }).DESTINATIONS.size).toBe(0);
});

test.each([
  [{ WEBHOOK_URL_CRM: 'https://a.example/' }, /WEBHOOK_SECRETS_CRM: must be set/],
  [{ WEBHOOK_SECRETS_CRM: SECRET }, /WEBHOOK_URL_CRM: must be set/],
  [{ WEBHOOK_MAX_PER_SECOND_CRM: '5' }, /WEBHOOK_URL_CRM: must be set/],
  [{ ...CRM, WEBHOOK_URL_CRM_EU: 'ftp://a.example/' }, /WEBHOOK_URL_CRM_EU: must be a URL such as/],
  [{ ...CRM, WEBHOOK_SECRETS_CRM_EU: 'hunter2' }, /WEBHOOK_SECRETS_CRM_EU: secret 1 of 1 must/],
  [
    { ...CRM, WEBHOOK_MAX_PER_SECOND_CRM_EU: '0' },
    /WEBHOOK_MAX_PER_SECOND_CRM_EU: must be a whole/,
  ],
  [
    { WEBHOOK_URL_DEFAULT: 'https://a.example/' },
    /WEBHOOK_URL_DEFAULT: must have another name: WEBHOOK_URL /,
  ],
  [{ WEBHOOK_URL_crm: 'https://a.example/' }, /WEBHOOK_URL_crm: must end with a name/],
  [{ WEBHOOK_URL_: 'https://a.example/' }, /WEBHOOK_URL_: must end with a name/],
  [{ WEBHOOK_URL_A__B: 'https://a.example/' }, /WEBHOOK_URL_A__B: must end with a name/],
])('%j is refused, with the name of the variable', (environment, message) => {
  const load = () => loadSettings(environment);
  expect(load).toThrow(message);
  expect(load).not.toThrow(/hunter2/);
});
