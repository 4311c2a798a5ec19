import { whyNotSend } from '../events/consequence.ts';
import type { ClaimedOccurrence, DeliveryLedger, UserDirectory } from '../events/ports.ts';
import type { Logger } from '../observability/logger.ts';
import type { Attempt } from './attempt.ts';
import { deadlineIn, type Deadline } from './deadline.ts';
import { createDemandWatch } from './demand-watch.ts';
import { createHealth } from './health.ts';
import { createLoop } from './loop.ts';
import type { DeliveryObserver } from './observer.ts';
import { createSender } from './sender.ts';
import { createSettlements } from './settlements.ts';

export interface DispatcherDeps {
  readonly ledger: DeliveryLedger;
  readonly directory: UserDirectory;
  readonly attempt: Attempt;
  /** Epoch ms. */
  readonly clock: () => number;
  readonly settings: {
    /** Open requests at a time. */
    readonly concurrency: number;
    /** The longest that one request can take. */
    readonly timeoutMs: number;
    /** How late a first attempt may be. */
    readonly lateLimitMs: number;
  };
  /** Requests a second, all dispatchers together; null for no limit. Written once, at the start. */
  readonly pace: number | null;
  readonly logger: Logger;
  readonly observer?: DeliveryObserver;
}

export interface Dispatcher {
  start(): void;
  /** Claims no more, ends what is being sent, gives back the rest, writes all outcomes. */
  stop(): Promise<void>;
  /** More is due than is being sent. */
  isBusy(): boolean;
}

/** Rows of one claim: more would not make the statement cheaper by the row. */
const MAX_CLAIM = 500;
/**
 * How long a row is held beyond the time that one request can take. It is sent within the
 * first part, or given back; the rest is for writing the outcome. Short, because so long
 * wait the rows of a process that died.
 */
const HOLD_MARGIN_MS = 10_000;
const START_WITHIN_MS = 8_000;
/** Newly armed rows are looked for this often; the next instant has a timer of its own. */
const POLL_MS = 250;
/** Rows are due, but the pace or another process has them. */
const HELD_UP_POLL_MS = 50;
const RETRY_MS = 500;
/**
 * When the database is back, the holds of what was on the wire may have run out: every dispatcher
 * writes what it knows, which it tries four times a second, before any of them claims.
 */
const OUTCOMES_FIRST_MS = 2_000;

/**
 * The fire stage: waits for the next instant, claims due rows in batches, posts them. Any
 * number of these may run at once: what one holds, no other sends.
 */
export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { ledger, directory, clock, logger } = deps;
  const { concurrency, timeoutMs, lateLimitMs } = deps.settings;
  const health = createHealth('database', logger);
  const settlements = createSettlements(ledger, health, deps.observer);
  const watch = createDemandWatch({
    ledger,
    health,
    logger,
    onSlowed() {
      sender.giveBackWaiting();
      loop.wake();
    },
  });
  const sender = createSender({
    ...deps,
    async attempt(occurrence, user) {
      const beganAt = watch.began();
      const attempt = await deps.attempt(occurrence, user);
      watch.ended(attempt, beganAt);
      return attempt;
    },
    settlements,
    concurrency,
    onSent: () => {
      if (wantsRoom && hasRoom()) loop.wake();
    },
    // A receiver this slow is better served in smaller portions.
    onOverdue: () => {
      claimSize = concurrency;
    },
  });
  let isIntroduced = false;
  /** Nobody may have sent for long, this process or all: what is late then is behind the rest. */
  let isLateBehind = false;
  let isDatabaseAway = false;
  let claimSize = MAX_CLAIM;
  let wantsRoom = false;
  let wasFull = false;

  /** The next are claimed while the last are still being sent. */
  const hasRoom = (): boolean => sender.waiting < 2 * concurrency;
  /** Those late that wait already are in nobody's way. */
  const hasRoomOnTime = (): boolean => sender.waitingOnTime < 2 * concurrency;

  /** Gives how long to wait before the next, in ms. */
  const round = async (): Promise<number> => {
    // A pause, or a stop, holds for what was claimed before it, too.
    if (sender.waiting > 0 && (await ledger.isHeld())) {
      watch.forget();
      sender.giveBackWaiting();
    }

    if (isDatabaseAway) {
      await ledger.isHeld();
      isDatabaseAway = false;
      health.ok();
      return OUTCOMES_FIRST_MS;
    }

    wantsRoom = !hasRoom();
    // Outcomes first: a row whose outcome is not written yet could be claimed and sent again.
    if (!hasRoomOnTime() || settlements.isFailing) return POLL_MS;

    if (!isIntroduced) await introduce();
    if (!isLateBehind) await ledger.putLateBehind();
    isLateBehind = true;

    // From before the claim: its hold begins after this.
    const isTooLate = deadlineIn(START_WITHIN_MS, clock);
    const limit = Math.max(claimSize - sender.waitingOnTime, 1);
    const lateLimit = hasRoom() ? Math.max(claimSize - sender.waiting, 1) : 0;
    const holdMs = timeoutMs + HOLD_MARGIN_MS;
    const claimed = await ledger.claim({ limit, lateLimit, now: clock(), holdMs });
    health.ok();
    wasFull = claimed.length >= Math.min(limit, lateLimit);
    if (claimed.length > 0) {
      await send(claimed, isTooLate);
      return 0;
    }
    const dueInMs = await ledger.nextDueInMs(clock());
    if (dueInMs === 0) return (await ledger.isHeld()) ? POLL_MS : HELD_UP_POLL_MS;
    return Math.min(dueInMs ?? POLL_MS, POLL_MS);
  };

  const introduce = async (): Promise<void> => {
    await ledger.setPace(deps.pace);
    logger.info({ pace: deps.pace, ...(await ledger.counts()) }, 'dispatching');
    isIntroduced = true;
  };

  const send = async (
    claimed: readonly ClaimedOccurrence[],
    isTooLate: Deadline,
  ): Promise<void> => {
    const users = await directory.findRecipients(claimed).catch((error: unknown) => {
      for (const { key, fence } of claimed) settlements.giveBack({ key, fence });
      throw error;
    });
    claimSize = Math.min(claimSize * 2, MAX_CLAIM);
    const now = clock();
    for (const occurrence of claimed) {
      const { key, fence } = occurrence;
      // Its hold ran out, as when a clock leaps or a write hangs; what comes of it will be known.
      if (sender.isOnTheWire(key) || settlements.isUnwritten(key)) continue;
      // One that still waits goes by the newer claim: the older one is no longer in force.
      sender.forget(key);
      const user = users.get(key);
      const because = whyNotSend(occurrence, user, now, lateLimitMs);
      if (because !== null) settlements.release({ key, fence, because });
      else if (user !== undefined) sender.send(occurrence, user, isTooLate);
    }
  };

  const loop = createLoop(round, (error) => {
    isLateBehind = false;
    isDatabaseAway = true;
    health.failed(error);
    return RETRY_MS;
  });

  return {
    start: loop.start,
    async stop() {
      // What waits is given back at once, also what a claim under way still brings.
      const ended = sender.stop();
      await loop.stop();
      await ended;
      await sender.stop();
      await watch.stop();
      const left = await settlements.drain();
      if (left > 0) logger.error({ left }, 'outcomes could not be written before the end');
    },
    isBusy: () => wasFull || sender.waiting > concurrency,
  };
}
