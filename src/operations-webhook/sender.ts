/** Posts operational events, one after the other. */
import { classifyOutcome, retryAfterMs } from '../delivery/outcome.ts';
import type { WebhookClient } from '../delivery/wire/webhook-client.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import { createLoop } from '../platform/loop.ts';
import type { EventQueue, WaitingEvent } from './event-queue.ts';

export interface SenderDeps {
  readonly queue: EventQueue;
  readonly client: WebhookClient;
  /** The client's timeout for one request. */
  readonly timeoutMs: number;
  readonly logger: Logger;
  readonly count: (result: SendResult) => void;
  /** Epoch ms. */
  readonly clock: () => number;
}

export const SEND_RESULTS = ['delivered', 'retried', 'given_up'] as const;

type SendResult = (typeof SEND_RESULTS)[number];

const LOOK_EVERY_MS = 2_000;
/** Time for the database, besides the request. */
const LEASE_MARGIN_MS = 30_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 10 * 60_000;
/** By then an operator knows from another source, and hundreds of events may wait. */
const GIVE_UP_AFTER_MS = 24 * 3_600_000;
/** The longest pause between requests while none is accepted, however many events wait. */
const LONGEST_PAUSE_MS = 60_000;

/**
 * Sends waiting events. Any answer but 2xx and 410 is tried again, for a day. A receiver that is
 * down delays only these events.
 */
export function createSender({ queue, client, timeoutMs, logger, count, clock }: SenderDeps) {
  let refusals = 0;
  const stopping = Promise.withResolvers<null>();

  const remove = async (event: WaitingEvent, result: SendResult): Promise<void> => {
    count(result);
    await queue.remove(event);
  };

  const loop = createLoop(
    async () => {
      const event = await queue.claim(timeoutMs + LEASE_MARGIN_MS);
      if (event === null) return LOOK_EVERY_MS;
      const { id, body, attempts, createdAt, now } = event;
      const request = {
        id: `operations:${id}`,
        sentAt: clock(),
        attempt: attempts,
        latenessMs: Math.max(0, Math.round(now - createdAt)),
        body: JSON.stringify(body),
      };
      const reply = await Promise.race([client.post(request), stopping.promise]);
      if (reply === null) {
        await queue.retry(event, FIRST_RETRY_MS);
        return 0;
      }
      const { verdict } = classifyOutcome(reply);
      if (verdict === 'delivered') {
        refusals = 0;
        await remove(event, 'delivered');
        return 0;
      }
      refusals += 1;
      const { status, errorCode } = reply;
      const about = { type: body.type, id, attempts, status, errorCode };
      if (verdict === 'gone' || now - createdAt >= GIVE_UP_AFTER_MS) {
        logger.error(about, 'an operational event was given up');
        await remove(event, 'given_up');
      } else {
        if (refusals === 1) logger.warn(about, 'an operational event was not accepted');
        count('retried');
        const asked = retryAfterMs(reply.retryAfter, clock()) ?? 0;
        await queue.retry(event, Math.max(asked, backOff(attempts, LONGEST_RETRY_MS)));
      }
      return backOff(refusals, LONGEST_PAUSE_MS);
    },
    (error, failures) => {
      if (failures === 1) {
        logger.warn({ error: describeError(error) }, 'operational events cannot be read');
      }
      return LOOK_EVERY_MS;
    },
  );

  return {
    start: loop.start,
    /** Sends new events at once, unless the receiver refuses: then the pause stays. */
    wake(): void {
      if (refusals === 0) loop.wake();
    },
    /**
     * A request in progress is abandoned, and made again by another process or after the restart.
     */
    async stop(): Promise<void> {
      stopping.resolve(null);
      await loop.stop();
      client.close();
    },
  };
}

function backOff(tries: number, longestMs: number): number {
  return Math.min(longestMs, FIRST_RETRY_MS * 2 ** (tries - 1));
}
