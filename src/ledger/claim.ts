import { instant, interval, literal, ms } from './sql.ts';

/** The rows that may be claimed: all, or only those with these keys. */
export type Candidates =
  | { readonly kind: 'due'; readonly lateLimit: number }
  | { readonly kind: 'keys'; readonly keys: readonly string[] };

export interface ClaimShape {
  readonly candidates: Candidates;
  readonly limit: number;
  /** Whether it spends the destination's allowance, one claim after the other. */
  readonly spends: boolean;
}

/**
 * PENDING, or PROCESSING under an expired lease, → PROCESSING under a new lease. Returns at least
 * one row, with the destination's state, or none if the destination has no row yet. Parameters:
 * `destination`, whose rows alone are claimed, `now`, `leaseMs`, `lateAfterMs`, `takesExpiredUntil`
 * (epoch ms by the database's clock: if it is executed later, it leaves expired leases to their
 * processes); for keys, `keys` as JSON.
 *
 * Punctual first attempts come before everything late: first attempts later than LATE_AFTER and, by
 * their priority, retries and redeliveries. Among the late ones, the longest waiting comes first.
 *
 * Only the lease is written, which no index has: PostgreSQL puts the new version beside the old one
 * where the page has room, and leaves the indexes alone. So leased rows stay in the range of due
 * rows, and are passed over there: as many as the processes hold, in their slots and waiting for
 * one. Once its lease has expired, a row is among the first again.
 *
 * The rows are updated by their place: they are locked, so they stay there, and need not be looked up
 * again. One that changed between the statement's start and its lock is left to the next claim.
 *
 * The limits of the index scans are literals, and the destination's allowance is applied to their
 * rows: with a limit unknown to PostgreSQL, it would sort all due rows.
 */
export function claimSql({ candidates, limit, spends }: ClaimShape): string {
  return `
  with moment as materialized (
    select clock, clock - ${interval(':lateAfterMs')} as late_before,
      clock < ${instant(':takesExpiredUntil')} as takes_expired,
      held, per_second as "perSecond", available,
      case when held then 0 when per_second is null then ${literal(limit)}
        else least(${literal(limit)}, greatest(0, floor(available)))::int end as allowed,
      case when not held and (per_second is null or ${spends})
        then least(clock, ${instant(':now')}) else '-infinity' end as due
    from (${destinationSql(spends)}) as destination
  ), ${candidates.kind === 'due' ? pickedDue(limit, candidates.lateLimit) : pickedByKey(limit)},
  taken as (
    update events.occurrences as t
    set lease_token = t.lease_token + 1, lease_until = clock + ${interval(':leaseMs')}
    from moment
    where t.ctid = any (array(select place from picked))
    returning t.*
  )${spends ? SPENT : ''}
  select ${ms('clock', 'databaseNow')}, held, "perSecond", allowed,
    takes_expired as "tookExpired", key,
    lease_token as "leaseToken", occasion_type as "occasionType", occasion_id as "occasionId",
    user_id as "userId", destination, nominal_date as "nominalDate", recurrence, date::text,
    (local_date + offset_days)::text as "keptDate", timezone, local_date::text as "localDate",
    ${ms('due_at', 'dueAt')}, ${ms('inputs_at', 'inputsAt')},
    rules_id::float8 as "rulesId",
    ${ms('superseded_at', 'supersededAt')}, attempts + 1 as attempt,
    earlier_attempts as "earlierAttempts", ${ms('first_attempt_at', 'firstAttemptAt')},
    priority = 1 or due_at < late_before as late, redeliveries > 0 as redelivered
  from moment left join taken on true
  order by late, due_at, key`;
}

/** Requests a second: the configured limit, or less while it is slowed; null for no limit. */
export const PER_SECOND = `least(max_per_second, case when slowed_ends_at > clock then slowed_per_second end)`;

/**
 * How many requests the limit allows at this moment: a token bucket. It holds a tenth of a second's
 * worth: enough for a process that claims 20 times a second, too little for a burst after a quiet
 * hour.
 */
export const AVAILABLE = `least(greatest(1, ${PER_SECOND} / 10),
        allowance + greatest(0, extract(epoch from clock - allowance_at)) * ${PER_SECOND}
      )::float8`;

/** The destination's row, by the clock. */
function destinationSql(locks: boolean): string {
  return `
    select clock, paused_at is not null or coalesce(slowed_until > clock, false) as held,
      ${PER_SECOND} as per_second,
      ${AVAILABLE} as available
    from events.destinations as d, (select events.clock() as clock) as c
    where id = :destination${locks ? ' for no key update of d' : ''}`;
}

const SPENT = `, spent as (
    update events.destinations as d
    set allowance = available - (select count(*) from taken),
      allowance_at = greatest(d.allowance_at, clock)
    from moment
    where d.id = :destination and not held and "perSecond" is not null
  )`;

const ALLOWED = '(select allowed from moment)';
const DUE = '(select due from moment)';
/** Written as cases: with plain conditions the planner, lacking statistics, takes another index. */
const MAY_TAKE = `case when lease_until is null then true
        when lease_until > (select clock from moment) then false
        else (select takes_expired from moment) end`;
const IS_ITS = 'case destination when :destination then true else false end';
const LATE_BEFORE = '(select late_before from moment)';
const NEVER = `'-infinity'`;

/**
 * The range covers all columns of the index at once: of two conditions the planner would guess,
 * without statistics, that few rows fit both, and would sort the whole backlog.
 */
function pickedDue(limit: number, lateLimit: number): string {
  const punctual = scan(0, LATE_BEFORE, DUE, limit);
  const lateFirst = scan(0, NEVER, `least(${LATE_BEFORE}, ${DUE})`, lateLimit);
  const lateAgain = scan(1, NEVER, DUE, lateLimit);
  return `punctual as materialized (${punctual}
  ), late_first as materialized (${lateFirst}
  ), late_again as materialized (${lateAgain}
  ), picked_punctual as materialized (
    select place from punctual limit ${ALLOWED}
  ), picked as materialized (
    select place from picked_punctual
    union all
    (select place from (table late_first union all table late_again) as late
     order by next_attempt_at
     limit least(${ALLOWED} - (select count(*) from picked_punctual), ${literal(lateLimit)}))
  )`;
}

function pickedByKey(limit: number): string {
  return `free as materialized (
    select ctid as place from events.occurrences
    where key = any (array(select jsonb_array_elements_text(:keys::jsonb)))
      and next_attempt_at <= ${DUE} and ${MAY_TAKE} and ${IS_ITS}
    order by next_attempt_at
    limit ${literal(limit)}
    for no key update skip locked
  ), picked as materialized (
    select place from free limit ${ALLOWED}
  )`;
}

/** Rows of a priority whose next attempt lies after one instant and not after another. */
function scan(priority: number, after: string, until: string, most: number): string {
  return `
    select ctid as place, next_attempt_at from events.occurrences
    where (destination, priority, next_attempt_at) > (:destination, ${priority}, ${after})
      and (destination, priority, next_attempt_at) <= (:destination, ${priority}, ${until})
      and next_attempt_at is not null and ${MAY_TAKE}
    order by destination, priority, next_attempt_at
    limit ${literal(most)}
    for no key update skip locked`;
}
