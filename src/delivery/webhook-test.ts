import { randomUUID } from 'node:crypto';

import { DEFAULT_DESTINATION } from '../platform/destination.ts';
import { urlSettingOf } from '../platform/settings/destinations.ts';
import { classifyOutcome, DESTINATION_REFUSED, type Reply, type Verdict } from './outcome.ts';
import { createGotClient } from './wire/got-client.ts';
import { createDestinationClient, type DestinationSettings } from './wire/webhook-client.ts';

/** Thrown when a test event is asked for and there is no destination. */
export class WebhookNotSetUpError extends Error {
  override readonly name = 'WebhookNotSetUpError';
  readonly code = 'webhook-not-set-up';
}

export type WebhookTester = ReturnType<typeof openWebhookTester>;

export interface WebhookTestReport {
  /** `test:<uuid>`, as the receiver got it. */
  readonly webhookId: string;
  /** Epoch ms. */
  readonly sentAt: number;
  readonly durationMs: number;
  readonly status: number | null;
  /** Why there is no status. */
  readonly errorCode: string | null;
  readonly verdict: Verdict;
  /** What would become of a webhook that got this answer. */
  readonly explanation: string;
  readonly responseExcerpt: string | null;
  /** How many signatures it carried: one for each secret. */
  readonly signatures: number;
}

/** One person asks for one at a time. */
const MAX_TESTS = 2;

/**
 * Sends test events to a destination, as deliveries are sent: with the same client, signing and
 * guard. They are not occurrences: no ledger keeps them.
 */
export function openWebhookTester(
  settings: DestinationSettings,
  clock: () => number,
  destination = DEFAULT_DESTINATION,
) {
  const client = createDestinationClient(createGotClient, settings, { maxSockets: MAX_TESTS });
  return {
    /** Sends one, whether deliveries are paused or not, and waits for the answer. Never rejects. */
    async send(): Promise<WebhookTestReport> {
      const webhookId = `test:${randomUUID()}`;
      const sentAt = clock();
      const body = JSON.stringify({
        type: 'webhook.test',
        timestamp: new Date(sentAt).toISOString(),
        message: 'This is a test event from Daybell. It is about no user.',
        data: {},
      });
      const reply = await client.post({ id: webhookId, sentAt, attempt: 1, latenessMs: 0, body });
      const { status, errorCode, durationMs, responseExcerpt } = reply;
      const { verdict } = classifyOutcome(reply);
      return {
        webhookId,
        sentAt,
        signatures: settings.WEBHOOK_SECRETS.length,
        status,
        errorCode,
        verdict,
        explanation: [VERDICTS[verdict], hint(reply, destination)].filter(Boolean).join(' '),
        durationMs,
        responseExcerpt,
      };
    },
    close: client.close,
  };
}

const VERDICTS: Readonly<Record<Verdict, string>> = {
  delivered: 'Delivered: a webhook with this answer is done.',
  retry: 'Not delivered: a webhook with this outcome is tried again until GIVE_UP_AFTER.',
  give_up: 'Refused: a webhook with this outcome is given up at once.',
  gone: 'Gone: a webhook with this answer is given up at once.',
};

/** What to look at first. */
function hint({ status, errorCode }: Reply, destination: string): string | null {
  const urlSetting = urlSettingOf(destination);
  if (status === 401 || status === 403) {
    return `Does the receiver hold one of ${urlSetting.replace('URL', 'SECRETS')}, and do the clocks agree?`;
  }
  if (status !== null && status >= 300 && status <= 399) {
    return `Redirects are not followed: set ${urlSetting} to where it leads.`;
  }
  if (errorCode === DESTINATION_REFUSED) {
    return 'The destination has a private address, which is refused unless WEBHOOK_ALLOW_PRIVATE=true.';
  }
  return null;
}
