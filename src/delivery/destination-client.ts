import type { Settings } from '../config/settings.ts';
import { createSign } from './signing.ts';
import {
  createWebhookClient,
  type WebhookClient,
  type WebhookClientOptions,
} from './webhook-client.ts';

export type DestinationSettings = Pick<Settings, 'WEBHOOK_TIMEOUT_MS' | 'WEBHOOK_ALLOW_PRIVATE'> & {
  readonly WEBHOOK_URL: string;
  readonly WEBHOOK_SECRETS: readonly string[];
};

/**
 * The client of the one destination, as the settings have it. Whatever is posted to it goes
 * through this, from every process: the same timeout, the same guard, the same signatures.
 */
export function createDestinationClient(
  settings: DestinationSettings,
  options: Pick<WebhookClientOptions, 'maxSockets' | 'traceHeaders'>,
): WebhookClient {
  return createWebhookClient({
    url: settings.WEBHOOK_URL,
    timeoutMs: settings.WEBHOOK_TIMEOUT_MS,
    allowPrivate: settings.WEBHOOK_ALLOW_PRIVATE,
    userAgent: 'Daybell',
    sign: createSign(settings.WEBHOOK_SECRETS),
    ...options,
  });
}
