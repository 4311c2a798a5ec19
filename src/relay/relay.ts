import type { Logger } from '../observability/logger.ts';
import type { Subscriber } from '../users/events.ts';
import type { Outbox, OutboxResult } from '../users/outbox.ts';
import { startSubscription } from './subscription.ts';

export interface RelayDeps {
  readonly outbox: Outbox;
  readonly subscribers: readonly Subscriber[];
  readonly logger: Logger;
  /** Told what became of a subscriber's events, once that is kept. */
  readonly onSettled?: (results: readonly OutboxResult[], subscriber: string) => void;
  /** For how long a batch is this relay's; shorter in a test that waits for it. */
  readonly leaseMs?: number;
}

export interface Relay {
  /** Ends after the batches in hand, whose results are kept. */
  stop(): Promise<void>;
}

/** A batch is claimed, sent and settled within it: 50 entries at once, 6 s at most each. */
const LEASE_MS = 15_000;

/**
 * Starts relaying the outbox to its subscribers, at least once, each at its own pace. Any
 * number of relays may do so at once. Nothing ends it but `stop`: with the database or a
 * subscriber away it waits, and says so once.
 */
export function startRelay(deps: RelayDeps): Relay {
  const { outbox, subscribers, logger, onSettled, leaseMs = LEASE_MS } = deps;
  const subscriptions = subscribers.map((subscriber) =>
    startSubscription({
      outbox,
      subscriber,
      leaseMs,
      logger: logger.child({ subscriber: subscriber.name }),
      onSettled: (results) => onSettled?.(results, subscriber.name),
    }),
  );
  return {
    async stop() {
      await Promise.all(subscriptions.map((subscription) => subscription.stop()));
    },
  };
}
