import type { OccurrenceState } from '../../src/ledger/types.ts';

/** One way in which a row of the ledger changes. A row under a lease is PROCESSING. */
export interface Transition {
  /** `none`: there is no such row. */
  readonly from: readonly (OccurrenceState | 'none')[];
  /** The condition; otherwise the row stays as it is. */
  readonly guard: string;
  /** The first match counts. `same`: the state stays; `none`: the row is removed. */
  readonly to: readonly (OccurrenceState | 'same' | 'none')[];
  /** Every column that it may change. */
  readonly columns: readonly string[];
}

const OPEN = ['PENDING', 'PROCESSING'] as const;
const SETTLED = ['COMPLETED', 'FAILED', 'SKIPPED'] as const;

/** The user and the occurrence that a row is about: never changed. */
const IDENTITY = 'key occasion_type occasion_id user_id lease_token';
const PLAN =
  'nominal_date recurrence rrule date offset_days timezone local_time leap_day_policy tz_version rules_id inputs_at local_date due_at superseded_at blocked_reason destination planned_at';
const LEASE = 'state lease_until';
const QUEUE = `${LEASE} next_attempt_at`;
const OUTCOME = `${QUEUE} reason settled_at followed`;
const COUNT = 'attempts first_attempt_at';

const columns = (...names: string[]): readonly string[] => names.join(' ').split(' ');

/**
 * Every change of events.occurrences. The statements are in src/ledger: claim.ts and outcomes.ts
 * for those who send, plan-rows.ts for the planner, redirect.ts for the replanner, redelivery.ts,
 * retry-now.ts, redelivered.ts for the notifier.
 * Each is one conditional statement over a batch: of two that race, one wins. Outside the ledger
 * only erasure touches the table: it removes rows whole.
 */
export const TRANSITIONS: Readonly<Record<string, Transition>> = {
  plan: {
    from: ['none'],
    guard: 'no other row of the occasion is open, redeliveries aside',
    to: ['PENDING'],
    columns: columns(IDENTITY, PLAN, 'state next_attempt_at'),
  },
  'plan again': {
    from: ['PENDING', 'PROCESSING', 'SKIPPED', 'FAILED'],
    guard:
      'not redelivered; no lease in force; of FAILED only date_changed. PROCESSING stays so while the due instant does: the process that held the lease writes first',
    to: ['PENDING', 'same'],
    columns: columns(PLAN, OUTCOME, 'priority earlier_attempts first_attempt_at'),
  },
  skip: {
    from: ['none'],
    guard: 'it fell due, and is not to be attempted',
    to: ['SKIPPED'],
    columns: columns(IDENTITY, PLAN, 'state reason settled_at'),
  },
  'skip planned': {
    from: OPEN,
    guard: 'not redelivered; no lease in force; FAILED if it was attempted',
    to: ['SKIPPED', 'FAILED'],
    columns: columns(PLAN, OUTCOME),
  },
  'settle open': {
    from: OPEN,
    guard: 'not redelivered; no lease in force; FAILED if it was attempted',
    to: ['SKIPPED', 'FAILED'],
    columns: columns(OUTCOME),
  },
  'settle all': {
    from: OPEN,
    guard: 'no lease in force; FAILED if it was attempted, COMPLETED if it was delivered before',
    to: ['SKIPPED', 'FAILED', 'COMPLETED'],
    columns: columns(OUTCOME),
  },
  remove: {
    from: ['PENDING'],
    guard: 'not redelivered, never attempted; by the rule it never fell due',
    to: ['none'],
    columns: [],
  },
  follow: {
    from: SETTLED,
    guard: 'what comes after it has been planned',
    to: ['same'],
    columns: ['followed'],
  },
  claim: {
    from: OPEN,
    guard:
      'due by both clocks; its lease, if it has one, has expired, and may be taken; the destination allows it',
    to: ['PROCESSING'],
    columns: columns(LEASE, 'lease_token'),
  },
  release: {
    from: ['PROCESSING'],
    guard: 'under this lease; not redelivered',
    to: ['PENDING'],
    columns: columns(QUEUE),
  },
  'return to the queue': {
    from: ['PROCESSING'],
    guard: 'under this lease; to where its type is sent now',
    to: ['PENDING'],
    columns: columns(QUEUE, 'destination'),
  },
  redirect: {
    from: OPEN,
    guard: 'its instant has come, and its type is sent elsewhere now; no lease in force',
    to: ['same'],
    columns: ['destination'],
  },
  end: {
    from: ['PROCESSING'],
    guard:
      'under this lease; a redelivery only if the user or occasion is gone or suspended; FAILED if it was attempted, COMPLETED if it was delivered before',
    to: ['SKIPPED', 'FAILED', 'COMPLETED'],
    columns: columns(OUTCOME),
  },
  deliver: {
    from: [...OPEN, 'FAILED', 'SKIPPED'],
    guard:
      'the receiver has accepted it, under whatever lease; no other attempt of the lease is kept',
    to: ['COMPLETED'],
    columns: columns(
      OUTCOME,
      COUNT,
      'earlier_attempts blocked_reason due_at local_date retry_not_before delivered_at lateness_ms',
    ),
  },
  retry: {
    from: ['PROCESSING'],
    guard: 'under this lease; no other attempt of it is kept',
    to: ['PENDING'],
    columns: columns(QUEUE, COUNT, 'priority retry_not_before'),
  },
  supersede: {
    from: ['PROCESSING'],
    guard: 'as retry, and the next attempt would be at superseded_at or later; not redelivered',
    to: ['FAILED'],
    columns: columns(OUTCOME, COUNT, 'retry_not_before'),
  },
  fail: {
    from: ['PROCESSING'],
    guard: 'under this lease; no other attempt of it is kept; COMPLETED if it was delivered before',
    to: ['FAILED', 'COMPLETED'],
    columns: columns(OUTCOME, COUNT, 'retry_not_before'),
  },
  count: {
    from: [...OPEN, ...SETTLED],
    guard:
      'an attempt under a lease that has been lost, or a second delivery; SKIPPED becomes FAILED: it was attempted',
    to: ['same', 'FAILED'],
    columns: columns(COUNT, 'state earlier_attempts'),
  },
  redeliver: {
    from: SETTLED,
    guard: 'it has a due instant, and its user and occasion exist; COMPLETED only by force',
    to: ['PENDING'],
    columns: columns(
      'state reason settled_at followed priority next_attempt_at retry_not_before',
      'earlier_attempts first_attempt_at redeliveries redelivered_at redelivery_id forced_at',
      'destination',
    ),
  },
  'retry now': {
    from: ['PENDING'],
    guard:
      'past due, and its next attempt is later; its destination is not paused, its user and occasion exist and are not suspended; of a caller that says how many attempts it knows of, only while there are no others',
    to: ['same'],
    columns: columns('next_attempt_at retry_not_before'),
  },
  notify: {
    from: OPEN,
    guard: 'redelivered; its workflow has been notified',
    to: ['same'],
    columns: ['followed'],
  },
  trace: {
    from: [...OPEN, ...SETTLED],
    guard: 'none: nothing but traces goes by it',
    to: ['same'],
    columns: ['traceparent', 'traced_at'],
  },
};
