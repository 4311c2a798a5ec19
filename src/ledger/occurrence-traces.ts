import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import type { TracePoint } from '../platform/trace-point.ts';
import type { Orm } from '../platform/database/orm.ts';
import { instant, ms, queryOf } from './sql.ts';

export type OccurrenceTraces = ReturnType<typeof createOccurrenceTraces>;

/**
 * The trace of an occurrence, in two columns of the ledger. Only tracing uses it: a failure is
 * logged, and fails nothing else.
 */
export function createOccurrenceTraces(orm: Orm, logger: Pick<Logger, 'warn'>) {
  const query = queryOf(orm);
  return {
    /** By key, for those that have one. */
    async find(keys: readonly string[]): Promise<Map<string, TracePoint>> {
      const parameters = { keys: JSON.stringify(keys) };
      const rows = await query<TracePoint & { key: string }>(FIND, parameters).catch(
        (error: unknown) => {
          logger.warn({ error: describeError(error) }, 'the traces of a batch could not be read');
          return [];
        },
      );
      return new Map(rows.map(({ key, traceparent, at }) => [key, { traceparent, at }]));
    },

    async keep(key: string, { traceparent, at }: TracePoint): Promise<void> {
      await query(KEEP, { key, traceparent, at }).catch((error: unknown) => {
        const about = { occurrenceKey: key, error: describeError(error) };
        logger.warn(about, 'the trace of an occurrence could not be stored');
      });
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
