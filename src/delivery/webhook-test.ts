import { randomUUID } from 'node:crypto';

import { classifyOutcome, DESTINATION_REFUSED, type Outcome } from './outcome.ts';
import type { WebhookTester, WebhookTestReport } from './webhook-test-report.ts';
import { createDestinationClient, type DestinationSettings } from './destination-client.ts';
import type { WebhookClient, WebhookReply } from './webhook-client.ts';

export interface WebhookTesterDeps {
  /** The one that deliveries use, with its signing and its guard. */
  readonly client: Pick<WebhookClient, 'post'>;
  /** How many secrets it signs with. */
  readonly signatures: number;
  /** Epoch ms. */
  readonly clock: () => number;
}

/** A person asks for one at a time. */
const MAX_TESTS = 2;

/** Sends test events on the road of deliveries: the same client, signing and guard. */
export function createWebhookTester({
  client,
  signatures,
  clock,
}: WebhookTesterDeps): WebhookTester {
  return {
    async send() {
      const webhookId = `test:${randomUUID()}`;
      const sentAt = clock();
      const body = JSON.stringify(testBody(sentAt));
      const reply = await client.post({ id: webhookId, sentAt, attempt: 1, latenessMs: 0, body });
      return { webhookId, sentAt, signatures, ...judge(reply) };
    },
  };
}

/** One on a client of its own, for a process that delivers nothing. */
export function openWebhookTester(
  settings: DestinationSettings,
  clock: () => number,
): WebhookTester & { close(): void } {
  const client = createDestinationClient(settings, { maxSockets: MAX_TESTS });
  const signatures = settings.WEBHOOK_SECRETS.length;
  return { ...createWebhookTester({ client, signatures, clock }), close: client.close };
}

/** Shaped like a greeting, and about nobody. */
function testBody(sentAt: number) {
  return {
    type: 'webhook.test',
    timestamp: new Date(sentAt).toISOString(),
    message: 'This is a test event of Daybell. It is about nobody.',
    data: {},
  };
}

type Judged = Omit<WebhookTestReport, 'webhookId' | 'sentAt' | 'signatures'>;

function judge({ status, errorCode, durationMs, responseExcerpt }: WebhookReply): Judged {
  const { verdict } = classifyOutcome(
    status === null ? { errorCode: errorCode ?? undefined } : { status },
  );
  const explanation = [VERDICTS[verdict], hint(status, errorCode)].filter(Boolean).join(' ');
  return { status, errorCode, verdict, explanation, durationMs, responseExcerpt };
}

const VERDICTS: Readonly<Record<Outcome['verdict'], string>> = {
  delivered: 'Delivered: a greeting with this answer is done.',
  retry: 'Not delivered: a greeting with this outcome is tried again until GIVE_UP_AFTER.',
  give_up: 'Refused: a greeting with this outcome is given up at once.',
  gone: 'Gone: a greeting with this answer is given up at once, and an alarm is raised.',
};

/** What a person would look at first. */
function hint(status: number | null, errorCode: string | null): string | null {
  if (status === 401 || status === 403) {
    return 'Does the receiver hold one of WEBHOOK_SECRETS, and do the clocks agree?';
  }
  if (status !== null && status >= 300 && status <= 399) {
    return 'Redirects are not followed: set WEBHOOK_URL to where it leads.';
  }
  if (errorCode === DESTINATION_REFUSED) {
    return 'The destination has a private address, which is refused unless WEBHOOK_ALLOW_PRIVATE=true.';
  }
  return null;
}
