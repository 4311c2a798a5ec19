import { instant, type SqlParameters } from './sql.ts';
import type { OccurrenceState } from './types.ts';

/** Which occurrences of the ledger are meant; null for any. Instants are epoch ms. */
export interface OccurrenceFilter {
  readonly status: OccurrenceState | null;
  /** Due instants, half open: [from, to). With either, none without an instant is meant. */
  readonly from: number | null;
  readonly to: number | null;
  readonly occasionType: string | null;
  readonly userId: string | null;
  /** The zone that it was planned in, as it was sent. */
  readonly timezone: string | null;
  /** COMPLETED late, or on time; one that is not delivered is neither. */
  readonly late: boolean | null;
  /** Cannot be planned. */
  readonly blocked: boolean | null;
}

/** A condition on `events.occurrences as o`, and its parameters. */
export interface SqlCondition {
  readonly sql: string;
  readonly parameters: SqlParameters;
}

/**
 * A filter in SQL. MikroORM writes the parameters into the statement as literals, so that
 * PostgreSQL sees that the partial indexes fit.
 */
export function occurrenceCondition(filter: OccurrenceFilter, lateAfterMs: number): SqlCondition {
  const { status, from, to, occasionType, userId, timezone, late, blocked } = filter;
  return every([
    status !== null && { sql: 'o.state = :status', parameters: { status } },
    from !== null && { sql: `o.due_at >= ${instant(':from')}`, parameters: { from } },
    to !== null && { sql: `o.due_at < ${instant(':to')}`, parameters: { to } },
    occasionType !== null && {
      sql: 'o.occasion_type = :occasionType',
      parameters: { occasionType },
    },
    userId !== null && { sql: 'o.user_id = :userId::uuid', parameters: { userId } },
    timezone !== null && { sql: 'o.timezone = :timezone', parameters: { timezone } },
    late !== null && {
      sql: `o.state = 'COMPLETED' and o.lateness_ms ${late ? '>' : '<='} :lateAfterMs`,
      parameters: { lateAfterMs },
    },
    blocked !== null && {
      sql: `o.blocked_reason is ${blocked ? 'not null' : 'null'}`,
      parameters: {},
    },
  ]);
}

/** All of these conditions; `false` stands for none. */
export function every(conditions: readonly (SqlCondition | false)[]): SqlCondition {
  const given = conditions.filter((one) => one !== false);
  return {
    sql: given.map(({ sql }) => sql).join(' and ') || 'true',
    parameters: Object.assign({}, ...given.map(({ parameters }) => parameters)),
  };
}
