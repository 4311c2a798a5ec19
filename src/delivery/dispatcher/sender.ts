import { setTimeout as delay } from 'node:timers/promises';

import type { ClaimedOccurrence, Lease } from '../../ledger/types.ts';
import type { Attempt } from '../attempt.ts';
import type { ClockOffset } from '../clock-offset.ts';
import type { Deadline } from '../check-claim.ts';
import type { Outcomes } from '../outcomes.ts';
import type { Recipient } from '../recipient.ts';

export interface SenderDeps {
  readonly attempt: Attempt;
  readonly outcomes: Pick<Outcomes, 'record' | 'returnToQueue'>;
  readonly time: Pick<ClockOffset, 'earliest' | 'isUsable'>;
  /** Open requests at a time. */
  readonly concurrency: number;
  /** A request has ended: there may be room for more. */
  readonly onSent: () => void;
  /** A row waited too long for its lease, and was returned to the queue. */
  readonly onOverdue: () => void;
}

interface Job {
  /** The newest lease on the row that this process holds. */
  leaseToken: number;
  readonly occurrence: ClaimedOccurrence;
  readonly recipient: Recipient;
  readonly isTooLate: Deadline;
}

/** Sends claimed rows, up to a limit at a time, punctual ones before late ones. */
export function createSender(deps: SenderDeps) {
  const { attempt, outcomes, time, concurrency, onSent, onOverdue } = deps;
  /** Waiting rows, by key, in the order of arrival. */
  const punctual = new Map<string, Job>();
  const late = new Map<string, Job>();
  const onTheWire = new Map<string, Job>();
  const running = new Set<Promise<void>>();
  let stopping = false;

  const sendOne = async (job: Job): Promise<void> => {
    const { occurrence, recipient, isTooLate } = job;
    const isInTime = !isTooLate();
    if (!isInTime) onOverdue();
    // It is due by the database's clock, and has to be due by this process's too.
    const isDue =
      isInTime && time.isUsable() && (await sleepUntil(occurrence.dueAt, time.earliest));
    if (!isDue || stopping) return returnToQueue(job);
    const made = await attempt(occurrence, recipient);
    void outcomes.record({ ...made, leaseToken: job.leaseToken });
  };

  const returnToQueue = ({ occurrence: { key }, leaseToken }: Job): void => {
    void outcomes.returnToQueue({ key, leaseToken });
  };

  const startNext = (): void => {
    while (running.size < concurrency) {
      const [next] = punctual.size > 0 ? punctual : late;
      if (next === undefined) return;
      const [key, job] = next;
      punctual.delete(key);
      late.delete(key);
      onTheWire.set(key, job);
      const sent = sendOne(job).finally(() => {
        onTheWire.delete(key);
        running.delete(sent);
        startNext();
        onSent();
      });
      running.add(sent);
    }
  };

  const returnWaiting = (): void => {
    const jobs = [...punctual.values(), ...late.values()];
    punctual.clear();
    late.clear();
    for (const job of jobs) returnToQueue(job);
  };

  return {
    /** Sends it when there is room, or returns it to the queue if that is too late for its lease. */
    send(occurrence: ClaimedOccurrence, recipient: Recipient, isTooLate: Deadline): void {
      const { key, leaseToken } = occurrence;
      const jobs = occurrence.late ? late : punctual;
      jobs.set(key, { leaseToken, occurrence, recipient, isTooLate });
      if (stopping) returnWaiting();
      startNext();
    },
    get waiting(): number {
      return punctual.size + late.size;
    },
    get waitingPunctual(): number {
      return punctual.size;
    },
    /**
     * For a row that this process has claimed again, because its lease expired. If it is in flight,
     * its outcome will be recorded under the newer lease. If it waits, it is dropped: the older
     * lease is void. Returns whether it is in flight.
     */
    renew({ key, leaseToken }: Lease): boolean {
      punctual.delete(key);
      late.delete(key);
      const job = onTheWire.get(key);
      if (job !== undefined) job.leaseToken = leaseToken;
      return job !== undefined;
    },
    /** Returns what waits to the queue. What is in flight continues. */
    returnWaiting,
    /** Returns what waits; resolves when everything in flight has ended. */
    async stop(): Promise<void> {
      stopping = true;
      returnWaiting();
      await Promise.all(running);
    },
  };
}

/** If a clock was set back by more than this, do not wait. */
const SHORT_SLEEP_MS = 1_000;

/** Sleeps up to a second, since timers can fire early; returns false if the wait is longer. */
async function sleepUntil(dueAt: number, clock: () => number): Promise<boolean> {
  let earlyMs = dueAt - clock();
  while (earlyMs > 0 && earlyMs <= SHORT_SLEEP_MS) {
    await delay(Math.ceil(earlyMs));
    earlyMs = dueAt - clock();
  }
  return earlyMs <= 0;
}
