/**
 * Which destination a webhook command means, and who sends to it: this process or a running
 * Daybell.
 */
import type { z } from 'zod';

import { openWebhookTester, type WebhookTester } from '../delivery/webhook-test.ts';
import { DEFAULT_DESTINATION } from '../platform/destination.ts';
import { urlSettingOf } from '../platform/settings/destinations.ts';
import { loadSettings, requireSettings } from '../platform/settings/settings.ts';
import { askRunningApi } from './command.ts';

interface Question<Report> {
  /** A path of the API. */
  readonly path: string;
  readonly schema: z.ZodType<Report>;
  readonly here: (tester: WebhookTester) => Promise<Report>;
}

/**
 * Tests the destination that the first argument names. If its URL is set, from here; otherwise
 * through the Daybell that runs at HOST and PORT.
 *
 * @throws CommandError when none answers
 * @throws InvalidSettingsError when its secrets are not set
 */
export async function withTester<Report>({
  path,
  schema,
  here,
}: Question<Report>): Promise<Report> {
  const [destination = DEFAULT_DESTINATION] = process.argv.slice(2);
  const settings = loadSettings();
  const own =
    destination === DEFAULT_DESTINATION
      ? settings
      : { ...settings, WEBHOOK_URL: undefined, ...settings.DESTINATIONS.get(destination) };
  if (own.WEBHOOK_URL === undefined) {
    const urlSetting = urlSettingOf(destination);
    const secrets = urlSetting.replace('URL', 'SECRETS');
    const instead = `${urlSetting} and ${secrets} to send from here`;
    const query = `?destination=${encodeURIComponent(destination)}`;
    const options = { method: 'POST', instead };
    return schema.parse(await askRunningApi(settings, `${path}${query}`, options));
  }
  const given = requireSettings(own, 'WEBHOOK_URL', 'WEBHOOK_SECRETS');
  const tester = openWebhookTester(given, Date.now, destination);
  try {
    return await here(tester);
  } finally {
    tester.close();
  }
}
