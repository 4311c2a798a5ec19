import { setTimeout as sleep } from 'node:timers/promises';

import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import { type Subscriber, SubscriberAwayError } from '../users/events.ts';
import type { Outbox, OutboxEntry, OutboxResult } from '../users/outbox.ts';
import { type Told, verdictOn } from './verdict.ts';

export interface SubscriptionDeps {
  readonly outbox: Outbox;
  readonly subscriber: Subscriber;
  readonly leaseMs: number;
  readonly logger: Logger;
  readonly onSettled: (results: readonly OutboxResult[]) => void;
}

/** Told all at once. */
const BATCH = 50;
/** While nobody answers; more than one, because that one may be the only one not heard. */
const PROBE = 5;
const HANDLE_WITHIN_MS = 6_000;
/** A new user's first message is on its way within this time. */
const POLL_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** What was taken longer ago says nothing of now. */
const LATELY_MS = 10 * 60_000;

/** Tells one subscriber what waits for it, until it is stopped. */
export function startSubscription(deps: SubscriptionDeps): { stop(): Promise<void> } {
  const { outbox, subscriber, leaseMs, logger, onSettled } = deps;
  const stopping = new AbortController();
  let isSubscribed = false;
  let pauseMs = POLL_MS;
  let trouble: 'none' | 'outbox' | 'subscriber' = 'none';
  let heardAt = -Infinity;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const pause = await relayBatch().catch(afterTrouble);
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  /** Gives how long to wait before the next, in ms; rejects when nothing can be relayed now. */
  async function relayBatch(): Promise<number> {
    if (!isSubscribed) await outbox.subscribe(subscriber.name);
    isSubscribed = true;
    const entries = await outbox.claim(
      subscriber.name,
      trouble === 'subscriber' ? PROBE : BATCH,
      leaseMs,
    );
    const startedAt = performance.now();
    const told = await Promise.all(entries.map(tell));

    const calls = told.filter(({ entry }) => isWanted(entry));
    const isHeard = calls.some(({ error }) => error === null);
    if (isHeard) heardAt = performance.now();
    const othersPass = performance.now() - heardAt < LATELY_MS;
    const results = told.map((one) => verdictOn(one, othersPass));
    await outbox.settle(results);
    for (const [index, result] of results.entries()) logVerdict(told[index], result);
    onSettled(results);

    const away = calls.find(({ error }) => error instanceof SubscriberAwayError);
    if (away !== undefined && !isHeard) throw away.error;
    afterSuccess(isHeard);
    return entries.length > 0 ? pace(calls.length, startedAt) : POLL_MS;
  }

  async function tell(entry: OutboxEntry): Promise<Told> {
    if (!isWanted(entry)) return { entry, error: null };
    const timeout = AbortSignal.timeout(HANDLE_WITHIN_MS);
    try {
      await Promise.race([subscriber.handle(entry.event, timeout), rejectOn(timeout)]);
      return { entry, error: null };
    } catch (error) {
      return { entry, error };
    }
  }

  function isWanted({ event }: OutboxEntry): boolean {
    return subscriber.wants?.(event) ?? true;
  }

  /** What is left of the time that so many calls may take. */
  function pace(calls: number, startedAt: number): number {
    const { maxPerSecond = Infinity } = subscriber;
    return Math.max(0, (calls * 1000) / maxPerSecond - (performance.now() - startedAt));
  }

  function logVerdict(told: Told | undefined, result: OutboxResult): void {
    if (told === undefined || !('error' in result)) return;
    const { type, userId, revision } = told.entry.event;
    const about = { outboxId: result.id, type, userId, revision, error: describeError(told.error) };
    if (result.kind === 'set-aside') {
      const alarm = 'outbox-entry-set-aside';
      logger.error({ alarm, ...about }, 'an event could not be relayed and is set aside');
    } else {
      logger.warn(about, 'an event could not be relayed; it is tried again');
    }
  }

  /** A subscriber that was away is back when it has heard something, not when nothing was to be told. */
  function afterSuccess(isHeard: boolean): void {
    if (trouble === 'subscriber' && !isHeard) return;
    if (trouble !== 'none') logger.info('relaying again');
    trouble = 'none';
    pauseMs = POLL_MS;
  }

  function afterTrouble(error: unknown): number {
    if (trouble === 'none') {
      logger.warn({ error: describeError(error) }, 'waiting to relay; nothing is lost meanwhile');
    }
    if (error instanceof SubscriberAwayError) trouble = 'subscriber';
    else if (trouble === 'none') trouble = 'outbox';
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

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('it took too long')), { once: true });
  });
}
