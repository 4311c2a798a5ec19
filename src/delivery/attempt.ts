import type { ClaimedOccurrence, RecordedAttempt } from '../ledger/types.ts';
import type { Logger } from '../observability/logger.ts';
import { greetingBody, type Messages, MESSAGES } from './greeting.ts';
import { decideNextAttempt } from './next-attempt.ts';
import { classifyOutcome, retryAfterMs } from './outcome.ts';
import type { Recipient } from './recipient.ts';
import type { WebhookClient, WebhookReply } from './webhook-client.ts';

export interface AttemptDeps {
  readonly client: Pick<WebhookClient, 'post'>;
  readonly sentBy: RecordedAttempt['sentBy'];
  /** Epoch ms by the database's clock: what is signed and recorded. */
  readonly clock: () => number;
  readonly settings: {
    /** From this lateness on, the body says `late`. */
    readonly lateAfterMs: number;
    readonly giveUpAfterMs: number;
  };
  readonly logger: Logger;
  /** What is said, by occasion type; Daybell's own when not given. */
  readonly messages?: Messages;
  /** In [0, 1), for jitter. */
  readonly random?: () => number;
}

export type Attempt = (
  claimed: ClaimedOccurrence,
  recipient: Recipient,
) => Promise<RecordedAttempt>;

/** Makes one HTTP request for a claimed occurrence and judges it, as the ledger keeps it. Never rejects. */
export function createAttempt(deps: AttemptDeps): Attempt {
  const { client, sentBy, clock, settings, logger, messages = MESSAGES } = deps;
  const { random = Math.random } = deps;

  return async (claimed, recipient) => {
    const startedAt = clock();
    const reply = await post(claimed, recipient, startedAt);
    const endedAt = Math.max(clock(), startedAt);
    const { status, errorCode, durationMs } = reply;
    const { verdict, slowsDestination } = classifyOutcome(
      status === null ? { errorCode: errorCode ?? undefined } : { status },
    );
    const judged = { verdict, endedAt, retryAfterMs: retryAfterMs(reply.retryAfter, endedAt) };
    log(claimed, reply, verdict, endedAt);
    return {
      key: claimed.key,
      leaseToken: claimed.leaseToken,
      dueAt: claimed.dueAt,
      localDate: claimed.localDate,
      redelivered: claimed.redelivered,
      sentBy,
      startedAt,
      durationMs,
      outcome: verdict,
      status,
      errorCode,
      responseExcerpt: reply.responseExcerpt,
      next: decideNextAttempt(claimed, startedAt, judged, settings.giveUpAfterMs, random()),
      slowsDestination,
      retryAfterMs: judged.retryAfterMs,
    };
  };

  async function post(
    claimed: ClaimedOccurrence,
    recipient: Recipient,
    sentAt: number,
  ): Promise<WebhookReply> {
    const latenessMs = Math.round(sentAt - claimed.dueAt);
    try {
      const body = greetingBody(
        {
          occasionType: claimed.occasionType,
          occurrenceKey: claimed.key,
          // The zone of the plan, as the date and the instant: a redelivered user may have moved.
          recipient: { ...recipient, timezone: claimed.timezone },
          localDate: claimed.localDate,
          dueAt: claimed.dueAt,
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
      // An occasion type without a message: a newer version may have one.
      return { ...NOT_SENT, errorCode: 'ERR_CANNOT_COMPOSE' };
    }
  }

  function log(
    { key, attempt, dueAt }: ClaimedOccurrence,
    { status, errorCode, durationMs }: WebhookReply,
    outcome: string,
    endedAt: number,
  ): void {
    const reply = status === null ? { errorCode } : { status };
    const latenessMs = Math.round(endedAt - dueAt);
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
