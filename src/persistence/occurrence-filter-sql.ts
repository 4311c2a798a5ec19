import type { OccurrenceFilter } from '../events/occurrence-filter.ts';

/** A condition on `events.occurrences as o`, and its parameters in order. */
export interface SqlCondition {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/**
 * A filter in SQL. The parameters are written into the statement as literals, so that the
 * partial indexes of migration 0004 are seen to fit.
 *
 * @param lateAfterMs from here on a delivery counts as late
 */
export function occurrenceCondition(
  filter: OccurrenceFilter,
  { lateAfterMs }: { readonly lateAfterMs: number },
): SqlCondition {
  const { state, from, to, eventType, userId, timezone, late, blocked } = filter;
  return every([
    condition('o.state = ?', state),
    condition(`o.fire_at >= ${INSTANT}`, from),
    condition(`o.fire_at < ${INSTANT}`, to),
    condition('o.event_type = ?', eventType),
    condition('o.user_id = ?::uuid', userId),
    condition('o.timezone = ?', timezone),
    late !== null && {
      sql: `o.state = 'COMPLETED' and o.lateness_ms ${late ? '>' : '<='} ?`,
      params: [lateAfterMs],
    },
    blocked !== null && {
      sql: `o.blocked_reason is ${blocked ? 'not null' : 'null'}`,
      params: [],
    },
  ]);
}

/** All of these conditions; `false` stands for none. */
export function every(conditions: readonly (SqlCondition | false)[]): SqlCondition {
  const given = conditions.filter((one) => one !== false);
  if (given.length === 0) return { sql: 'true', params: [] };
  return {
    sql: given.map(({ sql }) => sql).join(' and '),
    params: given.flatMap(({ params }) => params),
  };
}

const INSTANT = 'to_timestamp(?::float8 / 1000)';

function condition(sql: string, value: unknown): SqlCondition | false {
  return value !== null && { sql, params: [value] };
}
