import { setTimeout as delay } from 'node:timers/promises';

import type { ClaimedOccurrence, Lease } from '../ledger/types.ts';
import type { Attempt } from './attempt.ts';
import type { ClockOffset } from './clock-offset.ts';
import type { Deadline } from './deadline.ts';
import type { Outcomes } from './outcomes.ts';
import type { Recipient } from './recipient.ts';

export interface SenderDeps {
  readonly attempt: Attempt;
  readonly outcomes: Pick<Outcomes, 'record' | 'returnToQueue'>;
  readonly time: Pick<ClockOffset, 'earliest' | 'isUsable'>;
  /** Open requests at a time. */
  readonly concurrency: number;
  /** A request has ended: there may be room for more. */
  readonly onSent: () => void;
  /** A row was returned to the queue because its turn did not come in time. */
  readonly onOverdue: () => void;
}

export interface Sender {
  /** Sends it when its turn comes, or returns it to the queue if that is too late for its lease. */
  send(occurrence: ClaimedOccurrence, recipient: Recipient, isTooLate: Deadline): void;
  /** How many wait for their turn, and how many of these are punctual. */
  readonly waiting: number;
  readonly waitingPunctual: number;
  /**
   * For a row that this process has claimed again, because its lease ran out. On the wire, its
   * outcome will be recorded under the newer lease. If it waits, it is dropped: the older lease is
   * void. Returns whether it is on the wire.
   */
  renew(lease: Lease): boolean;
  /** Returns what waits to the queue. What is on the wire goes on. */
  returnWaiting(): void;
  /** Returns what waits; resolves when what is on the wire has ended. */
  stop(): Promise<void>;
}

interface Turn {
  leaseToken: number;
  readonly occurrence: ClaimedOccurrence;
  readonly recipient: Recipient;
  readonly isTooLate: Deadline;
}

/** Sends claimed rows, so many at a time, punctual ones before late ones. */
export function createSender(deps: SenderDeps): Sender {
  const { attempt, outcomes, time, concurrency, onSent, onOverdue } = deps;
  const punctual: Turn[] = [];
  const late: Turn[] = [];
  const running = new Set<Promise<void>>();
  const waiting = new Set<string>();
  const onTheWire = new Map<string, Turn>();
  let stopping = false;

  const returnToQueue = ({ occurrence: { key }, leaseToken }: Turn): void => {
    void outcomes.returnToQueue({ key, leaseToken });
  };

  const sendOne = async (turn: Turn): Promise<void> => {
    const { occurrence, recipient, isTooLate } = turn;
    const isInTime = !isTooLate();
    if (!isInTime) onOverdue();
    // The database's clock said that it is due; this process's has to say so too.
    const isDue =
      isInTime && time.isUsable() && (await sleepUntil(occurrence.dueAt, time.earliest));
    if (!isDue || stopping) return returnToQueue(turn);
    const made = await attempt(occurrence, recipient);
    void outcomes.record({ ...made, leaseToken: turn.leaseToken });
  };

  const next = (): void => {
    while (running.size < concurrency) {
      const turn = punctual.shift() ?? late.shift();
      if (turn === undefined) return;
      const { key } = turn.occurrence;
      waiting.delete(key);
      onTheWire.set(key, turn);
      const sent = sendOne(turn).finally(() => {
        onTheWire.delete(key);
        running.delete(sent);
        next();
        onSent();
      });
      running.add(sent);
    }
  };

  const returnWaiting = (): void => {
    waiting.clear();
    for (const turn of [...punctual.splice(0), ...late.splice(0)]) returnToQueue(turn);
  };

  return {
    send(occurrence, recipient, isTooLate) {
      waiting.add(occurrence.key);
      const { leaseToken } = occurrence;
      (occurrence.late ? late : punctual).push({ leaseToken, occurrence, recipient, isTooLate });
      if (stopping) returnWaiting();
      next();
    },
    get waiting() {
      return punctual.length + late.length;
    },
    get waitingPunctual() {
      return punctual.length;
    },
    renew({ key, leaseToken }) {
      if (waiting.delete(key)) {
        for (const turns of [punctual, late]) {
          const place = turns.findIndex(({ occurrence }) => occurrence.key === key);
          if (place !== -1) turns.splice(place, 1);
        }
      }
      const turn = onTheWire.get(key);
      if (turn !== undefined) turn.leaseToken = leaseToken;
      return turn !== undefined;
    },
    returnWaiting,
    async stop() {
      stopping = true;
      returnWaiting();
      await Promise.all(running);
    },
  };
}

/** A clock that was set back by more than this is not waited for. */
const SHORT_SLEEP_MS = 1_000;

/** Sleeps up to a second, since timers can run early; false if it is more than that. */
async function sleepUntil(dueAt: number, clock: () => number): Promise<boolean> {
  let earlyMs = dueAt - clock();
  while (earlyMs > 0 && earlyMs <= SHORT_SLEEP_MS) {
    await delay(Math.ceil(earlyMs));
    earlyMs = dueAt - clock();
  }
  return earlyMs <= 0;
}
