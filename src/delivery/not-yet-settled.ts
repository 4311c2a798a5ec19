import type { LastAttempt, OccasionLook } from './occasion-look.ts';
import type { UnsettledRow } from './unsettled.ts';

/** Thrown by deliver while something that is due is not settled: ask again in `retryInMs`. */
export class NotYetSettledError extends Error {
  override readonly name = 'NotYetSettledError';
  readonly retryInMs: number;

  /** @param message what it waits for, as an operator reads it: no data of the user */
  constructor(message: string, retryInMs: number) {
    super(message);
    this.retryInMs = Math.max(Math.ceil(retryInMs), SHORTEST_MS);
  }
}

const SHORTEST_MS = 1_000;
/** A row that is late is asked about less often, so that a backlog's workflows do not add to it. */
const LEAST_WAIT_MS = 15_000;
const MOST_WAIT_MS = 15 * 60_000;
const PAUSED_MS = 3_600_000;

/** What to throw for these rows, of which there is one at least. */
export function notYetSettled(
  look: OccasionLook,
  unsettled: readonly UnsettledRow[],
): NotYetSettledError {
  const { databaseNow: now, occasion } = look;
  const waits = unsettled.map((one) => ({ one, at: askAgainAt(one, look) }));
  const first = waits.reduce((soonest, wait) => (wait.at < soonest.at ? wait : soonest));
  const wakeAt = occasion?.wakeAt ?? null;
  const at = wakeAt !== null && wakeAt > now ? Math.min(first.at, wakeAt) : first.at;
  return new NotYetSettledError(inWords(first.one, look), at - now);
}

function askAgainAt({ row, owner, isAttempted }: UnsettledRow, look: OccasionLook): number {
  const { databaseNow: now, destination } = look;
  const nextAttemptAt = row.nextAttemptAt ?? now;
  if (isAttempted) return nextAttemptAt;
  if (owner.owner === 'nobody' && owner.because === 'paused') return now + PAUSED_MS;
  const since = Math.max(row.dueAt ?? now, row.redeliveredAt ?? -Infinity);
  const waitMs = Math.min(Math.max(now - since, LEAST_WAIT_MS), MOST_WAIT_MS);
  return Math.max(nextAttemptAt, destination.stoppedUntil ?? 0, now + waitMs);
}

function inWords({ row, owner }: UnsettledRow, look: OccasionLook): string {
  const { databaseNow: now, destination } = look;
  const next = (at: number | null): string =>
    at === null ? 'no next attempt yet' : `next attempt at ${timeOfDay(at, now)}`;
  switch (owner.owner) {
    case 'planner':
      return 'it waits for its plan';
    case 'workflow':
      return `it could not be claimed, ${next(now)}`;
    case 'dispatchers':
      return 'dispatchers are sending';
    case 'nobody':
      switch (owner.because) {
        case 'leased':
          return `it is being sent, until ${timeOfDay(row.leaseUntil ?? now, now)} at the latest`;
        case 'early':
          return [row.last && replyInWords(row.last), next(row.nextAttemptAt)]
            .filter(Boolean)
            .join(', ');
        case 'paused':
          return 'delivery is paused';
        case 'stopped':
          return `the receiver asks for a pause, ${next(destination.stoppedUntil)}`;
        case 'rate_limited':
          return 'it waits for the rate limit';
      }
  }
}

/** `503`, or the code of the error that kept an answer from coming. */
function replyInWords({ status, errorCode }: LastAttempt): string {
  return status === null ? (errorCode ?? 'no answer') : String(status);
}

/** `09:00:14Z`, with the date if that is another day. */
function timeOfDay(at: number, now: number): string {
  const isSameDay = iso(at).slice(0, 10) === iso(now).slice(0, 10);
  return isSameDay ? iso(at).slice(11) : iso(at);
}

function iso(instant: number): string {
  return `${new Date(instant).toISOString().slice(0, 19)}Z`;
}
