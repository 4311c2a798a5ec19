import { DEFAULT_DESTINATION } from '../platform/destination.ts';
import { classifyOutcome, type Verdict } from './outcome.ts';
import { hintOf, newTestId, testEvent } from './test-event.ts';
import { checkWebhook, type WebhookCheckReport } from './webhook-check.ts';
import { createGotClient } from './wire/got-client.ts';
import { createDestinationClient, type DestinationSettings } from './wire/webhook-client.ts';

/** Thrown when a test event is requested and there is no destination. */
export class WebhookNotSetUpError extends Error {
  override readonly name = 'WebhookNotSetUpError';
  readonly code = 'webhook-not-set-up';
}

/** Thrown while another check of the destination is running. */
export class WebhookCheckRunningError extends Error {
  override readonly name = 'WebhookCheckRunningError';
  readonly code = 'webhook-check-running';
}

export type WebhookTester = ReturnType<typeof openWebhookTester>;

export interface WebhookTestReport {
  /** `test:<uuid>`, as the receiver got it. */
  readonly webhookId: string;
  /** Epoch ms. */
  readonly sentAt: number;
  readonly durationMs: number;
  readonly status: number | null;
  /** The reason if there is no status. */
  readonly errorCode: string | null;
  readonly verdict: Verdict;
  /** What a webhook with this response would lead to. */
  readonly explanation: string;
  readonly responseExcerpt: string | null;
  /** How many signatures it carried: one for each secret. */
  readonly signatures: number;
}

/** An operator sends one at a time. */
const MAX_TESTS = 2;

/**
 * Sends test events to a destination, as deliveries are sent: with the same client, signing and
 * guard. They are not occurrences, and not in the ledger.
 */
export function openWebhookTester(
  settings: DestinationSettings,
  clock: () => number,
  destination = DEFAULT_DESTINATION,
) {
  const client = createDestinationClient(createGotClient, settings, { maxSockets: MAX_TESTS });
  let isChecking = false;
  return {
    /**
     * Sends one, whether deliveries are paused or not, and waits for the response. Never rejects.
     */
    async send(): Promise<WebhookTestReport> {
      const webhookId = newTestId();
      const sentAt = clock();
      const body = testEvent(sentAt);
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
        explanation: [VERDICTS[verdict], hintOf(reply, destination)].filter(Boolean).join(' '),
        durationMs,
        responseExcerpt,
      };
    },

    /**
     * Sends good and bad events and judges how the receiver handles each, one check at a time.
     * Takes at most twice the time limit of a delivery.
     *
     * @throws WebhookCheckRunningError
     */
    async check(): Promise<WebhookCheckReport> {
      if (isChecking) throw new WebhookCheckRunningError();
      isChecking = true;
      try {
        return await checkWebhook(settings, clock, destination);
      } finally {
        isChecking = false;
      }
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
