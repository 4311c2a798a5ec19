import { setTimeout as delay } from 'node:timers/promises';

import type { ClaimedOccurrence, Recipient } from '../events/ports.ts';
import type { Attempt } from './attempt.ts';
import type { Settlements } from './settlements.ts';

export interface SenderDeps {
  readonly attempt: Attempt;
  readonly settlements: Settlements;
  /** Epoch ms. */
  readonly clock: () => number;
  /** Open requests at a time. */
  readonly concurrency: number;
  /** A request has ended: there may be room for more. */
  readonly onSent: () => void;
  /** A row was given back because its turn did not come in time. */
  readonly onOverdue: () => void;
}

export interface Sender {
  /** Sends it when its turn comes, or gives it back when that is not before `startBefore` (`performance.now`). */
  send(occurrence: ClaimedOccurrence, user: Recipient, startBefore: number): void;
  /** How many wait for their turn, and how many of these are on time. */
  readonly waiting: number;
  readonly waitingOnTime: number;
  /** It waits for its turn, or is on the wire. */
  has(key: string): boolean;
  /** Gives back what waits. What is on the wire goes on. */
  giveBackWaiting(): void;
  /** Gives back what waits; resolves when what is on the wire has ended. */
  stop(): Promise<void>;
}

interface Turn {
  readonly occurrence: ClaimedOccurrence;
  readonly user: Recipient;
  readonly startBefore: number;
}

/** A clock that was set back by more than this is not slept out. */
const SHORT_SLEEP_MS = 1_000;

/** Sends claimed rows, so many at a time, those on time before those late. */
export function createSender(deps: SenderDeps): Sender {
  const { attempt, settlements, clock, concurrency, onSent, onOverdue } = deps;
  const onTime: Turn[] = [];
  const late: Turn[] = [];
  const running = new Set<Promise<void>>();
  const inHand = new Set<string>();
  let stopping = false;

  const giveBack = ({ occurrence: { key, fence } }: Turn): void => {
    inHand.delete(key);
    settlements.giveBack({ key, fence });
  };

  const sendOne = async (turn: Turn): Promise<void> => {
    const { occurrence, user, startBefore } = turn;
    const isInTime = performance.now() <= startBefore;
    if (!isInTime) onOverdue();
    // The database's clock said that it is due; this process's has to say so too.
    if (isInTime && (await isDue(occurrence.fireAt, clock)) && !stopping) {
      settlements.record(await attempt(occurrence, user));
      inHand.delete(occurrence.key);
    } else {
      giveBack(turn);
    }
  };

  const next = (): void => {
    while (running.size < concurrency) {
      const turn = onTime.shift() ?? late.shift();
      if (turn === undefined) return;
      const sent = sendOne(turn).finally(() => {
        running.delete(sent);
        next();
        onSent();
      });
      running.add(sent);
    }
  };

  const giveBackWaiting = (): void => {
    for (const turn of [...onTime.splice(0), ...late.splice(0)]) giveBack(turn);
  };

  return {
    send(occurrence, user, startBefore) {
      inHand.add(occurrence.key);
      (occurrence.late ? late : onTime).push({ occurrence, user, startBefore });
      if (stopping) giveBackWaiting();
      next();
    },
    get waiting() {
      return onTime.length + late.length;
    },
    get waitingOnTime() {
      return onTime.length;
    },
    has: (key) => inHand.has(key),
    giveBackWaiting,
    async stop() {
      stopping = true;
      giveBackWaiting();
      await Promise.all(running);
    },
  };
}

/** Sleeps the rest of a hair; false when it is more than that. Timers can run early. */
async function isDue(fireAt: number, clock: () => number): Promise<boolean> {
  let earlyMs = fireAt - clock();
  while (earlyMs > 0 && earlyMs <= SHORT_SLEEP_MS) {
    await delay(Math.ceil(earlyMs));
    earlyMs = fireAt - clock();
  }
  return earlyMs <= 0;
}
