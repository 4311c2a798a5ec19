import type { OccurrenceTraces } from '../events/occurrence-traces.ts';
import type { Orm } from './orm.ts';

/** Traces of occurrences in PostgreSQL, in two columns of the ledger that nothing else reads. */
export function createOccurrenceTraces(orm: Orm): OccurrenceTraces {
  return {
    async find(keys) {
      const rows = await orm.em.fork().execute<TracedRow[]>(FIND, [JSON.stringify(keys)]);
      return new Map(rows.map(({ key, traceparent, at }) => [key, { traceparent, at }]));
    },
    async keep(key, { traceparent, at }) {
      await orm.em.fork().execute(KEEP, [traceparent, at, key]);
    },
  };
}

interface TracedRow {
  readonly key: string;
  readonly traceparent: string;
  readonly at: number;
}

/** Parameter: keys, as JSON. */
const FIND = `
  select key, traceparent, (extract(epoch from traced_at) * 1000)::float8 as at
  from events.occurrences
  where key in (select jsonb_array_elements_text(?::jsonb)) and traceparent is not null`;

/** Parameters: traceparent, since when in epoch ms, key. */
const KEEP = `
  update events.occurrences
  set traceparent = ?, traced_at = to_timestamp(?::float8 / 1000)
  where key = ?`;
