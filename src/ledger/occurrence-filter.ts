import { claimableAt, instant, isBefore } from './sql.ts';
import type { OccurrenceState } from './types.ts';

/** Selects occurrences of the ledger; null for any. Instants are epoch ms. */
export interface OccurrenceFilter {
  readonly status: OccurrenceState | null;
  /** Due instants, half open: [from, to). With either, rows without an instant are excluded. */
  readonly from: number | null;
  readonly to: number | null;
  readonly occasionType: string | null;
  readonly userId: string | null;
  /** The zone that it was planned in, as it was sent. */
  readonly timezone: string | null;
  /** Why it FAILED or was SKIPPED. */
  readonly reason: string | null;
  readonly destination: string | null;
  /**
   * The result of its last attempt: the HTTP status, or the error code if there was none;
   * `NO_ANSWER` if no attempt is kept.
   */
  readonly answer: string | null;
  /** COMPLETED late, or on time; one that is not delivered is neither. */
  readonly late: boolean | null;
  /** Cannot be planned. */
  readonly blocked: boolean | null;
  /** May be claimed, PENDING or PROCESSING under an expired lease: sent on `resume`. */
  readonly due: true | null;
}

/** The answer of rows whose last attempt is no longer kept. */
export const NO_ANSWER = 'none';

/** SQL for the result of an attempt. */
export const answerOf = (attempt: string): string =>
  `coalesce(${attempt}.status::text, ${attempt}.error_code)`;

/** SQL for whether an attempt is the last one of a row, so that the two can be joined. */
export const isLast = (attempt: string, row: string): string =>
  `${attempt}.occurrence_key = ${row}.key and ${attempt}.number = ${row}.attempts`;

const LAST_ATTEMPT = `select from events.attempts as a where ${isLast('a', 'o')}`;

const CONDITIONS: Readonly<Record<Exclude<keyof OccurrenceFilter, 'status'>, string>> = {
  from: `o.due_at >= ${instant(':from')}`,
  to: `o.due_at < ${instant(':to')}`,
  occasionType: 'o.occasion_type = :occasionType',
  userId: 'o.user_id = :userId::uuid',
  timezone: 'o.timezone = :timezone',
  reason: 'o.reason = :reason',
  destination: 'o.destination = :destination',
  answer: `exists (${LAST_ATTEMPT} and ${answerOf('a')} = :answer)`,
  late: `o.state = 'COMPLETED' and (o.lateness_ms > :lateAfterMs) = :late`,
  blocked: '(o.blocked_reason is not null) = :blocked',
  // The clock in a subquery, and the due instant too, so that the index is used.
  due: `o.state = 'PENDING' and o.due_at <= (select events.clock())
    and ${claimableAt('o')} <= (select events.clock())`,
};

/**
 * A filter as conditions on `events.occurrences as o`. Parameters: the fields of the filter, and
 * `lateAfterMs`. MikroORM writes them into the statement as literals, so that PostgreSQL sees that
 * the partial indexes apply.
 */
export function conditionsOf(filter: Partial<OccurrenceFilter>): string[] {
  const fields = Object.keys(CONDITIONS) as (keyof typeof CONDITIONS)[];
  const conditions = fields
    .filter((field) => (filter[field] ?? null) !== null)
    .map((field) =>
      field === 'answer' && filter.answer === NO_ANSWER
        ? `not exists (${LAST_ATTEMPT})`
        : CONDITIONS[field],
    );
  const { status = null } = filter;
  return status === null ? conditions : [inState(status), ...conditions];
}

/** What the partial indexes know of a state: a lease is in none of them. */
function inState(state: OccurrenceState): string {
  switch (state) {
    case 'PENDING':
      return `o.state = 'PENDING' and o.lease_until is null`;
    case 'PROCESSING':
      // No index has the lease: found among all that is overdue, and then by key.
      return `o.lease_until is not null and o.key = any (array(
        select key from events.occurrences where state = 'PENDING' and lease_until is not null
          and ${isBefore('due_at', '(select events.clock())')}))`;
    default:
      return `o.state = '${state}'`;
  }
}

/** A position in the order of pages. */
export interface OccurrencePlace {
  readonly dueAt: number | null;
  readonly key: string;
}

/** Rows after a position: the parameters `afterDueAt` and `afterKey`. */
export const AFTER = `(o.due_at, o.key) > (${instant(':afterDueAt')}, :afterKey)`;
