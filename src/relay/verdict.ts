import { EventRefusedError, SubscriberAwayError } from '../users/events.ts';
import type { OutboxEntry, OutboxResult } from '../users/outbox.ts';

/** An entry that a subscriber was told of. */
export interface Told {
  readonly entry: OutboxEntry;
  /** Null when it was taken. */
  readonly error: unknown;
}

/** Out of the way of others, and tried again soon. */
const AWAY_MS = 5_000;
/** With the delays below, after about 15 minutes: longer than most restarts take. */
const MOST_FAILURES = 10;
const LONGEST_DELAY_MS = 5 * 60_000;

/**
 * What becomes of an entry. A subscriber that is away is nobody's fault; an event that is
 * refused is set aside at once, one that fails time and again in the end: but only while others
 * pass, since otherwise the fault may be the subscriber's, and all would be set aside.
 *
 * @param othersPass whether the subscriber has taken anything lately
 */
export function verdictOn({ entry, error }: Told, othersPass: boolean): OutboxResult {
  const { id, lease, failures } = entry;
  const claim = { id, lease };
  if (error === null) return { ...claim, kind: 'relayed' };
  if (error instanceof SubscriberAwayError) {
    return { ...claim, kind: 'returned', delayMs: AWAY_MS };
  }
  const reason = error instanceof Error ? error.message : String(error);
  const failsForGood = error instanceof EventRefusedError || failures + 1 >= MOST_FAILURES;
  if (othersPass && failsForGood) {
    return { ...claim, kind: 'set-aside', error: reason };
  }
  const delayMs = Math.min(1_000 * 2 ** failures, LONGEST_DELAY_MS);
  return { ...claim, kind: 'postponed', delayMs, error: reason };
}
