import type { OccurrenceState } from './types.ts';

/** One way in which a row of the ledger changes. */
export interface Transition {
  readonly name: string;
  /** `none`: there is no such row. */
  readonly from: readonly (OccurrenceState | 'none')[];
  /** When it is made; else the row stays as it is. */
  readonly guard: string;
  /** `same`: the state stays. `none`: the row is removed. The first that fits. */
  readonly to: readonly (OccurrenceState | 'same' | 'none')[];
  /** Every column that it may change. */
  readonly columns: readonly string[];
}

const OPEN = ['PENDING', 'PROCESSING'] as const;

/** What a plan says. */
const PLAN = [
  'nominal_date',
  'date',
  'timezone',
  'local_time',
  'leap_day_policy',
  'tz_version',
  'inputs_at',
  'local_date',
  'due_at',
  'superseded_at',
  'blocked_reason',
  'planned_at',
] as const;

/** Who a row is about, and which occurrence: never changed. */
const IDENTITY = ['key', 'occasion_type', 'occasion_id', 'user_id'] as const;

const SETTLED = ['state', 'reason', 'next_attempt_at', 'lease_until', 'settled_at', 'followed'];

const COUNTED = ['attempts', 'first_attempt_at'];

/**
 * Every change of events.occurrences. The statements stand beside this table: claim.ts and
 * outcomes.ts for who sends, plan-rows.ts for the planner, redelivery.ts, redelivered.ts for the
 * notifier. Each is one
 * conditional statement over a batch, so that of two that race one wins. Outside the ledger only
 * erasure and retention touch the table: they remove rows whole, or what names a person.
 */
export const TRANSITIONS: readonly Transition[] = [
  {
    name: 'plan',
    from: ['none'],
    guard: 'no other row of the occasion is open, redeliveries aside',
    to: ['PENDING'],
    columns: [...IDENTITY, ...PLAN, 'lease_token', 'state', 'next_attempt_at'],
  },
  {
    name: 'plan again',
    from: ['PENDING', 'PROCESSING', 'SKIPPED', 'FAILED'],
    guard:
      'not redelivered; no lease in force; of FAILED only date_changed. PROCESSING stays so while the due instant does: whoever held the lease writes first',
    to: ['PENDING', 'same'],
    columns: [...PLAN, ...SETTLED, 'priority', 'earlier_attempts', 'first_attempt_at'],
  },
  {
    name: 'skip',
    from: ['none'],
    guard: 'it fell due, and is not to be attempted',
    to: ['SKIPPED'],
    columns: [...IDENTITY, ...PLAN, 'lease_token', 'state', 'reason', 'settled_at'],
  },
  {
    name: 'skip planned',
    from: OPEN,
    guard: 'not redelivered; no lease in force; FAILED if it was attempted',
    to: ['SKIPPED', 'FAILED'],
    columns: [...PLAN, ...SETTLED],
  },
  {
    name: 'settle open',
    from: OPEN,
    guard: 'not redelivered; no lease in force; FAILED if it was attempted',
    to: ['SKIPPED', 'FAILED'],
    columns: SETTLED,
  },
  {
    name: 'settle all',
    from: OPEN,
    guard: 'no lease in force; FAILED if it was attempted, COMPLETED if it was delivered before',
    to: ['SKIPPED', 'FAILED', 'COMPLETED'],
    columns: SETTLED,
  },
  {
    name: 'remove',
    from: ['PENDING'],
    guard: 'not redelivered, never attempted; by the rule it never fell due',
    to: ['none'],
    columns: [],
  },
  {
    name: 'follow',
    from: ['COMPLETED', 'FAILED', 'SKIPPED'],
    guard: 'what comes after it has been planned',
    to: ['same'],
    columns: ['followed'],
  },
  {
    name: 'claim',
    from: OPEN,
    guard:
      'due by both clocks; its lease, if it has one, has expired, and may be taken; the destination allows it',
    to: ['PROCESSING'],
    columns: ['state', 'lease_until', 'lease_token', 'next_attempt_at'],
  },
  {
    name: 'release',
    from: ['PROCESSING'],
    guard: 'under this lease; not redelivered',
    to: ['PENDING'],
    columns: ['state', 'lease_until', 'next_attempt_at'],
  },
  {
    name: 'return to the queue',
    from: ['PROCESSING'],
    guard: 'under this lease',
    to: ['PENDING'],
    columns: ['state', 'lease_until', 'next_attempt_at'],
  },
  {
    name: 'end',
    from: ['PROCESSING'],
    guard:
      'under this lease; a redelivery only if the user or occasion is gone or suspended; FAILED if it was attempted, COMPLETED if it was delivered before',
    to: ['SKIPPED', 'FAILED', 'COMPLETED'],
    columns: SETTLED,
  },
  {
    name: 'deliver',
    from: ['PENDING', 'PROCESSING', 'FAILED', 'SKIPPED'],
    guard:
      'the receiver has accepted it, under whatever lease; no other attempt of the lease is kept',
    to: ['COMPLETED'],
    columns: [
      ...SETTLED,
      ...COUNTED,
      'earlier_attempts',
      'blocked_reason',
      'due_at',
      'local_date',
      'retry_not_before',
      'delivered_at',
      'lateness_ms',
    ],
  },
  {
    name: 'retry',
    from: ['PROCESSING'],
    guard: 'under this lease; no other attempt of it is kept',
    to: ['PENDING'],
    columns: [
      ...COUNTED,
      'state',
      'lease_until',
      'next_attempt_at',
      'priority',
      'retry_not_before',
    ],
  },
  {
    name: 'supersede',
    from: ['PROCESSING'],
    guard: 'as retry, and the next attempt would be at superseded_at or later; not redelivered',
    to: ['FAILED'],
    columns: [...SETTLED, ...COUNTED, 'retry_not_before'],
  },
  {
    name: 'fail',
    from: ['PROCESSING'],
    guard: 'under this lease; no other attempt of it is kept; COMPLETED if it was delivered before',
    to: ['FAILED', 'COMPLETED'],
    columns: [...SETTLED, ...COUNTED, 'retry_not_before'],
  },
  {
    name: 'count',
    from: ['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'SKIPPED'],
    guard:
      'an attempt under a lease that has been lost, or a second delivery; SKIPPED becomes FAILED: it was attempted',
    to: ['same', 'FAILED'],
    columns: [...COUNTED, 'state', 'earlier_attempts'],
  },
  {
    name: 'redeliver',
    from: ['FAILED', 'SKIPPED', 'COMPLETED'],
    guard: 'it has a due instant and its user exists; COMPLETED only by force',
    to: ['PENDING'],
    columns: [
      'state',
      'reason',
      'settled_at',
      'followed',
      'priority',
      'next_attempt_at',
      'retry_not_before',
      'earlier_attempts',
      'first_attempt_at',
      'redeliveries',
      'redelivered_at',
      'forced_at',
    ],
  },
  {
    name: 'notify',
    from: ['PENDING', 'PROCESSING'],
    guard: 'redelivered; its workflow has been notified',
    to: ['same'],
    columns: ['followed'],
  },
  {
    name: 'trace',
    from: ['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'SKIPPED'],
    guard: 'none: nothing but traces goes by it',
    to: ['same'],
    columns: ['traceparent', 'traced_at'],
  },
];
