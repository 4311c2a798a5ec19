import type { ClaimedOccurrence, ClaimResult, Lease } from '../../ledger/types.ts';
import { createLoop } from '../../platform/loop.ts';
import { checkClaim, deadlineIn, START_WITHIN_MS, type Deadline } from '../check-claim.ts';
import type { Sending } from '../sending.ts';
import type { Presence } from './presence.ts';
import { createSender } from './sender.ts';

export interface DispatcherDeps extends Sending {
  readonly presence: Presence;
  /** Open requests at a time. */
  readonly concurrency: number;
  /**
   * Requests a second to the destination, from all processes together; null for no limit. Written
   * once, at the start.
   */
  readonly rateLimit: number | null;
}

export type Dispatcher = ReturnType<typeof createDispatcher>;

/** Rows of one claim: with more, the statement would not cost less per row. */
const MAX_CLAIM = 500;
/** How often it polls for new rows; the next instant has a timer of its own. */
const POLL_MS = 250;
/** Rows are due, but the rate limit or another process holds them back. */
const HELD_UP_POLL_MS = 50;
const RETRY_MS = 500;

/**
 * Waits for the next instant, claims due rows of one destination in batches, and posts them. Any
 * number of dispatchers may run at once: no other sends what one has leased. It needs only
 * PostgreSQL and the receiver.
 */
export function createDispatcher(deps: DispatcherDeps) {
  const { destination, ledger, outcomes, watch, health, time, clock, logger } = deps;
  const { presence, concurrency, rateLimit } = deps;
  const sender = createSender({
    outcomes,
    time,
    concurrency,
    attempt: deps.attempt,
    onSent: () => {
      if (!wantsRoom || !hasRoom()) return;
      // Once a round is enough: each wake creates an error with its stack.
      wantsRoom = false;
      loop.wake();
    },
    // A receiver this slow is better served with smaller batches.
    onOverdue: () => {
      claimSize = concurrency;
    },
  });
  let isIntroduced = false;
  let claimSize = MAX_CLAIM;
  let wantsRoom = false;
  let wasFull = false;

  /** Whether to claim the next rows while the last are still being sent. */
  const hasRoom = (): boolean => sender.waiting < 2 * concurrency;

  /** Returns how long to pause before the next, in ms. */
  const round = async (): Promise<number> => {
    if (!isIntroduced) {
      await ledger.setRateLimit(rateLimit);
      logger.info({ destination, rateLimit }, 'dispatching');
      isIntroduced = true;
    }
    // A pause, or a stop, also applies to what was claimed before it.
    if (sender.waiting > 0) {
      const isHeld = await ledger.isHeld();
      health.ok();
      if (isHeld) {
        watch.forget();
        sender.returnWaiting();
      }
    }
    if (!time.isUsable()) {
      await time.measure(deps.readDatabaseClock);
      health.ok();
    }
    // A row whose outcome is not written yet could be claimed and sent again.
    if (!time.isUsable() || outcomes.isFailing) return POLL_MS;

    wantsRoom = !hasRoom();
    // Late rows that are waiting do not count: they must not delay punctual ones.
    if (sender.waitingPunctual >= 2 * concurrency) {
      await presence.stamp({ shortAt: null, busyAt: time.now() });
      return POLL_MS;
    }
    // Before the claim: its lease begins after this.
    const isTooLate = deadlineIn(START_WITHIN_MS, clock);
    const result = await claim();
    if (result.claimed.length > 0) {
      await send(result, isTooLate);
      return 0;
    }
    const dueInMs = await ledger.nextDueInMs(clock());
    if (dueInMs === 0) return (await ledger.isHeld()) ? POLL_MS : HELD_UP_POLL_MS;
    return Math.min(dueInMs ?? POLL_MS, POLL_MS);
  };

  const claim = async (): Promise<ClaimResult> => {
    const limit = Math.max(claimSize - sender.waitingPunctual, 1);
    const lateLimit = hasRoom() ? Math.max(claimSize - sender.waiting, 1) : 0;
    const result = await time.measure(() =>
      ledger.claim({ limit, lateLimit, ...deps.claimTerms() }),
    );
    health.ok();
    const { claimed, allowed, databaseNow } = result;
    wasFull = claimed.length >= Math.min(limit, lateLimit);
    const isShort = lateLimit > 0 && claimed.length < Math.min(limit, lateLimit, allowed);
    if (time.isUsable()) {
      await presence.stamp({
        shortAt: isShort ? databaseNow : null,
        busyAt: wasFull ? databaseNow : null,
      });
    }
    return result;
  };

  const send = async (result: ClaimResult, isTooLate: Deadline): Promise<void> => {
    const claimed = result.claimed.filter((row) => !isBeingSent(row));
    if (!time.isUsable()) return returnAll(claimed);
    const recipients = await deps.findRecipients(claimed).catch((error: unknown) => {
      returnAll(claimed);
      throw error;
    });
    claimSize = Math.min(claimSize * 2, MAX_CLAIM);
    const now = Math.min(clock(), result.databaseNow);
    for (const occurrence of claimed) {
      const { key, leaseToken } = occurrence;
      const check = checkClaim(occurrence, recipients.get(key), now);
      if (check.action === 'send') sender.send(occurrence, check.recipient, isTooLate);
      else if (check.action === 'redirect') void outcomes.returnToQueue({ key, leaseToken });
      else if (check.action === 'release') void outcomes.release({ key, leaseToken });
      else void outcomes.end({ key, leaseToken, reason: check.reason });
    }
  };

  /**
   * A row whose lease expired here, as when a clock jumps or the process stalls. If it is in
   * flight, it keeps the newer lease. One whose outcome is not written yet is returned after that,
   * which changes nothing if the outcome settled it.
   */
  const isBeingSent = ({ key, leaseToken }: Lease): boolean => {
    if (sender.renew({ key, leaseToken })) return true;
    const written = outcomes.unwritten(key);
    void written?.then(() => outcomes.returnToQueue({ key, leaseToken }));
    return written !== undefined;
  };

  const returnAll = (claimed: readonly ClaimedOccurrence[]): void => {
    for (const { key, leaseToken } of claimed) void outcomes.returnToQueue({ key, leaseToken });
  };

  const loop = createLoop(round, (error) => {
    health.failed(error);
    return RETRY_MS;
  });

  watch.onSlowed(() => {
    sender.returnWaiting();
    loop.wake();
  });

  return {
    start: loop.start,
    /**
     * Claims no more, completes what is being sent, returns the rest to the queue, writes all
     * outcomes.
     */
    async stop(): Promise<void> {
      // Waiting rows are returned at once, including those of a claim still in progress.
      const ended = sender.stop();
      await loop.stop();
      // From now on, others send what is due.
      const left = presence.leave().catch(health.failed);
      await ended;
      await sender.stop();
      await deps.flush();
      await left;
    },
    /** Whether more is due than is being sent. */
    isBusy: (): boolean => wasFull || sender.waiting > concurrency,
  };
}
