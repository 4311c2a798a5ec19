import type { TracePoint } from '../platform/trace-point.ts';
import type { Orm } from '../platform/database/orm.ts';
import { instant, ms, queryOf } from './sql.ts';

export type OccurrenceTraces = ReturnType<typeof createOccurrenceTraces>;

/**
 * Which trace an occurrence belongs to, in two columns of the ledger. Nothing but traces goes by
 * it, so a failure here fails nothing else.
 */
export function createOccurrenceTraces(orm: Orm) {
  const query = queryOf(orm);
  return {
    /** By key, those that have one. */
    async find(keys: readonly string[]): Promise<Map<string, TracePoint>> {
      const rows = await query<TracePoint & { key: string }>(FIND, { keys: JSON.stringify(keys) });
      return new Map(rows.map(({ key, traceparent, at }) => [key, { traceparent, at }]));
    },

    async keep(key: string, { traceparent, at }: TracePoint): Promise<void> {
      await query(KEEP, { key, traceparent, at });
    },
  };
}

const FIND = `
  select key, traceparent, ${ms('traced_at', 'at')}
  from events.occurrences
  where key in (select jsonb_array_elements_text(:keys::jsonb)) and traceparent is not null`;

const KEEP = `
  update events.occurrences set traceparent = :traceparent, traced_at = ${instant(':at')}
  where key = :key`;
