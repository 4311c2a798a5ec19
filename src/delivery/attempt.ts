import type { ClaimedOccurrence, RecordedAttempt } from '../ledger/types.ts';
import type { Logger } from '../platform/logger.ts';
import { continuesTrace } from '../platform/trace-point.ts';
import type { Tracing } from '../platform/tracing.ts';
import { decideNextAttempt } from './next-attempt.ts';
import { classifyOutcome, retryAfterMs } from './outcome.ts';
import type { Recipient } from './recipient.ts';
import { webhookBody } from './webhook-body.ts';
import type { WebhookClient, WebhookReply } from './wire/webhook-client.ts';

export interface AttemptDeps {
  readonly client: Pick<WebhookClient, 'post'>;
  readonly sentBy: RecordedAttempt['sentBy'];
  /** Epoch ms by the database's clock: what is signed and recorded. */
  readonly clock: () => number;
  readonly settings: {
    /** From this lateness on, the body has `late: true`. */
    readonly lateAfterMs: number;
    readonly giveUpAfterMs: number;
  };
  readonly logger: Logger;
  /** Null when traces are off. */
  readonly tracing: Tracing | null;
}

export type Attempt = (
  claimed: ClaimedOccurrence,
  recipient: Recipient,
) => Promise<RecordedAttempt>;

/** Makes one HTTP request for a claimed occurrence and judges it for the ledger. Never rejects. */
export function createAttempt(deps: AttemptDeps): Attempt {
  const { client, sentBy, clock, settings, logger, tracing } = deps;

  const make: Attempt = async (claimed, recipient) => {
    const startedAt = clock();
    const reply = await post(claimed, recipient, startedAt);
    const endedAt = Math.max(clock(), startedAt);
    const { status, errorCode, durationMs, responseExcerpt } = reply;
    const { verdict, slowsDestination } = classifyOutcome(reply);
    const { key, destination, leaseToken, dueAt, localDate, redelivered, attempt } = claimed;
    logger.info(
      {
        occurrenceKey: key,
        destination,
        attempt,
        ...(status === null ? { errorCode } : { status }),
        outcome: verdict,
        durationMs,
        latenessMs: Math.round(endedAt - dueAt),
      },
      'attempt',
    );
    const judged = { verdict, endedAt, retryAfterMs: retryAfterMs(reply.retryAfter, endedAt) };
    return {
      key,
      destination,
      leaseToken,
      dueAt,
      localDate,
      redelivered,
      sentBy,
      startedAt,
      durationMs,
      outcome: verdict,
      status,
      errorCode,
      responseExcerpt,
      next: decideNextAttempt(claimed, startedAt, judged, settings.giveUpAfterMs, Math.random()),
      slowsDestination,
      retryAfterMs: judged.retryAfterMs,
    };
  };

  /** In a span of the occurrence's trace, or of one that links to it. */
  const makeTraced = (
    claimed: ClaimedOccurrence,
    recipient: Recipient,
    tracer: Tracing,
  ): Promise<RecordedAttempt> => {
    const { trace } = recipient;
    const continues = trace !== undefined && continuesTrace(trace, clock());
    const options = {
      name: 'POST',
      kind: 'client',
      parent: continues ? trace.traceparent : null,
      link: continues ? null : (trace?.traceparent ?? null),
      attributes: {
        'http.request.method': 'POST',
        'daybell.occurrence_key': claimed.key,
        'daybell.attempt': claimed.attempt,
        'daybell.redelivered': claimed.redelivered,
      },
    } as const;
    return tracer.span(options, async (span) => {
      const made = await make(claimed, recipient);
      span.set({
        'daybell.outcome': made.outcome,
        'daybell.lateness_ms': made.startedAt - claimed.dueAt,
        ...(made.status !== null && { 'http.response.status_code': made.status }),
      });
      if (made.next.kind !== 'delivered') span.fail(made.errorCode ?? String(made.status));
      return made;
    });
  };

  return (claimed, recipient) =>
    tracing === null ? make(claimed, recipient) : makeTraced(claimed, recipient, tracing);

  async function post(
    claimed: ClaimedOccurrence,
    recipient: Recipient,
    sentAt: number,
  ): Promise<WebhookReply> {
    const { key, dueAt, attempt } = claimed;
    const latenessMs = Math.round(sentAt - dueAt);
    const late = latenessMs > settings.lateAfterMs;
    const body = webhookBody({ claimed, recipient, late });
    return client.post({ id: key, sentAt, attempt, latenessMs, body: JSON.stringify(body) });
  }
}
