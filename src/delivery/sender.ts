import { setTimeout as delay } from 'node:timers/promises';

import type { ClaimedOccurrence, Recipient } from '../events/ports.ts';
import type { Attempt } from './attempt.ts';
import type { Deadline } from './deadline.ts';
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
  /** Sends it when its turn comes, or gives it back when it is too late for that. */
  send(occurrence: ClaimedOccurrence, user: Recipient, isTooLate: Deadline): void;
  /** How many wait for their turn, and how many of these are on time. */
  readonly waiting: number;
  readonly waitingOnTime: number;
  isOnTheWire(key: string): boolean;
  /** Takes it out of those that wait, if it is among them, without giving it back. */
  forget(key: string): void;
  /** Gives back what waits. What is on the wire goes on. */
  giveBackWaiting(): void;
  /** Gives back what waits; resolves when what is on the wire has ended. */
  stop(): Promise<void>;
}

interface Turn {
  readonly occurrence: ClaimedOccurrence;
  readonly user: Recipient;
  readonly isTooLate: Deadline;
}

/** A clock that was set back by more than this is not slept out. */
const SHORT_SLEEP_MS = 1_000;

/** Sends claimed rows, so many at a time, those on time before those late. */
export function createSender(deps: SenderDeps): Sender {
  const { attempt, settlements, clock, concurrency, onSent, onOverdue } = deps;
  const onTime: Turn[] = [];
  const late: Turn[] = [];
  const running = new Set<Promise<void>>();
  const waiting = new Set<string>();
  const onTheWire = new Set<string>();
  let stopping = false;

  const giveBack = ({ occurrence: { key, fence } }: Turn): void => {
    settlements.giveBack({ key, fence });
  };

  const sendOne = async (turn: Turn): Promise<void> => {
    const { occurrence, user, isTooLate } = turn;
    const isInTime = !isTooLate();
    if (!isInTime) onOverdue();
    // The database's clock said that it is due; this process's has to say so too.
    if (isInTime && (await isDue(occurrence.fireAt, clock)) && !stopping) {
      settlements.record(await attempt(occurrence, user));
    } else {
      giveBack(turn);
    }
  };

  const next = (): void => {
    while (running.size < concurrency) {
      const turn = onTime.shift() ?? late.shift();
      if (turn === undefined) return;
      const { key } = turn.occurrence;
      waiting.delete(key);
      onTheWire.add(key);
      const sent = sendOne(turn).finally(() => {
        onTheWire.delete(key);
        running.delete(sent);
        next();
        onSent();
      });
      running.add(sent);
    }
  };

  const giveBackWaiting = (): void => {
    waiting.clear();
    for (const turn of [...onTime.splice(0), ...late.splice(0)]) giveBack(turn);
  };

  return {
    send(occurrence, user, isTooLate) {
      waiting.add(occurrence.key);
      (occurrence.late ? late : onTime).push({ occurrence, user, isTooLate });
      if (stopping) giveBackWaiting();
      next();
    },
    get waiting() {
      return onTime.length + late.length;
    },
    get waitingOnTime() {
      return onTime.length;
    },
    isOnTheWire: (key) => onTheWire.has(key),
    forget(key) {
      if (!waiting.delete(key)) return;
      for (const turns of [onTime, late]) {
        const place = turns.findIndex(({ occurrence }) => occurrence.key === key);
        if (place !== -1) turns.splice(place, 1);
      }
    },
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
