import type { Outcome } from './outcome.ts';

/** Sends test events to the destination. They are no occurrences: the ledger knows nothing of them. */
export interface WebhookTester {
  /** Sends one, whether deliveries are paused or not, and waits for what comes back. Never rejects. */
  send(): Promise<WebhookTestReport>;
}

/** Thrown when a test event is asked for and there is no destination. */
export class WebhookNotSetUpError extends Error {
  override readonly name = 'WebhookNotSetUpError';
  readonly code = 'webhook-not-set-up';
}

/** What came back of a test event. */
export interface WebhookTestReport {
  /** `test:<uuid>`, as the receiver got it. */
  readonly webhookId: string;
  /** Epoch ms. */
  readonly sentAt: number;
  readonly durationMs: number;
  /** Of the receiver's answer; null when there was none. */
  readonly status: number | null;
  /** Why there was none. */
  readonly errorCode: string | null;
  readonly verdict: Outcome['verdict'];
  /** The verdict in words: what would become of a greeting that got this answer. */
  readonly explanation: string;
  /** The beginning of the answer's body. */
  readonly responseExcerpt: string | null;
  /** How many signatures it carried: one for each secret. */
  readonly signatures: number;
}
