/** Moves rows that wait at a destination their occasion type no longer has. */
import type { Orm } from '../platform/database/orm.ts';
import type { OccurrencePlace } from './occurrence-filter.ts';
import { destinationNow, firstRow, instant, isFree, literal, ms, queryOf } from './sql.ts';

export interface RedirectedPage {
  readonly redirected: number;
  /** Leased, or locked: their holders return them to the current destination. */
  readonly left: number;
  /** The position of the last row of a full page; null if there are no more. */
  readonly endDueAt: number | null;
  readonly endKey: string | null;
}

/**
 * Goes through a page of the open rows that fell due by an instant (epoch ms), in the order of due
 * instant and key, and moves those whose type has another destination now, redeliveries too.
 */
export async function redirectPage(
  orm: Orm,
  by: number,
  after: OccurrencePlace,
  limit: number,
): Promise<RedirectedPage> {
  const parameters = { by, afterDueAt: after.dueAt, afterKey: after.key };
  return firstRow(await queryOf(orm)<RedirectedPage>(redirectSql(limit), parameters));
}

const redirectSql = (limit: number): string => `
  with page as materialized (
    select *, row_number() over (order by due_at, key) = ${literal(limit)} as is_end
    from events.occurrences
    where state = 'PENDING' and due_at <= ${instant(':by')}
      and (due_at, key) > (${instant(':afterDueAt')}, :afterKey)
    order by due_at, key
    limit ${literal(limit)}
  ), elsewhere as materialized (
    select key from page where destination <> ${destinationNow('page')}
  ), free as materialized (
    select t.key from events.occurrences as t
    where t.key = any (array(select key from elsewhere))
      and t.state = 'PENDING' and ${isFree('t', 'events.clock()')}
    order by t.key
    for no key update skip locked
  ), redirected as (
    update events.occurrences as t set destination = ${destinationNow('t')}
    where t.key = any (array(select key from free))
    returning t.key
  )
  select (select count(*) from redirected)::int as redirected,
    ((select count(*) from elsewhere) - (select count(*) from redirected))::int as left,
    ${ms('(select due_at from page where is_end)', 'endDueAt')},
    (select key from page where is_end) as "endKey"`;
