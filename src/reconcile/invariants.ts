/**
 * States that no transition of the ledger leads to, but no check constraint can refuse because they
 * involve other rows, other tables or the clock: such a row was edited by hand, or by a fault.
 */
export interface Invariant {
  /** SQL that is true for a broken row. */
  readonly broken: string;
  /** What is broken, in words for an operator. */
  readonly says: string;
  /** Planning would use the broken values: left to an operator. */
  readonly isLeft?: boolean;
}

/**
 * For an occasion `s` that exists, and its open row `o`. A lease ends within minutes, since a
 * webhook's time limit is at most 2 min; a retry waits for at most two hours, including its jitter.
 */
export const OPEN_ROW_INVARIANTS: readonly Invariant[] = [
  {
    broken: `s.last_settled_key is not null and not exists (
      select from events.occurrences as l
      where l.key = s.last_settled_key and l.nominal_date = s.last_settled_nominal)`,
    says: 'its last settled occurrence is not in the ledger',
    isLeft: true,
  },
  { broken: `not s.is_known`, says: 'it has an open row, but none in events.occasions' },
  { broken: `s.ended_at is not null`, says: 'it has ended, but has an open row' },
  { broken: `s.wake_at is null`, says: 'its workflow has no instant to wake at' },
  {
    broken: `o.due_at is not null and s.wake_due_at is distinct from o.due_at`,
    says: 'its workflow wakes for an instant other than that of its open row',
  },
  { broken: `s.wake_at < o.due_at`, says: 'its workflow wakes before the due instant' },
  { broken: `o.user_id <> s.user_id`, says: "its open row is another user's" },
  {
    broken: `o.key <> o.occasion_type || ':' || o.occasion_id || ':' || case
      when length(split_part(o.key, ':', 3)) = 4 then left(o.nominal_date, 4)
      else o.nominal_date end`,
    says: 'the key of its open row does not match the nominal date',
  },
  {
    broken: `o.lease_until > (select events.clock() + interval '10 minutes')`,
    says: 'its open row is leased for longer than any lease lasts',
  },
  {
    broken: `o.next_attempt_at > greatest(o.due_at, (select events.clock())) + interval '3 hours'`,
    says: 'the next attempt is later than any retry',
  },
];

/** For a row `o` that was delivered within a day, or is due soon. */
export const ROW_INVARIANTS: readonly Invariant[] = [
  {
    broken: `o.state = 'COMPLETED' and not exists (
      select from events.attempts as a
      where a.occurrence_key = o.key and a.outcome = 'delivered')`,
    says: 'it is COMPLETED, but no attempt delivered it',
  },
  {
    broken: `exists (
      select from events.attempts as a
      where a.occurrence_key = o.key and a.number > o.attempts)`,
    says: 'attempts are recorded that the row has not counted',
  },
];

/** Whether a finding must not be planned, judged by its note. */
export function isLeftToOperator(note: string): boolean {
  return OPEN_ROW_INVARIANTS.some(({ says, isLeft }) => isLeft && note.startsWith(says));
}

/** SQL for the first invariant that is broken, in words; null when none is. */
export function firstBroken(invariants: readonly Invariant[]): string {
  const cases = invariants.map(
    ({ broken, says }) => `when ${broken} then '${says.replaceAll("'", "''")}'`,
  );
  return `(case ${cases.join(' ')} end)`;
}
