import { greetingBody, type Messages, MESSAGES } from '../domain/greeting.ts';
import { classifyOutcome, retryAfterMs } from '../domain/outcome.ts';
import { consequenceOf } from '../events/consequence.ts';
import type { ClaimedOccurrence, Recipient, RecordedAttempt } from '../events/ports.ts';
import type { Logger } from '../observability/logger.ts';
import type { WebhookClient, WebhookReply } from './webhook-client.ts';

export interface AttemptDeps {
  readonly client: Pick<WebhookClient, 'post'>;
  /** Epoch ms. */
  readonly clock: () => number;
  readonly settings: {
    /** From this lateness on, the body says `late`. */
    readonly lateAfterMs: number;
    readonly giveUpAfterMs: number;
  };
  readonly logger: Logger;
  /** What is said, by event type; Daybell's own when not given. */
  readonly messages?: Messages;
  /** In [0, 1), for jitter. */
  readonly random?: () => number;
}

export type Attempt = (
  claimed: ClaimedOccurrence,
  recipient: Recipient,
) => Promise<RecordedAttempt>;

/** One HTTP request for a claimed occurrence, judged, as the ledger will keep it. Never rejects. */
export function createAttempt(deps: AttemptDeps): Attempt {
  const { client, clock, settings, logger, messages = MESSAGES, random = Math.random } = deps;

  return async (claimed, recipient) => {
    const startedAt = clock();
    const reply = await post(claimed, recipient, startedAt);
    const endedAt = clock();
    const { status, errorCode, durationMs } = reply;
    const { verdict, slowsDestination } = classifyOutcome(
      status === null ? { errorCode: errorCode ?? undefined } : { status },
    );
    const judged = { verdict, endedAt, retryAfterMs: retryAfterMs(reply.retryAfter, endedAt) };
    const next = consequenceOf(claimed, judged, settings.giveUpAfterMs, random());
    log(claimed, reply, verdict, endedAt);
    return {
      key: claimed.key,
      fence: claimed.fence,
      attempt: claimed.attempt,
      fireAt: claimed.fireAt,
      redelivered: claimed.redelivered,
      startedAt,
      durationMs,
      outcome: verdict,
      status,
      errorCode,
      responseExcerpt: reply.responseExcerpt,
      next,
      slowsDestination,
      retryAfterMs: judged.retryAfterMs,
    };
  };

  async function post(
    claimed: ClaimedOccurrence,
    recipient: Recipient,
    sentAt: number,
  ): Promise<WebhookReply> {
    const latenessMs = sentAt - claimed.fireAt;
    try {
      const body = greetingBody(
        {
          eventType: claimed.eventType,
          occurrenceKey: claimed.key,
          // Of whoever has moved since, by redelivery only: date and instant are of the planned zone.
          recipient: { ...recipient, timezone: claimed.timezone },
          localDate: claimed.localDate,
          fireAt: claimed.fireAt,
          late: latenessMs > settings.lateAfterMs,
        },
        messages,
      );
      return await client.post({
        id: claimed.key,
        sentAt,
        attempt: claimed.attempt,
        latenessMs,
        body: JSON.stringify(body),
      });
    } catch {
      // An event type that this version has no words for: a newer one may have them.
      return { ...NOT_SENT, errorCode: 'ERR_CANNOT_COMPOSE' };
    }
  }

  function log(
    { key, attempt, fireAt }: ClaimedOccurrence,
    { status, errorCode, durationMs }: WebhookReply,
    outcome: string,
    endedAt: number,
  ): void {
    const reply = status === null ? { errorCode } : { status };
    const latenessMs = endedAt - fireAt;
    logger.info(
      { occurrenceKey: key, attempt, ...reply, outcome, durationMs, latenessMs },
      'attempt',
    );
  }
}

const NOT_SENT: WebhookReply = {
  status: null,
  errorCode: null,
  retryAfter: null,
  responseExcerpt: null,
  durationMs: 0,
};
