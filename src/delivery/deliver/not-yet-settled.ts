import { type LookedRow, type OccasionLook, SHORT_WAIT_MS } from './occasion-look.ts';
import { decideOwner, type Owner } from './ownership.ts';

/** Thrown by deliver while a due occurrence is not settled: call again in `retryInMs`. */
export class NotYetSettledError extends Error {
  override readonly name = 'NotYetSettledError';
  readonly retryInMs: number;

  /** @param message what it waits for, written for operators: no data of the user */
  constructor(message: string, retryInMs: number) {
    super(message);
    this.retryInMs = Math.max(Math.ceil(retryInMs), SHORTEST_MS);
  }
}

const SHORTEST_MS = 1_000;
/** Late rows are polled less often, so that a backlog's workflows do not add to it. */
const LEAST_WAIT_MS = 15_000;
const MOST_WAIT_MS = 15 * 60_000;
const PAUSED_MS = 3_600_000;

/** A row that is due and not settled, and who sends it. */
export interface UnsettledRow {
  readonly row: LookedRow;
  readonly owner: Owner;
  /** This call has attempted it. */
  readonly isAttempted: boolean;
}

/** @param attempted the keys that this call has attempted */
export function unsettledOf(look: OccasionLook, attempted: ReadonlySet<string>): UnsettledRow[] {
  const { open, databaseNow, occasion } = look;
  // A call that comes early leaves the row alone; one that is early by moments waits for the
  // instant.
  const isWakeNear = (occasion?.wakeAt ?? Infinity) - databaseNow <= SHORT_WAIT_MS;
  const dueBefore = databaseNow + (isWakeNear ? SHORT_WAIT_MS : 0);
  return open
    .filter(({ dueAt }) => dueAt !== null && dueAt <= dueBefore)
    .map((row) => ({
      row,
      owner: decideOwner(row, row.dispatchers, row.allowance, databaseNow),
      isAttempted: attempted.has(row.key),
    }));
}

/** In how many ms the row can be claimed; Infinity if this call has nothing to wait for. */
export function shortWaitMs({ row, owner, isAttempted }: UnsettledRow, now: number): number {
  const isNear = owner === 'early' && !isAttempted && row.nextAttemptAt !== null;
  return isNear ? row.nextAttemptAt - now : Infinity;
}

/** The error to throw for these rows, of which there is at least one. */
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
  const { databaseNow: now } = look;
  const nextAttemptAt = row.nextAttemptAt ?? now;
  if (isAttempted) return nextAttemptAt;
  if (owner === 'paused') return now + PAUSED_MS;
  const since = Math.max(row.dueAt ?? now, row.redeliveredAt ?? -Infinity);
  const waitMs = Math.min(Math.max(now - since, LEAST_WAIT_MS), MOST_WAIT_MS);
  return Math.max(nextAttemptAt, row.allowance.stoppedUntil ?? 0, now + waitMs);
}

function inWords({ row, owner }: UnsettledRow, look: OccasionLook): string {
  const { databaseNow: now } = look;
  const next = (at: number | null): string =>
    at === null ? 'no next attempt yet' : `next attempt at ${timeOfDay(at, now)}`;
  switch (owner) {
    case 'planner':
      return 'it waits for its plan';
    case 'workflow':
      return `it could not be claimed, ${next(now)}`;
    case 'dispatchers':
      return 'dispatchers are sending';
    case 'leased':
      return `it is being sent, until ${timeOfDay(row.leaseUntil ?? now, now)} at the latest`;
    case 'early': {
      if (row.last === null) return next(row.nextAttemptAt);
      const { status, errorCode } = row.last;
      return `${status ?? errorCode ?? 'no answer'}, ${next(row.nextAttemptAt)}`;
    }
    case 'paused':
      return 'delivery is paused';
    case 'stopped':
      return `the receiver asks for a pause, ${next(row.allowance.stoppedUntil)}`;
    case 'rate_limited':
      return 'it waits for the rate limit';
  }
}

/** `09:00:14Z`, with the date if that is another day. */
function timeOfDay(at: number, now: number): string {
  const [date, time] = secondsOf(at).split('T');
  return secondsOf(now).startsWith(`${date}T`) ? `${time}` : `${date}T${time}`;
}

function secondsOf(instant: number): string {
  return `${new Date(instant).toISOString().slice(0, 19)}Z`;
}
