import type { UserEvent } from '../users/events.ts';
import type { Outbox, OutboxEntry, OutboxResult } from '../users/outbox.ts';

/** An outbox and what is written to it. */
export interface InProcessOutbox extends Outbox {
  /** Keeps the event for each subscriber of this moment. */
  publish(event: UserEvent): void;
  /** How many entries of a subscriber wait; those that are set aside do not. */
  waiting(subscriber: string): number;
}

interface Entry {
  readonly id: number;
  readonly subscriber: string;
  readonly event: UserEvent;
  failures: number;
  isSetAside: boolean;
  /** Of the last claim; null when nobody has it. */
  lease: string | null;
  /** Nobody may take it before, in ms by `clock`. */
  freeAt: number;
}

/**
 * The outbox in memory, for a test or for a process that embeds the User Context: with a
 * relay on it, a bus that tells its subscribers just as the durable one does, until the
 * process ends.
 *
 * @param clock ms that never go back
 */
export function createInProcessOutbox(clock: () => number): InProcessOutbox {
  const subscribers = new Set<string>();
  let entries: Entry[] = [];
  let ids = 0;
  let leases = 0;

  return {
    publish(event) {
      for (const subscriber of subscribers) {
        const state = { failures: 0, isSetAside: false, lease: null, freeAt: -Infinity };
        entries.push({ id: ++ids, subscriber, event, ...state });
      }
    },

    waiting: (subscriber) =>
      entries.filter((entry) => entry.subscriber === subscriber && !entry.isSetAside).length,

    async subscribe(subscriber) {
      subscribers.add(subscriber);
    },

    async claim(subscriber, limit, leaseMs) {
      const now = clock();
      const firstWaiting = new Set<string>();
      const free = entries.filter((entry) => {
        if (entry.subscriber !== subscriber || entry.isSetAside) return false;
        const { userId } = entry.event;
        const isFirst = !firstWaiting.has(userId);
        firstWaiting.add(userId);
        return isFirst && entry.freeAt <= now;
      });
      return free.slice(0, limit).map((entry) => claim(entry, now + leaseMs));
    },

    async settle(results) {
      for (const result of results) settle(result);
    },
  };

  function claim(entry: Entry, until: number): OutboxEntry {
    const lease = String(++leases);
    Object.assign(entry, { lease, freeAt: until });
    return { id: String(entry.id), lease, event: entry.event, failures: entry.failures };
  }

  function settle(result: OutboxResult): void {
    const entry = entries.find(
      ({ id, lease }) => String(id) === result.id && lease === result.lease,
    );
    if (entry === undefined) return;
    entry.lease = null;
    entry.freeAt = clock() + ('delayMs' in result ? result.delayMs : 0);
    if ('error' in result) entry.failures += 1;
    if (result.kind === 'set-aside') entry.isSetAside = true;
    if (result.kind === 'relayed') entries = entries.filter((other) => other !== entry);
  }
}
