import { setTimeout as delay } from 'node:timers/promises';

import { EXPIRED_LEASE_GRACE_MS, type ClaimedOccurrence } from '../../ledger/types.ts';
import { checkClaim, deadlineIn, START_WITHIN_MS, type Deadline } from '../check-claim.ts';
import type { Sending } from '../sending.ts';
import type { Collect } from './collector.ts';
import { NotYetSettledError } from './not-yet-settled.ts';
import { type LookedRow, SHORT_WAIT_MS } from './occasion-look.ts';

export type Sent =
  | 'attempted'
  /** It was claimed, and settled, released or returned without an attempt. */
  | 'not_sent'
  /** Another process has it, or may write its outcome first. */
  | 'not_claimed';

/** Left for the outcome and the answer, beside the request itself. */
const WRITE_WITHIN_MS = 10_000;
const RETRY_MS = 5_000;
/** Another process that has the row locked is done with it by then. */
const NOT_CLAIMED_PAUSE_MS = 50;

/**
 * Claims a row, checks it and sends it, by the same rules as a dispatcher. Resolves when the ledger
 * has what became of it; `deadline` is when the caller has to be done, by `performance.now()`.
 * Throws NotYetSettledError if nothing may be claimed now, or the ledger did not take the outcome.
 */
export function createSendRow(sending: Sending, collect: Collect) {
  const { ledger, attempt, outcomes, health, time, clock, findRecipients } = sending;
  const { timeoutMs } = sending.settings;
  const onTheWire = new Set<string>();

  const claim = collect(async (keys: readonly string[]) => {
    const isTooLate = deadlineIn(START_WITHIN_MS, clock);
    const result = await time.measure(() =>
      ledger.claimKeys([...new Set(keys)], sending.claimTerms()),
    );
    const claimed = new Map(result.claimed.map((row) => [row.key, row]));
    return keys.map((key) => {
      const row = claimed.get(key) ?? null;
      // Of two calls for one row, the first has it.
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
    await sleepUntil(row.nextAttemptAt ?? 0);
    const { row: claimed, isTooLate } = await claim(row.key);
    if (claimed === null) {
      // After a start or an outage, a process that held an expired lease writes its outcome first.
      const graceMs = row.leaseUntil === null ? 0 : EXPIRED_LEASE_GRACE_MS - health.steadyMs();
      await delay(Math.min(Math.max(graceMs, NOT_CLAIMED_PAUSE_MS), SHORT_WAIT_MS));
      return 'not_claimed';
    }
    onTheWire.add(row.key);
    try {
      return await settle(claimed, isTooLate, deadline);
    } finally {
      onTheWire.delete(row.key);
    }
  };

  /** A row whose outcome is not written, or which is being sent from here, is not claimed again. */
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

  /** The row is due by the database's clock, and has to be due by this process's too. */
  async function sleepUntil(at: number): Promise<void> {
    const earlyMs = at - clock();
    if (earlyMs > SHORT_WAIT_MS) {
      throw new NotYetSettledError("it is not due yet by this worker's clock", earlyMs);
    }
    if (earlyMs > 0) await delay(Math.ceil(earlyMs));
  }

  async function settle(
    claimed: ClaimedOccurrence,
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
      const made = await attempt(claimed, check.recipient);
      await written(outcomes.record(made), deadline);
      return 'attempted';
    }
    if (check.action === 'send') await written(outcomes.returnToQueue(lease), deadline);
    if (check.action === 'release') await written(outcomes.release(lease), deadline);
    if (check.action === 'end') {
      await written(outcomes.end({ ...lease, reason: check.reason }), deadline);
    }
    return 'not_sent';
  }
}

/** What is not written in time is kept, and written first. */
async function written(outcome: Promise<void>, deadline: number): Promise<void> {
  const isWritten = await Promise.race([
    outcome.then(() => true),
    delay(deadline - performance.now(), false, { ref: false }),
  ]);
  if (isWritten) return;
  throw new NotYetSettledError('the ledger has not taken the outcome yet', RETRY_MS);
}
