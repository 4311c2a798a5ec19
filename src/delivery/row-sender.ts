import { setTimeout as delay } from 'node:timers/promises';

import type { Ledger } from '../ledger/ledger.ts';
import { EXPIRED_LEASE_GRACE_MS, type ClaimedOccurrence } from '../ledger/types.ts';
import type { Attempt } from './attempt.ts';
import type { BackpressureWatch } from './backpressure-watch.ts';
import { checkClaim } from './check-claim.ts';
import type { ClockOffset } from './clock-offset.ts';
import type { Collect } from './collector.ts';
import { deadlineIn, type Deadline } from './deadline.ts';
import type { Health } from './health.ts';
import { LEASE_MARGIN_MS, START_WITHIN_MS } from './lease.ts';
import { NotYetSettledError } from './not-yet-settled.ts';
import { type LookedRow, SHORT_WAIT_MS } from './occasion-look.ts';
import type { Outcomes } from './outcomes.ts';
import type { FindRecipients } from './recipient.ts';

export interface RowSenderDeps {
  readonly ledger: Ledger;
  readonly findRecipients: FindRecipients;
  readonly attempt: Attempt;
  readonly outcomes: Outcomes;
  readonly health: Pick<Health, 'steadyMs'>;
  readonly watch: Pick<BackpressureWatch, 'began' | 'ended'>;
  readonly time: ClockOffset;
  readonly collect: Collect;
  /** Epoch ms by the process's own clock. */
  readonly clock: () => number;
  readonly settings: {
    /** The longest that one request can take. */
    readonly timeoutMs: number;
    /** How late a first attempt may be. */
    readonly lateLimitMs: number;
  };
}

export type Sent =
  | 'attempted'
  /** It was claimed, and settled, released or returned without an attempt. */
  | 'not_sent'
  /** Another process has it, or may write its outcome first. */
  | 'not_claimed';

/**
 * Claims a row, checks it and sends it, by the same rules as a dispatcher. Resolves when what became
 * of it is in the ledger.
 *
 * @param deadline when the caller has to be done, by `performance.now()`
 * @throws NotYetSettledError if nothing may be claimed now, or the ledger did not take the outcome
 */
export type SendRow = (row: LookedRow, deadline: number) => Promise<Sent>;

/** Left for the outcome and the answer, beside the request itself. */
const WRITE_WITHIN_MS = 10_000;
const RETRY_MS = 5_000;
/** Another process that has the row locked is done with it by then. */
const NOT_CLAIMED_PAUSE_MS = 50;

export function createRowSender(deps: RowSenderDeps): SendRow {
  const { ledger, attempt, outcomes, health, watch, time, collect, clock } = deps;
  const { timeoutMs, lateLimitMs } = deps.settings;
  const onTheWire = new Set<string>();

  const claim = collect(async (keys: readonly string[]) => {
    const isTooLate = deadlineIn(START_WITHIN_MS, clock);
    const result = await time.measure(() =>
      ledger.claimKeys([...new Set(keys)], {
        now: clock(),
        leaseMs: timeoutMs + LEASE_MARGIN_MS,
        takesExpired: health.steadyMs() >= EXPIRED_LEASE_GRACE_MS,
      }),
    );
    const claimed = new Map(result.claimed.map((row) => [row.key, row]));
    return keys.map((key) => {
      const row = claimed.get(key) ?? null;
      claimed.delete(key);
      return { row, isTooLate };
    });
  });
  const recipientOf = collect(async (rows: readonly ClaimedOccurrence[]) => {
    const recipients = await deps.findRecipients(rows);
    return rows.map(({ key }) => recipients.get(key));
  });

  return async (row, deadline) => {
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

  /** The row is due by the database's clock; by this process's it has to be, too. */
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
    const returnToQueue = () => outcomes.returnToQueue({ key, leaseToken });
    const recipient = await recipientOf(claimed).catch((error: unknown) => {
      void returnToQueue();
      throw error;
    });
    const check = checkClaim(claimed, recipient, time.earliest(), lateLimitMs);
    if (check.action === 'release') await written(outcomes.release({ key, leaseToken }), deadline);
    if (check.action === 'end') {
      await written(outcomes.end({ key, leaseToken, reason: check.reason }), deadline);
    }
    if (check.action !== 'send') return 'not_sent';

    if (isTooLate() || !time.isUsable()) {
      await written(returnToQueue(), deadline);
      return 'not_sent';
    }
    const beganAt = watch.began();
    const made = await attempt(claimed, check.recipient);
    watch.ended(made, beganAt);
    await written(outcomes.record(made), deadline);
    return 'attempted';
  }
}

/** What is not written in time is kept, and written first. */
async function written(outcome: Promise<void>, deadline: number): Promise<void> {
  const isWritten = await Promise.race([
    outcome.then(() => true),
    delay(deadline - performance.now(), false, { ref: false }),
  ]);
  if (!isWritten)
    throw new NotYetSettledError('the ledger has not taken the outcome yet', RETRY_MS);
}
