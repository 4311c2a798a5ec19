/** What the reconciler remembers of what it found. No question mark in a comment inside a statement. */
import { ago, NOW } from './reconcile-sql.ts';

/** Rows that somebody else has in hand at this moment are theirs. */
const those = (condition: string): string => `
  subject in (select subject from events.findings as f where ${condition} for update skip locked)`;

/** @param holds SQL for whether a finding is still so */
export const dropUnconfirmed = (holds: string): string => `
  delete from events.findings where ${those(`confirmed_at is null and not ${holds}`)}`;

export const CONFIRM = `
  with confirmed as (
    update events.findings set confirmed_at = ${NOW} where ${those('confirmed_at is null')}
    returning kind
  )
  select kind, count(*)::int as count from confirmed group by kind`;

/** Parameter: limit. After 5 minutes, 10, 20 and so on up to a day, it is tried once more. */
export const FIND_TO_TRY = `
  select f.subject, f.kind, f.event_type as "eventType", f.user_id as "userId", f.note,
    coalesce(o.state = 'PROCESSING', false) as "waitsForEngine"
  from events.findings as f left join events.occurrences as o on o.key = f.subject
  where f.confirmed_at is not null and f.kind <> 'set_aside'
    and (f.tried_at is null or f.tried_at <
      ${NOW} - least(interval '5 minutes' * 2 ^ least(f.tries - 1, 9), interval '1 day'))
  order by f.due_at nulls last, f.subject
  limit ?`;

/** Parameter: subjects with notes. */
export const MARK_TRIED = `
  update events.findings as f
  set tried_at = ${NOW}, tries = tries + 1, note = given.note
  from jsonb_to_recordset(?::jsonb) as given (subject text, note text)
  where f.subject = given.subject`;

/** @param holds SQL for whether a finding is still so */
export const dropRepaired = (holds: string): string => `
  with dropped as (
    delete from events.findings where ${those(`confirmed_at is not null and not ${holds}`)}
    returning kind
  )
  select kind, count(*)::int as count from dropped group by kind`;

export const COUNT_AWAITED = `
  select count(*)::int as count from events.findings
  where tried_at > ${ago('2 minutes')} and note is null and unrepaired_at is null`;

/** What nothing can be tried for is unrepaired at once. */
export const MARK_UNREPAIRED = `
  with marked as (
    update events.findings set unrepaired_at = ${NOW}
    where ${those(`unrepaired_at is null and confirmed_at is not null
      and (tries > 0 or kind = 'set_aside')`)}
    returning kind
  )
  select kind, count(*)::int as count from marked group by kind`;

/** In a statement after the one that marks: the whole of it, by kind. */
export const COUNT_UNREPAIRED = `
  select kind, count(*)::int as count from events.findings
  where unrepaired_at is not null group by kind`;

/** Parameter: limit. */
export const FIND_UNREPAIRED = `
  select subject, kind, case when kind <> 'set_aside' then event_type end as "eventType",
    user_id as "userId", note, false as "waitsForEngine"
  from events.findings where unrepaired_at is not null
  order by due_at nulls last, subject
  limit ?`;

export const BYSTANDERS = `
  select
    (select count(*) from events.occurrences
     where blocked_reason is not null and state = 'PENDING')::int as blocked,
    (select count(*) from events.occurrences
     where state = 'PROCESSING' and next_attempt_at < ${ago('2 minutes')}
       and (sending_until is null or sending_until <= ${NOW}))::int as waiting,
    (select count(*) from events.stale_tokens
     where dropped_at < ${ago('1 hour')})::int as "staleTokens"`;

export const MARK_SUCCEEDED = `update events.reconciler set last_succeeded_at = ${NOW}`;

export const UNREPAIRED = `
  select count(*)::int as count from events.findings where unrepaired_at is not null`;

export const LAST_SUCCEEDED = `
  select (extract(epoch from last_succeeded_at) * 1000)::float8 as at from events.reconciler`;
