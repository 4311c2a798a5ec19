import { setTimeout as delay } from 'node:timers/promises';

import { EXPIRED_LEASE_GRACE_MS, type ClaimedOccurrence } from '../../ledger/types.ts';
import { urlSettingOf } from '../../platform/settings/destinations.ts';
import { checkClaim, deadlineIn, START_WITHIN_MS, type Deadline } from '../check-claim.ts';
import type { Sending, Sendings } from '../sending.ts';
import type { Collect } from './collector.ts';
import { NotYetSettledError } from './not-yet-settled.ts';
import { type LookedRow, SHORT_WAIT_MS } from './occasion-look.ts';

export type Sent =
  | 'attempted'
  /** It was claimed, then settled, released or returned without an attempt. */
  | 'not_sent'
  /** Another process holds it, or may write its outcome first. */
  | 'not_claimed';

/** Time for the outcome and the answer, besides the request itself. */
const WRITE_WITHIN_MS = 10_000;
const RETRY_MS = 5_000;
/** New settings come with a restart of the workers. */
const UNKNOWN_RETRY_MS = 60_000;
/** Another process that has the row locked has finished by then. */
const NOT_CLAIMED_PAUSE_MS = 50;

interface ClaimableRow {
  readonly key: string;
  readonly sending: Sending;
}

/**
 * Claims a row, checks it and sends it, by the same rules as a dispatcher. Resolves when its
 * outcome is in the ledger; `deadline` is when the caller must be done, by `performance.now()`.
 * Throws NotYetSettledError if nothing may be claimed now, or the outcome could not be written.
 */
export function createSendRow(sendings: Sendings, collect: Collect) {
  const [shared] = sendings;
  const { outcomes, health, time, clock, findRecipients } = shared;
  const { timeoutMs } = shared.settings;
  const sendingTo = new Map(sendings.map((sending) => [sending.destination, sending]));
  const onTheWire = new Map<string, Sending>();

  const claim = collect(async (rows: readonly ClaimableRow[]) => {
    const isTooLate = deadlineIn(START_WITHIN_MS, clock);
    const claimed = new Map<string, ClaimedOccurrence>();
    const claimOf = async ({ ledger }: Sending, keys: ReadonlySet<string>): Promise<void> => {
      const result = await time.measure(() => ledger.claimKeys([...keys], shared.claimTerms()));
      for (const row of result.claimed) claimed.set(row.key, row);
    };
    const bySending = Map.groupBy(rows, ({ sending }) => sending);
    await Promise.all(
      [...bySending].map(([sending, its]) => claimOf(sending, new Set(its.map(({ key }) => key)))),
    );
    return rows.map(({ key }) => {
      const row = claimed.get(key) ?? null;
      // If two calls want one row, the first has it.
      claimed.delete(key);
      return { row, isTooLate };
    });
  });
  const recipientOf = collect(async (rows: readonly ClaimedOccurrence[]) => {
    const recipients = await findRecipients(rows);
    return rows.map(({ key }) => recipients.get(key));
  });

  return async (row: LookedRow, deadline: number): Promise<Sent> => {
    requireReady(row.key, deadline);
    const sending = sendingOf(row);
    await sleepUntil(row.nextAttemptAt ?? 0);
    const { row: claimed, isTooLate } = await claim({ key: row.key, sending });
    if (claimed === null) {
      // After a start or an outage, let a process that held an expired lease write its outcome
      // first.
      const graceMs = row.leaseUntil === null ? 0 : EXPIRED_LEASE_GRACE_MS - health.steadyMs();
      await delay(Math.min(Math.max(graceMs, NOT_CLAIMED_PAUSE_MS), SHORT_WAIT_MS));
      return 'not_claimed';
    }
    onTheWire.set(row.key, sending);
    try {
      return await sendClaimed(claimed, sending, isTooLate, deadline);
    } finally {
      onTheWire.delete(row.key);
    }
  };

  /** Refuses a row whose outcome is not written, or which this process is sending already. */
  function requireReady(key: string, deadline: number): void {
    if (outcomes.isFailing || outcomes.unwritten(key) !== undefined) {
      throw new NotYetSettledError('an outcome waits to be written to the ledger', RETRY_MS);
    }
    if (onTheWire.has(key)) throw new NotYetSettledError('it is being sent', RETRY_MS);
    if (!time.isUsable()) {
      throw new NotYetSettledError("this worker's clock is too far off the database's", RETRY_MS);
    }
    if (deadline - performance.now() < timeoutMs + WRITE_WITHIN_MS) {
      throw new NotYetSettledError('there is no time left for an attempt in this call', 0);
    }
  }

  /** Its destination, if this worker knows it and it does not occupy too many of the activities. */
  function sendingOf({ destination }: LookedRow): Sending {
    const sending = sendingTo.get(destination);
    if (sending === undefined) {
      const message = `this worker has no destination "${destination}": set ${urlSettingOf(destination)}`;
      throw new NotYetSettledError(message, UNKNOWN_RETRY_MS);
    }
    const open = [...onTheWire.values()].filter((other) => other === sending);
    if (open.length < sending.slots) return sending;
    throw new NotYetSettledError(
      'the worker sends to its destination at its limit already',
      RETRY_MS,
    );
  }

  /** The row is due by the database's clock, and has to be due by this process's too. */
  async function sleepUntil(at: number): Promise<void> {
    const earlyMs = at - clock();
    if (earlyMs > SHORT_WAIT_MS) {
      throw new NotYetSettledError("it is not due yet by this worker's clock", earlyMs);
    }
    if (earlyMs > 0) await delay(Math.ceil(earlyMs));
  }

  async function sendClaimed(
    claimed: ClaimedOccurrence,
    sending: Sending,
    isTooLate: Deadline,
    deadline: number,
  ): Promise<Sent> {
    const { key, leaseToken } = claimed;
    const lease = { key, leaseToken };
    const recipient = await recipientOf(claimed).catch((error: unknown) => {
      void outcomes.returnToQueue(lease);
      throw error;
    });
    const check = checkClaim(claimed, recipient, time.earliest());
    if (check.action === 'send' && !isTooLate() && time.isUsable()) {
      const made = await sending.attempt(claimed, check.recipient);
      await written(outcomes.record(made), deadline);
      return 'attempted';
    }
    if (check.action === 'send' || check.action === 'redirect') {
      await written(outcomes.returnToQueue(lease), deadline);
    }
    if (check.action === 'release') await written(outcomes.release(lease), deadline);
    if (check.action === 'end') {
      await written(outcomes.end({ ...lease, reason: check.reason }), deadline);
    }
    return 'not_sent';
  }
}

/** An outcome not written in time is kept, and written first. */
async function written(outcome: Promise<void>, deadline: number): Promise<void> {
  const isWritten = await Promise.race([
    outcome.then(() => true),
    delay(deadline - performance.now(), false, { ref: false }),
  ]);
  if (isWritten) return;
  throw new NotYetSettledError('the ledger has not taken the outcome yet', RETRY_MS);
}
