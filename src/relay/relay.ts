import { setTimeout as sleep } from 'node:timers/promises';

import pLimit from 'p-limit';

import { MessageRefusedError, SchedulerAwayError } from '../events/scheduling.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { Outbox, OutboxEntry, OutboxResult } from '../users/outbox.ts';
import type { Subscriber } from './subscriber.ts';

export interface RelayDeps {
  readonly outbox: Outbox;
  readonly subscribers: readonly Subscriber[];
  readonly logger: Logger;
}

export interface Relay {
  /** Ends the loop after the batch in hand, whose results are kept. */
  stop(): Promise<void>;
}

/** A batch is claimed, sent and settled within the lease: 100 entries, 50 at a time, 5 s at most each. */
const BATCH = 100;
const CONCURRENCY = 50;
const LEASE_MS = 15_000;
/** A new user's first message is on its way within this time. */
const POLL_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** One that found no ear while others did: out of their way for a moment. */
const UNHEARD_MS = 5_000;
/** An entry that fails for reasons of its own: with the delays below, after about 8 minutes. */
const MOST_FAILURES = 10;

/**
 * Starts relaying the outbox to its subscribers, at least once. Nothing ends it but `stop`:
 * with the database or a subscriber away it waits, and says so once.
 */
export function startRelay({ outbox, subscribers, logger }: RelayDeps): Relay {
  const stopping = new AbortController();
  const limit = pLimit(CONCURRENCY);
  let pauseMs = POLL_MS;
  let waiting = false;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const pause = await relayBatch().then(afterBatch, afterTrouble);
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  /** Gives the number of entries that were taken; rejects when nothing can be relayed now. */
  async function relayBatch(): Promise<number> {
    const entries = await outbox.claim(BATCH, LEASE_MS);
    const batch: Batch = { heard: false, away: null };
    const results = await Promise.all(entries.map((entry) => limit(relayOne, entry, batch)));
    await outbox.settle(results);
    if (batch.away !== null && !batch.heard) throw batch.away;
    return entries.length;
  }

  async function relayOne(entry: OutboxEntry, batch: Batch): Promise<OutboxResult> {
    const { id, event } = entry;
    if (batch.away !== null && !batch.heard) return { id, kind: 'returned', delayMs: 0 };
    try {
      for (const subscriber of subscribers) await subscriber.handle(event);
      batch.heard = true;
      return { id, kind: 'relayed' };
    } catch (error) {
      if (!(error instanceof SchedulerAwayError)) return failed(entry, error);
      batch.away = error;
      return { id, kind: 'returned', delayMs: batch.heard ? UNHEARD_MS : 0 };
    }
  }

  function failed({ id, event, failures }: OutboxEntry, error: unknown): OutboxResult {
    const reason = error instanceof Error ? error.message : String(error);
    const { type, userId, revision } = event;
    const about = { outboxId: id, type, userId, revision, error: describeError(error) };
    if (error instanceof MessageRefusedError || failures + 1 >= MOST_FAILURES) {
      const alarm = 'outbox-entry-set-aside';
      logger.error({ alarm, ...about }, 'an event could not be relayed and is set aside');
      return { id, kind: 'set-aside', error: reason };
    }
    logger.warn(about, 'an event could not be relayed; it is tried again');
    return { id, kind: 'postponed', delayMs: 1_000 * 2 ** failures, error: reason };
  }

  function afterBatch(taken: number): number {
    if (waiting) logger.info('relaying again');
    waiting = false;
    pauseMs = POLL_MS;
    return taken > 0 ? 0 : POLL_MS;
  }

  function afterTrouble(error: unknown): number {
    if (!waiting) {
      logger.warn({ error: describeError(error) }, 'waiting to relay; nothing is lost meanwhile');
    }
    waiting = true;
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    // Jitter: several relays don't come back as one.
    return pauseMs * (0.75 + Math.random() / 2);
  }

  const finished = run();
  return {
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}

/** What is known of the subscribers from this batch. */
interface Batch {
  heard: boolean;
  away: SchedulerAwayError | null;
}
