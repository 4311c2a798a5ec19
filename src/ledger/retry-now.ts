/** An operator's "try again now", for occurrences that wait for a retry. */
import type { Orm } from '../platform/database/orm.ts';
import { NotRetryableError, OccurrenceNotFoundError, stateInWords } from './errors.ts';
import { isOccurrenceKey } from './occurrence-key.ts';
import { ms, requestQueryOf, shownState } from './sql.ts';
import type { OccurrenceState } from './types.ts';

export type RetryNow = ReturnType<typeof createRetryNow>;

/**
 * Lets an occurrence that waits for its next attempt be attempted now, regardless of the retry
 * schedule and the receiver's Retry-After, but never before its due instant. The attempt numbers
 * and the give-up clock continue.
 */
export function createRetryNow(orm: Orm) {
  const query = requestQueryOf(orm);

  /**
   * @param attempts only if exactly so many have been made; null: in any case
   * @throws OccurrenceNotFoundError also for text that cannot be a key
   * @throws NotRetryableError
   */
  return async (key: string, attempts: number | null = null): Promise<void> => {
    const [row] = isOccurrenceKey(key) ? await query<Candidate>(RETRY_NOW, { key, attempts }) : [];
    if (row === undefined) throw new OccurrenceNotFoundError();
    if (!row.isDone) throw whyNotRetried(row, attempts);
  };
}

interface Candidate {
  readonly state: OccurrenceState;
  readonly reason: string | null;
  readonly attempts: number;
  readonly dueAt: number | null;
  readonly isDue: boolean;
  /** Null while it waits for a plan, or is settled. */
  readonly nextAttemptAt: number | null;
  readonly isPaused: boolean;
  /** Null once the user or the occasion is deleted. */
  readonly isSuspended: boolean | null;
  readonly isDone: boolean;
}

const refuse = (code: NotRetryableError['code'], message: string) =>
  new NotRetryableError(code, message);

function whyNotRetried(row: Candidate, attempts: number | null): NotRetryableError {
  const { state, dueAt, isDue, nextAttemptAt, isPaused, isSuspended } = row;
  if (attempts !== null && attempts !== row.attempts) {
    return refuse('occurrence-changed', stateInWords(row));
  }
  if (state !== 'PENDING') return refuse('occurrence-not-waiting', stateInWords(row));
  if (dueAt === null || nextAttemptAt === null || isSuspended === null) {
    return refuse('occurrence-not-waiting', 'Its new plan is being made.');
  }
  if (!isDue) {
    const at = new Date(dueAt).toISOString();
    return refuse('occurrence-not-waiting', `It is due at ${at}, and nothing is sent before that.`);
  }
  if (isSuspended) return refuse('occurrence-suspended', 'Its user or occasion is suspended.');
  if (isPaused) return refuse('deliveries-paused', 'Deliveries to its destination are paused.');
  return refuse('occurrence-not-waiting', 'It may be sent already: it is about to be.');
}

/** A lease is never touched: rows shown as PENDING have none, and only they are changed. */
const RETRY_NOW = `
  with moment as materialized (select events.clock() as clock),
  found as materialized (
    select o.key, ${shownState('o')} as state, o.reason, o.attempts, o.due_at, o.next_attempt_at,
      o.due_at <= clock as is_due, coalesce(o.next_attempt_at > clock, false) as waits,
      coalesce((select d.paused_at is not null from events.destinations as d
        where d.id = o.destination), false) as is_paused,
      (select i.suspended from users.occasion_inputs as i
        where i.occasion_type = o.occasion_type and i.occasion_id = o.occasion_id) as is_suspended
    from events.occurrences as o, moment where o.key = :key
    for no key update of o
  ), done as (
    update events.occurrences as o set next_attempt_at = clock, retry_not_before = null
    from found, moment
    where o.key = found.key and found.state = 'PENDING' and found.is_due and found.waits
      and not found.is_paused and not found.is_suspended
      and (:attempts::int is null or found.attempts = :attempts::int)
    returning o.key
  )
  select state, reason, attempts, ${ms('due_at', 'dueAt')}, coalesce(is_due, false) as "isDue",
    ${ms('next_attempt_at', 'nextAttemptAt')}, is_paused as "isPaused",
    is_suspended as "isSuspended", exists (select from done) as "isDone"
  from found`;
