import type { Orm } from '../platform/database/orm.ts';
import { interval, queryOf } from './sql.ts';

/** First attempts that are late. */
export interface LateBacklog {
  readonly count: number;
  /** Of the oldest of them, ms; null when there is none. */
  readonly latenessMs: number | null;
}

export type Backlog = ReturnType<typeof createBacklog>;

/**
 * What has waited longer than LATE_AFTER for its first attempt, as after downtime. Not what an
 * operator had sent again. What was attempted waits for its receiver.
 */
export function createBacklog(orm: Orm, { lateAfterMs }: { readonly lateAfterMs: number }) {
  const query = queryOf(orm);
  return {
    async findLate(): Promise<LateBacklog> {
      const [late] = await query<LateBacklog>(FIND_LATE, { lateAfterMs });
      return late ?? { count: 0, latenessMs: null };
    },
  };
}

const FIND_LATE = `
  with late as materialized (select events.clock() - ${interval(':lateAfterMs')} as since)
  select count(*)::int as count,
    (extract(epoch from events.clock() - min(due_at)) * 1000)::float8 as "latenessMs"
  from events.occurrences
  where state in ('PENDING', 'PROCESSING') and due_at < (select since from late)
    and attempts = earlier_attempts and redeliveries = 0`;
